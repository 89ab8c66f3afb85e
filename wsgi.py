"""The WSGI entry point: `gunicorn wsgi:app`, `flask --app wsgi`."""

import sys

from app import create_app
from app.errors import ConfigError

try:
    app = create_app()
except ConfigError as error:
    print(f"Spotkeeper cannot start: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
    sys.exit(3)  # by which gunicorn knows that trying again would not help
