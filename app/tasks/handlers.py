"""Which function does which kind of run: a `Lease` in, an `Outcome` out.

Named by text and imported when first needed, because the web process shares this package and must not import boto3.
"""

import pkgutil
from collections.abc import Callable

from app.models.types import RunKind
from app.services.runs import Lease, Outcome

Handler = Callable[[Lease], Outcome]

HANDLERS: dict[RunKind, str] = {
    RunKind.VERIFY_ACCOUNT: "app.tasks.accounts:verify_account",
    RunKind.DISCOVER_ACCOUNT: "app.tasks.discovery:discover_account",
    RunKind.CHECK_PERMISSIONS: "app.tasks.permissions:check_permissions",
    RunKind.CHECK_IDENTITY: "app.tasks.accounts:check_identity",
    RunKind.POLL_EVENTS: "app.tasks.events:poll_events",
    RunKind.APPLY_RULES: "app.tasks.rules:apply_rules",
    RunKind.PRUNE: "app.tasks.pruning:prune",
}


def find_handler(kind: RunKind) -> Handler:
    """The function for this kind of run."""
    handler: Handler = pkgutil.resolve_name(HANDLERS[kind])
    return handler


def import_handlers() -> None:
    """Import every handler now: once in a worker, before it forks its processes."""
    for kind in HANDLERS:
        find_handler(kind)
