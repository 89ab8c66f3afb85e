"""Typed settings from the environment; refuses to start half-set.

Every setting is a field of `Config` with its environment variable's name in capitals, and is described
in docs/configuration.md (a test compares the two). AWS's own variables (AWS_ENDPOINT_URL, AWS_PROFILE,
AWS_ACCESS_KEY_ID, ...) are read by botocore and not listed here.
"""

import base64
import binascii
import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import ConfigError

#: What people write, and the driver Spotkeeper talks through. `postgres://` is what many hosts hand out;
#: plain `mysql://` would ask for MySQLdb, which is not installed.
DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}

GUESSABLE_KEYS = frozenset({"dev", "secret", "changeme", "change-me", "password", "secret-key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one installation. Durations are in seconds; the environment is the only source."""

    instance_path: Path
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    encryption_keys: tuple[tuple[str, bytes], ...] = field(repr=False)
    """Pairs of (key id, 32 bytes). The first writes; all read."""

    environment: str = "production"
    """`production` or `development`; development echoes SQL when asked and allows http cookies."""

    secure_cookies: bool = True
    trusted_proxies: int = 0
    """How many reverse proxies in front of us may be believed about the client's address."""

    broker_url: str = field(repr=False)
    template_url: str = ""
    """An https S3 address of the CloudFormation template, for one-click connecting; empty = no such link."""

    discovery_interval_seconds: int = 900
    lease_seconds: int = 60
    """How long a worker may be silent before another takes its job over."""

    region_threads: int = 4
    aws_calls_per_hour: int = 2000
    """Requests to AWS for one account in one hour, beyond which its jobs wait; 0 = no limit."""

    history_days: int = 400
    event_days: int = 14
    event_queue_url: str = ""
    """An SQS queue of the operator's from which events are taken; empty = none."""

    public_url: str = ""
    """Where AWS reaches this installation, https; empty = it does not, and no events can be pushed to it."""

    system_log_days: int = 90
    session_idle_seconds: int = 3600
    session_lifetime_seconds: int = 43_200

    db_pool_size: int = 10
    db_max_overflow: int = 10
    db_pool_recycle_seconds: int = 1800
    db_pool_timeout_seconds: int = 10
    db_connect_timeout_seconds: int = 5
    db_pool_pre_ping: bool = True
    sql_echo: bool = False

    log_level: str = "INFO"
    log_format: str = "console"
    """`console` for people, `json` for machines."""

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> "Config":
        """Read the settings, making keys for an embedded installation on its first run.

        Raises:
            ConfigError: a value is malformed, or a server database has no explicit keys.
        """
        env = os.environ if env is None else env
        read = _Reader(env)
        instance_path = Path(env.get("INSTANCE_PATH") or Path(__file__).parent.parent / "instance").resolve()
        url = normalize_database_url(env.get("DATABASE_URL") or f"sqlite:///{instance_path / 'spotkeeper.db'}")
        environment = read.choice("SPOTKEEPER_ENV", "production", {"production", "development"})
        keys = _Keys(env, instance_path, is_embedded=url.get_backend_name() == "sqlite")
        return cls(
            instance_path=instance_path,
            database_url=url.render_as_string(hide_password=False),
            secret_key=keys.secret_key(),
            secret_key_fallbacks=tuple(filter(None, env.get("SECRET_KEY_FALLBACKS", "").split(","))),
            encryption_keys=keys.encryption_keys(),
            environment=environment,
            secure_cookies=read.boolean("SECURE_COOKIES", environment == "production"),
            trusted_proxies=read.integer("TRUSTED_PROXIES", 0, 0, 10),
            broker_url=env.get("BROKER_URL") or "filesystem://",
            template_url=read.template_url("TEMPLATE_URL"),
            discovery_interval_seconds=read.integer("DISCOVERY_INTERVAL_SECONDS", 900, 60, 86_400),
            lease_seconds=read.integer("LEASE_SECONDS", 60, 2, 3600),
            region_threads=read.integer("REGION_THREADS", 4, 1, 32),
            aws_calls_per_hour=read.integer("AWS_CALLS_PER_HOUR", 2000, 0, 1_000_000),
            history_days=read.integer("HISTORY_DAYS", 400, 1, 36_500),
            event_days=read.integer("EVENT_DAYS", 14, 1, 3650),
            event_queue_url=read.queue_url("EVENT_QUEUE_URL"),
            public_url=read.public_url("PUBLIC_URL"),
            system_log_days=read.integer("SYSTEM_LOG_DAYS", 90, 1, 3650),
            session_idle_seconds=read.integer("SESSION_IDLE_SECONDS", 3600, 60, 86_400),
            session_lifetime_seconds=read.integer("SESSION_LIFETIME_SECONDS", 43_200, 300, 2_592_000),
            db_pool_size=read.integer("DB_POOL_SIZE", 10, 1, 200),
            db_max_overflow=read.integer("DB_MAX_OVERFLOW", 10, 0, 200),
            db_pool_recycle_seconds=read.integer("DB_POOL_RECYCLE_SECONDS", 1800, 30, 86_400),
            db_pool_timeout_seconds=read.integer("DB_POOL_TIMEOUT_SECONDS", 10, 1, 300),
            db_connect_timeout_seconds=read.integer("DB_CONNECT_TIMEOUT_SECONDS", 5, 1, 60),
            db_pool_pre_ping=read.boolean("DB_POOL_PRE_PING", True),
            sql_echo=read.boolean("SQL_ECHO", False) and environment == "development",
            log_level=read.choice("LOG_LEVEL", "INFO", {"DEBUG", "INFO", "WARNING", "ERROR"}),
            log_format=read.choice("LOG_FORMAT", "console", {"console", "json"}),
        )


def normalize_database_url(text: str) -> URL:
    """The URL with the driver Spotkeeper uses, in utf8mb4 for MySQL and MariaDB.

    Raises:
        ConfigError: not a database URL, an unknown database, or none named. The password is never shown.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ConfigError(
            "DATABASE_URL is not a database URL. Examples: sqlite:////var/lib/spotkeeper/spotkeeper.db, "
            "postgresql://user:password@host/spotkeeper, mysql://user:password@host/spotkeeper"
        ) from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigError(
            f"DATABASE_URL names the database {url.drivername!r}, which Spotkeeper does not speak. "
            f"Use one of: sqlite, postgresql, mysql, mariadb."
        )
    if not url.database:
        raise ConfigError("DATABASE_URL names no database: add it after the last slash, as in .../spotkeeper")
    url = url.set(drivername=driver)
    if url.get_backend_name() == "mysql":
        url = url.update_query_dict({"charset": "utf8mb4"})
    return url


def parse_encryption_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    """Parse `id:base64,id:base64`: each key 32 bytes, each id 1-16 letters, digits, `_` or `-`.

    Raises:
        ConfigError: naming the key by its position, never by its value.
    """
    keys: dict[str, bytes] = {}
    for position, item in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        key_id, _, encoded = item.partition(":")
        if not (0 < len(key_id) <= 16 and key_id.replace("-", "").replace("_", "").isalnum()):
            raise ConfigError(f"ENCRYPTION_KEYS: key {position} needs an id before a colon, as in k1:...")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32 or len(set(key)) < 8:
            raise ConfigError(f"ENCRYPTION_KEYS: key {position} is not 32 random bytes in base64. {MAKE_KEYS}")
        if key_id in keys:
            raise ConfigError(f"ENCRYPTION_KEYS: the id of key {position} is used twice")
        keys[key_id] = key
    if not keys:
        raise ConfigError(f"ENCRYPTION_KEYS is empty. {MAKE_KEYS}")
    return tuple(keys.items())


MAKE_KEYS = (
    'Make one with: python -c "import secrets, base64; '
    "print('k1:' + base64.b64encode(secrets.token_bytes(32)).decode())\""
)


class _Reader:
    """Reads one environment variable each, naming it when it cannot be used."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        text = self.env.get(name, "")
        try:
            value = int(text) if text else default
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ConfigError(f"{name} must be a whole number from {low} to {high}")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        text = self.env.get(name, "").lower()
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off"}:
            return False
        if text:
            raise ConfigError(f"{name} must be true or false")
        return default

    def choice(self, name: str, default: str, allowed: set[str]) -> str:
        value = self.env.get(name) or default
        if value not in allowed:
            raise ConfigError(f"{name} must be one of: {', '.join(sorted(allowed))}")
        return value

    def queue_url(self, name: str) -> str:
        value = self.env.get(name, "")
        # Signed with our own identity: it must go to AWS, or to the endpoint that the environment names.
        endpoint = self.env.get("AWS_ENDPOINT_URL_SQS") or self.env.get("AWS_ENDPOINT_URL") or "https://none.invalid"
        is_aws = re.fullmatch(r"https://sqs\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[0-9]{12}/[A-Za-z0-9_-]{1,80}", value)
        if value and not is_aws and not value.startswith(endpoint.rstrip("/") + "/"):
            raise ConfigError(f"{name} must be a queue's address: https://sqs.<region>.amazonaws.com/<account>/<name>")
        return value

    def public_url(self, name: str) -> str:
        value = self.env.get(name, "").rstrip("/")
        if value and not re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?", value):
            raise ConfigError(f"{name} must be an https address without a query")
        return value

    def template_url(self, name: str) -> str:
        value = self.env.get(name, "")
        # CloudFormation takes a template from S3 over https only, and an address of 1,024 characters at most.
        if value and not (value.startswith("https://") and ".amazonaws.com" in value and len(value) <= 1024):
            raise ConfigError(f"{name} must be the https address of an S3 object (at most 1,024 characters)")
        return value


class _Keys:
    """The two keys of an installation: given, or made once for an embedded one."""

    def __init__(self, env: Mapping[str, str], instance_path: Path, *, is_embedded: bool) -> None:
        self.env = env
        self.instance_path = instance_path
        self.is_embedded = is_embedded

    def secret_key(self) -> str:
        value = self.env.get("SECRET_KEY") or self._embedded("secret_key", lambda: secrets.token_hex(32))
        if not value:
            raise ConfigError(
                "SECRET_KEY is not set, and a server database is. "
                'Make one with: python -c "import secrets; print(secrets.token_hex(32))"'
            )
        if len(value) < 32 or len(set(value)) < 8 or value.lower() in GUESSABLE_KEYS:
            raise ConfigError("SECRET_KEY must be at least 32 random characters")
        return value

    def encryption_keys(self) -> tuple[tuple[str, bytes], ...]:
        text = self.env.get("ENCRYPTION_KEYS") or self._embedded(
            "encryption_keys", lambda: "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
        )
        if not text:
            raise ConfigError(f"ENCRYPTION_KEYS is not set, and a server database is. {MAKE_KEYS}")
        return parse_encryption_keys(text)

    def _embedded(self, name: str, make: Callable[[], str]) -> str:
        """The key in `instance/`, made on the first run; empty where a server database is used."""
        if not self.is_embedded:
            return ""
        path = self.instance_path / name
        if not path.exists():
            self.instance_path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, draft = tempfile.mkstemp(dir=self.instance_path)  # created with mode 0600
            with os.fdopen(descriptor, "w") as file:
                file.write(make() + "\n")
            # A hard link appears whole or not at all: of two processes starting at once one wins, both read it.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            Path(draft).unlink()
        return path.read_text().strip()
