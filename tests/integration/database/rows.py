"""A valid row of every table, and a second one that shares no key with it."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.database import db
from app.models.types import (
    AccountHealth,
    AccountStatus,
    AuthStatus,
    ChangeKind,
    ConnectionMethod,
    Decision,
    EventOutcome,
    ExportFormat,
    ExportState,
    LogLevel,
    PermissionResult,
    RegionResult,
    Role,
    RuleAction,
    RunKind,
    RunState,
)

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def rows(n: int) -> dict[str, dict[str, Any]]:
    """Row number `n` (1 to 9) of each table, parents first; each refers to its parents' row of the same number."""
    return {
        "users": {"id": n, "username": f"user{n}", "email": f"user{n}@example.com", "password_hash": "x"},
        "user_sessions": {"id": n, "user_id": n, "token_hash": f"hash{n}", "expires_at": NOON},
        "saved_views": {
            "id": n,
            "user_id": n,
            "name": "Spot",
            "name_key": "spot",
            "query": "",
            "shared_with": Role.ADMIN,
        },
        "default_views": {"user_id": n, "view_id": n},
        "exports": {
            "id": n,
            "user_id": n,
            "format": ExportFormat.CSV,
            "query": "",
            "state": ExportState.DONE,
        },
        "sign_in_attempts": {"key_hash": f"hash{n}", "window_started_at": NOON},
        "accounts": {
            "id": n,
            "user_id": n,
            "account_id": str(n) * 12,
            "verified_account_id": str(n) * 12,
            "account_name": "Production",
            "connection_method": ConnectionMethod.IAM_ROLE,
            "status": AccountStatus.ACTIVE,
            "role_arn": f"arn:aws:iam::{str(n) * 12}:role/Spotkeeper",
            "external_id": str(n) * 32,
            "event_token_hash": str(n) * 64,
        },
        "account_events": {
            "id": n,
            "account_id": n,
            "actor_id": n,
            "status": AccountStatus.ACTIVE,
            "health": AccountHealth.OK,
            "message": "",
        },
        "account_batches": {"id": n, "user_id": n, "refused_lines": []},
        "organization_accounts": {"account_id": n, "member_id": str(n) * 12, "name": "Sales", "state": "ACTIVE"},
        "credential_candidates": {
            "id": n,
            "account_id": n,
            "connection_method": ConnectionMethod.IAM_ROLE,
            "role_arn": f"arn:aws:iam::{str(n) * 12}:role/Other",
            "aws_access_key_id": "v1:k1:x",
            "aws_secret_access_key": "v1:k1:x",
        },
        "account_locks": {"account_id": n, "token": "t", "lease_until": NOON},
        "region_scans": {
            "id": n,
            "account_id": n,
            "region": "eu-west-1",
            "result": RegionResult.READ,
            "since_at": NOON,
        },
        "app_identity": {"id": 1, "checked_at": NOON},
        "instances": {
            "id": n,
            "account_id": n,
            "instance_id": f"i-{n}",
            "instance_type": "t3.micro",
            "state": "running",
            "lifecycle": "spot",
            "auth_status": AuthStatus.AUTHORIZED,
            "auth_changed_by_id": n,
            "region": "eu-west-1",
        },
        "instance_tallies": {
            "account_id": n,
            "region": "eu-west-1",
            "state": "running",
            "lifecycle": "spot",
            "auth_status": AuthStatus.AUTHORIZED,
            "count": 1,
        },
        "instance_type_tallies": {
            "account_id": n,
            "region": "eu-west-1",
            "state": "running",
            "instance_type": "t3.micro",
            "count": 1,
        },
        "instance_changes": {
            "id": n,
            "account_id": n,
            "instance_pk": n,
            "kind": ChangeKind.CHANGED,
            "seen_at": NOON,
        },
        "authorization_rules": {
            "id": n,
            "name": "CI runners",
            "owner_name": "build team",
            "owner_id": n,
            "expires_on": NOON.date(),
        },
        "authorization_rule_accounts": {"rule_id": n, "account_id": str(n) * 12},
        "authorization_rule_edits": {
            "id": n,
            "rule_id": n,
            "revision": 1,
            "action": RuleAction.CREATED,
            "made_at": NOON,
            "user_id": n,
        },
        "change_tallies": {"account_id": n, "day": NOON.date()},
        "region_permissions": {
            "account_id": n,
            "region": "eu-west-1",
            "action": "ec2:DescribeInstances",
            "result": PermissionResult.ALLOWED,
            "checked_at": NOON,
        },
        "api_calls": {
            "account_id": n,
            "hour_at": NOON,
            "region": "eu-west-1",
            "action": "DescribeInstances",
            "count": 1,
        },
        "ec2_events": {
            "id": n,
            "account_id": n,
            "event_id": f"event{n}",
            "detail_type": "EC2 Instance State-change Notification",
            "region": "eu-west-1",
            "occurred_at": NOON,
            "received_at": NOON,
            "outcome": EventOutcome.APPLIED,
            "payload": {},
        },
        "instance_tags": {"instance_pk": n, "key": "Name", "value": "web"},
        "experiment_logs": {
            "id": n,
            "account_id": n,
            "instance_pk": n,
            "instance_id": f"i-{n}",
            "decision": Decision.HOLD,
            "reason": "",
        },
        "downtime_logs": {
            "id": n,
            "account_id": n,
            "instance_pk": n,
            "instance_id": f"i-{n}",
            "region": "eu-west-1",
            "started_at": NOON,
        },
        "system_logs": {"id": n, "component": "web", "level": LogLevel.INFO, "message": ""},
        "runs": {
            "id": n,
            "kind": RunKind.DISCOVER_ACCOUNT,
            "account_id": n,
            "requested_by_id": n,
            "state": RunState.QUEUED,
            "active_key": f"discover_account:{n}",
            "due_at": NOON,
        },
    }


def insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    connection.execute(sa.insert(db.metadata.tables[table]).values(values))


def insert_rows(connection: Connection, n: int, *, only: tuple[str, ...] = ()) -> None:
    """Insert row `n` of every table, or of those named; the table of one row gets it once."""
    for table, values in rows(n).items():
        if (not only or table in only) and not (table == "app_identity" and n > 1):
            insert(connection, table, values)
