"""`python -m demo`: Spotkeeper on a simulated AWS, all on this machine; `make demo` calls it."""

import argparse
import sys

from demo.launcher import DemoError, Launcher


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description="Spotkeeper on a simulated AWS.")
    parser.add_argument("--fresh", action="store_true", help="forget the data of earlier runs and start over")
    options = parser.parse_args()
    try:
        return Launcher(is_fresh=options.fresh).run()
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
