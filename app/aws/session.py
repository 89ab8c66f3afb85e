"""Clients for AWS: whose credentials they carry, how long they wait, which regions exist; imports boto3.

A tenant's client is always built from explicit credentials, on a session that has no other source: neither the
environment, nor shared files, nor the machine's role can step in when the tenant's own fail. `app_client` alone
uses the installation's own identity, and only for STS. Endpoints come from the environment (AWS_ENDPOINT_URL,
read by botocore), never from what people type.
"""

import logging
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver

from app.aws.credentials import Credentials
from app.aws.formats import PARTITIONS
from app.aws.meter import CallMeter
from app.aws.service_models import shared_loader
from app.aws.transport import Guard
from app.errors import AwsFault, FaultCode

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import ServiceModel
    from botocore.session import Session
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 20
MAX_ATTEMPTS = 4
#: One call with all its attempts. Two rounds of silent regions still end within a minute and a half.
CALL_SECONDS = 40
#: And of the calls a job begins with (who are we, which regions): an account that never answers costs a worker
#: about ten seconds, not a minute.
SIGN_IN_SECONDS = 8
USER_AGENT = "spotkeeper"
RetryMode = Literal["standard", "adaptive"]

#: The installation's own identity may be used for nothing else.
APP_SERVICES = frozenset({"sts", "pricing", "sqs"})

#: These write signed requests, tokens and whole answers at DEBUG; AssumeRole's answer is a secret.
_TALKATIVE = (
    "botocore.auth",
    "botocore.awsrequest",
    "botocore.client",
    "botocore.credentials",
    "botocore.endpoint",
    "botocore.hooks",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.regions",
    "botocore.retryhandler",
    "botocore.utils",
)

_lock = threading.Lock()
#: Another one, for finding our own credentials may take seconds (the metadata service, a process).
_app_lock = threading.Lock()
_app_sessions: dict[int, "Session"] = {}


def _hush(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


for _name in _TALKATIVE:
    # A filter, not a level: it holds even where somebody turns on DEBUG for botocore.
    logging.getLogger(_name).addFilter(_hush)


class ClientOptions(TypedDict, total=False):
    """What `client` takes beside the service, the credentials and the region."""

    read_timeout_seconds: float
    call_seconds: float
    deadline: float | None
    meter: CallMeter | None
    retry_mode: RetryMode


@overload
def client(
    service: Literal["ec2"],
    credentials: Credentials,
    region: str,
    **options: Unpack[ClientOptions],
) -> "EC2Client": ...
@overload
def client(
    service: Literal["sts"],
    credentials: Credentials,
    region: str,
    **options: Unpack[ClientOptions],
) -> "STSClient": ...
@overload
def client(
    service: Literal["organizations"],
    credentials: Credentials,
    region: str,
    **options: Unpack[ClientOptions],
) -> Any: ...
def client(
    service: str,
    credentials: Credentials,
    region: str,
    *,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    call_seconds: float = CALL_SECONDS,
    deadline: float | None = None,
    meter: CallMeter | None = None,
    retry_mode: RetryMode = "standard",
) -> Any:
    """A client that signs with these credentials or not at all. Close it (`contextlib.closing`).

    `read_timeout_seconds` bounds the silence of one attempt, `call_seconds` one call with all its attempts, and
    `deadline` (of `time.monotonic`) all calls of the client together. `meter` counts each request that is sent.
    `retry_mode` is botocore's; both back off with full jitter.
    Raises AwsFault: INTERNAL for an unknown region, INVALID_ACCESS_KEY for credentials that cannot be sent.
    """
    require_region(region)
    values = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token or "-")
    if not all(value and value.isascii() and value.isprintable() and " " not in value for value in values):
        raise AwsFault(FaultCode.INVALID_ACCESS_KEY, "The stored credentials are not usable as they are.")
    # Sessions are not safe to share while a client is being made; clients are, once made.
    with _lock:
        made = _boto3_on(_tenant_session()).client(
            service,
            region_name=region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=_config(read_timeout_seconds, call_seconds, retry_mode),
        )
    return _guarded(made, read_timeout_seconds, call_seconds, deadline, meter)


