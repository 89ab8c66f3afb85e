"""The WSGI entry point: `gunicorn wsgi:app`, `flask --app wsgi`."""

import gc
import sys

# Nothing of what is imported below is garbage, and looking for some is a tenth of the start.
gc.disable()

from app import create_app  # noqa: E402 - see above
from app.errors import ConfigError  # noqa: E402 - see above

try:
    app = create_app()
except ConfigError as error:
    print(f"Spotkeeper cannot start: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
    sys.exit(3)  # by which gunicorn knows that trying again would not help

# And what is there now stays: it need not be looked through again.
gc.freeze()
gc.enable()
