"""Fetches the third-party files that pages use and records where each came from and what it must hash to.

`app/static/vendor/vendor.json` is both the list of what to fetch and the record of what was fetched. Run

    python scripts/vendor.py                    # fetch the recorded versions again
    python scripts/vendor.py htmx.org=2.0.11    # move one package to another version

Needs `npm` (it does the fetching, with the machine's own settings); installing or running Spotkeeper never does.
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parent.parent / "app" / "static" / "vendor"
MANIFEST = VENDOR / "vendor.json"


def fetch(package: str, version: str, folder: Path) -> Path:
    """Unpacks one package and returns the folder that holds its files."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, capture_output=True, text=True
    )
    archive = folder / packed.stdout.split()[-1]
    target = folder / archive.stem
    with tarfile.open(archive) as content:
        content.extractall(target, filter="data")
    return target / "package"


def build_sprite(source: Path, names: list[str]) -> bytes:
    """One SVG with a symbol for each icon; the stroke width is left to the style sheet."""
    symbols = []
    for name in sorted(names):
        drawing = (source / "icons" / "outline" / f"{name}.svg").read_text()
        paths = [path for path in re.findall(r"<path[^>]*/>", drawing) if 'stroke="none"' not in path]
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(paths)}</symbol>')
    style = 'fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'
    styled = [symbol.replace("<symbol ", f"<symbol {style} ", 1) for symbol in symbols]
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(styled) + "\n</svg>\n").encode()


def refresh(package: dict[str, Any], folder: Path) -> None:
    """Writes the files of one package and brings its record up to date."""
    source = fetch(package["name"], package["version"], folder)
    package["license"] = json.loads((source / "package.json").read_text())["license"]
    for path, entry in package["files"].items():
        content = build_sprite(source, package["icons"]) if entry["from"] == "icons" else None
        content = content or (source / entry["from"]).read_bytes()
        target = VENDOR / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        entry["sha256"] = hashlib.sha256(content).hexdigest()


def main(arguments: list[str]) -> None:
    manifest = json.loads(MANIFEST.read_text())
    wanted = dict(argument.split("=", 1) for argument in arguments)
    unknown = wanted.keys() - {package["name"] for package in manifest["packages"]}
    if unknown:
        sys.exit(f"Not in {MANIFEST.name}: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        for package in manifest["packages"]:
            package["version"] = wanted.get(package["name"], package["version"])
            refresh(package, Path(folder))
            print(f"{package['name']} {package['version']} ({package['license']})")
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