@overload
def app_client(service: Literal["sts"], region: str) -> "STSClient": ...
@overload
def app_client(service: Literal["sqs"], region: str) -> Any: ...
def app_client(service: str, region: str) -> Any:
    """A client with the installation's own identity (environment, shared files, or the machine's role).

    Not metered: AWS counts AssumeRole against the caller, which is us, and not against the customer's account.
    Raises AwsFault NO_APP_IDENTITY where there is none.
    """
    if service not in APP_SERVICES:
        raise ValueError(f"The installation's own identity is not for {service}.")
    require_region(region)
    with _app_lock:
        session = _app_session()
        if session.get_credentials() is None:
            raise AwsFault(
                FaultCode.NO_APP_IDENTITY,
                "This installation has no AWS credentials of its own, so it cannot assume a role.",
            )
        made = _boto3_on(session).client(service, region_name=region, config=_config(SIGN_IN_SECONDS, SIGN_IN_SECONDS))
    return _guarded(made, SIGN_IN_SECONDS, SIGN_IN_SECONDS)


def app_region() -> str:
    """Where the installation asks about itself: AWS_REGION, AWS_DEFAULT_REGION or its profile's, else us-east-1."""
    with _app_lock:
        session = _app_session()
        configured = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    return str(configured or PARTITIONS["aws"].default_region)


@cache
def service_model(service: str) -> "ServiceModel":
    """botocore's model of a service: its operations, and the shapes of what they answer."""
    with _lock:
        return _tenant_session().get_service_model(service)


@cache
def known_regions(partition: str) -> frozenset[str]:
    """The regions that botocore knows in a partition; empty for an unknown partition."""
    with _lock:
        return frozenset(_tenant_session().get_available_regions("sts", partition_name=partition))


def require_region(region: str) -> str:
    """Return the region's partition. Raises AwsFault INTERNAL for a name that botocore does not know.

    The name becomes part of a host name: anything not on the list could lead elsewhere.
    """
    for partition in PARTITIONS:
        if region in known_regions(partition):
            return partition
    raise AwsFault(
        FaultCode.INTERNAL,
        "This version of Spotkeeper does not know the region. Upgrade it if AWS has opened it lately.",
    )


def _config(read_timeout_seconds: float, call_seconds: float, retry_mode: RetryMode = "standard") -> Config:
    return Config(
        # Connecting has no clock of ours over it: the last attempt may outlive the call by a third.
        connect_timeout=min(CONNECT_TIMEOUT_SECONDS, call_seconds / 3),
        read_timeout=read_timeout_seconds,
        retries={"mode": retry_mode, "total_max_attempts": MAX_ATTEMPTS},
        user_agent_extra=USER_AGENT,
    )


def _guarded(
    made: "BaseClient",
    read_seconds: float,
    call_seconds: float,
    deadline: float | None = None,
    meter: CallMeter | None = None,
) -> Any:
    Guard(made, read_seconds=read_seconds, call_seconds=call_seconds, deadline=deadline, meter=meter)
    return made


@cache
def _boto3_on(session: "Session") -> boto3.Session:
    """boto3 on one of our sessions; kept, because each one made adds its handlers to the session again."""
    return boto3.Session(botocore_session=session)


@cache
def _tenant_session() -> "Session":
    nowhere = (None, None, os.devnull, None)
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )
    session.register_component("data_loader", shared_loader())
    session.register_component("credential_provider", CredentialResolver(providers=[]))
    session.set_config_variable("sts_regional_endpoints", "regional")
    return session


def _app_session() -> "Session":
    """The installation's session, made anew when AWS_* in the environment changes."""
    fingerprint = hash(frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    if fingerprint not in _app_sessions:
        session = botocore.session.Session()
        session.register_component("data_loader", shared_loader())
        session.set_config_variable("sts_regional_endpoints", "regional")
        # The metadata service answers in milliseconds or is not there.
        session.set_config_variable("metadata_service_timeout", 1)
        session.set_config_variable("metadata_service_num_attempts", 1)
        _app_sessions.clear()
        _app_sessions[fingerprint] = session
    return _app_sessions[fingerprint]
