"""Takes the application's log lines into `system_logs`, without ever failing or delaying who logs."""

from sqlalchemy.engine import Engine

from app.config import Config


def configure_logging(config: Config, engine: Engine) -> None:
    """Set up logging for this process."""
