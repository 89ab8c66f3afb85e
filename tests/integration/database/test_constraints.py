"""Every constraint of every model is broken once, on every database, whoever writes: here by plain SQL."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.database import db
from tests.integration.database.rows import NOON, insert, insert_rows, rows

TABLES = db.metadata.tables

#: For each CHECK that is not an enum's: changes to a valid row, each of which it must refuse.
CHECKS: dict[str, list[dict[str, Any]]] = {
    "ck_users_username_lower": [{"username": "User1"}, {"username": ""}],
    "ck_users_email_lower": [{"email": "User1@example.com"}, {"email": ""}],
    "ck_accounts_account_id_digits": [
        {"account_id": value, "verified_account_id": None, "status": "pending"}
        for value in ("", "12345678901", "12345678901a", "12345678901 ", "-12345678901", "12345678901.", "१२३४")
    ],
    "ck_accounts_verified_is_account": [{"verified_account_id": "999999999999"}],
    "ck_accounts_working_is_verified": [
        {"verified_account_id": None, "status": "connected"},
        {"verified_account_id": None, "status": "active"},
    ],
    "ck_accounts_role_has_arn": [{"role_arn": None, "status": "connected"}, {"role_arn": None, "status": "active"}],
    "ck_accounts_keys_are_present": [
        {"connection_method": "access_keys"},
        {"connection_method": "access_keys", "aws_access_key_id": "v1:k1:x"},
        {"connection_method": "access_keys", "aws_secret_access_key": "v1:k1:x"},
    ],
    "ck_accounts_external_id_length": [{"external_id": "x" * 31}, {"external_id": ""}],
    "ck_credential_candidates_role_has_arn": [{"role_arn": None}],
    "ck_credential_candidates_keys_are_present": [
        {"connection_method": "access_keys", "aws_access_key_id": None},
        {"connection_method": "access_keys", "aws_secret_access_key": None},
    ],
    "ck_app_identity_only_row": [{"id": 2}],
    "ck_instances_missing_has_time": [{"state": "missing"}, {"missing_since": NOON}],
    "ck_instance_tallies_count_positive": [{"count": 0}, {"count": -1}],
    "ck_instance_type_tallies_count_positive": [{"count": 0}, {"count": -1}],
    "ck_api_calls_count_positive": [{"count": 0}, {"count": -1}],
    "ck_authorization_rules_name_not_empty": [{"name": ""}],
    "ck_authorization_rules_applied_is_past": [{"applied_revision": 2}],
    "ck_authorization_rules_expired_has_date": [{"state": "expired", "expires_on": None}],
    "ck_experiment_logs_currency_code": [{"currency": "US"}, {"currency": ""}],
    "ck_downtime_logs_ends_after_start": [{"ended_at": NOON - timedelta(microseconds=1)}],
    "ck_runs_running_is_held": [
        {"state": "running"},
        {"state": "running", "token": "t"},
        {"state": "running", "lease_until": NOON},
    ],
    "ck_runs_progress_not_negative": [{"progress_done": -1}, {"progress_total": -1}],
}

#: What becomes of a row when the one it refers to is deleted.
ON_DELETE = {
    "fk_user_sessions_user_id": "CASCADE",
    "fk_saved_views_user_id": "CASCADE",
    "fk_default_views_user_id": "CASCADE",
    "fk_default_views_view_id": "CASCADE",
    "fk_exports_user_id": "CASCADE",
    "fk_accounts_user_id": "RESTRICT",
    "fk_account_events_account_id": "CASCADE",
    "fk_account_events_actor_id": "SET NULL",
    "fk_account_locks_account_id": "CASCADE",
    "fk_account_batches_user_id": "CASCADE",
    "fk_organization_accounts_account_id": "CASCADE",
    "fk_credential_candidates_account_id": "CASCADE",
    "fk_region_scans_account_id": "CASCADE",
    "fk_instances_account_id": "CASCADE",
    "fk_instances_auth_changed_by_id": "SET NULL",
    "fk_instance_tags_instance_pk": "CASCADE",
    "fk_instance_tallies_account_id": "CASCADE",
    "fk_instance_type_tallies_account_id": "CASCADE",
    "fk_instance_changes_account_id": "CASCADE",
    "fk_instance_changes_instance_pk": "CASCADE",
    "fk_change_tallies_account_id": "CASCADE",
    "fk_region_permissions_account_id": "CASCADE",
    "fk_api_calls_account_id": "CASCADE",
    "fk_ec2_events_account_id": "CASCADE",
    "fk_authorization_rules_owner_id": "SET NULL",
    "fk_authorization_rule_accounts_rule_id": "CASCADE",
    "fk_authorization_rule_edits_rule_id": "CASCADE",
    "fk_authorization_rule_edits_user_id": "SET NULL",
    "fk_experiment_logs_account_id": "CASCADE",
    "fk_experiment_logs_instance_pk": "SET NULL",
    "fk_downtime_logs_account_id": "CASCADE",
    "fk_downtime_logs_instance_pk": "SET NULL",
    "fk_runs_account_id": "CASCADE",
    "fk_runs_requested_by_id": "SET NULL",
}

#: What else a second row needs besides the same unique columns, so that nothing but the constraint refuses it.
UNIQUES: dict[str, dict[str, Any]] = {
    "uq_users_username": {},
    "uq_users_email": {},
    "uq_user_sessions_token_hash": {},
    "uq_saved_views_user_id_name_key": {},
    "uq_accounts_user_id_account_id": {"verified_account_id": None, "status": "pending"},
    "uq_accounts_verified_account_id": {"account_id": "111111111111"},
    "uq_accounts_external_id": {},
    "uq_credential_candidates_account_id": {},
    "uq_region_scans_account_id_region": {},
    "uq_instances_account_id_instance_id": {},
    "uq_runs_active_key": {},
    "uq_ec2_events_account_id_event_id": {},
    "ix_accounts_event_token_hash": {},
}


def constraints(kind: type[sa.Constraint]) -> dict[str, Any]:
    return {
        str(constraint.name): constraint
        for table in TABLES.values()
        for constraint in table.constraints
        if isinstance(constraint, kind)
    }


def uniques() -> dict[str, Any]:
    indexes = {str(index.name): index for table in TABLES.values() for index in table.indexes if index.unique}
    return constraints(sa.UniqueConstraint) | indexes


def enums() -> dict[str, sa.Column[Any]]:
    return {
        f"ck_{table.name}_{column.type.name}": column
        for table in TABLES.values()
        for column in table.columns
        if isinstance(column.type, sa.Enum)
    }


@pytest.fixture
def filled(connection: Connection) -> Connection:
    """A connection to a database with a valid row in every table."""
    insert_rows(connection, 1)
    return connection


def refuse(connection: Connection, name: str, statement: sa.Executable) -> None:
    """The statement must be refused, and by that constraint."""
    with pytest.raises(IntegrityError) as caught, connection.begin_nested():
        connection.execute(statement)
    said = str(caught.value.orig)
    dialect = connection.dialect.name
    if dialect == "postgresql":
        assert caught.value.orig.diag.constraint_name == name  # type: ignore[union-attr]
    elif name.startswith("pk_"):
        assert "PRIMARY" in said or "UNIQUE constraint failed" in said
    elif dialect == "sqlite" and name[:2] in {"uq", "ix", "fk"}:
        assert ("FOREIGN KEY" if name.startswith("fk") else "UNIQUE") + " constraint failed" in said
    else:
        assert name in said


class TestEveryConstraintIsTested:
    """A constraint without a test here is a wish: add the rows that it must refuse."""

    def test_each_table_has_a_valid_row(self) -> None:
        assert set(rows(1)) == set(TABLES), "tests/integration/database/rows.py: give every table a valid row"

    def test_each_check_has_its_rows(self) -> None:
        assert set(CHECKS) == set(constraints(sa.CheckConstraint)) - set(enums())

    def test_each_unique_constraint_has_its_row(self) -> None:
        assert set(UNIQUES) == set(uniques())

    def test_each_foreign_key_has_its_rule(self) -> None:
        assert {name: key.ondelete for name, key in constraints(sa.ForeignKeyConstraint).items()} == ON_DELETE

    def test_each_enum_is_held_by_a_check(self) -> None:
        assert set(enums()) <= set(constraints(sa.CheckConstraint))

    def test_every_constraint_and_index_has_a_name(self) -> None:
        for table in TABLES.values():
            assert all(constraint.name for constraint in table.constraints)
            assert all(index.name for index in table.indexes)


@pytest.mark.parametrize(("name", "changes"), [(name, changes) for name in CHECKS for changes in CHECKS[name]])
def test_a_check_refuses(filled: Connection, name: str, changes: dict[str, Any]) -> None:
    table = constraints(sa.CheckConstraint)[name].table
    values = {
        column: sa.literal(value, sa.String) if isinstance(table.c[column].type, sa.Enum) else value
        for column, value in changes.items()
    }
    refuse(filled, name, sa.update(table).values(values))


@pytest.mark.parametrize("name", UNIQUES)
def test_a_unique_constraint_refuses_a_second_row(filled: Connection, name: str) -> None:
    constraint = uniques()[name]
    table = constraint.table
    insert_rows(filled, 2, only=("users",) if table.name != "users" else ())
    if table.name in {"region_scans", "instances", "runs", "ec2_events"}:
        insert_rows(filled, 2, only=("accounts",))
    mine, theirs = rows(2)[table.name], rows(1)[table.name]
    shared = {column.name: theirs[column.name] for column in constraint.columns}
    if name != "uq_accounts_verified_account_id" and table.name == "accounts" and "account_id" not in shared:
        mine = {**mine, "verified_account_id": None, "status": "pending"}
    if table.name == "users":
        mine = rows(3)["users"]
    refuse(filled, name, sa.insert(table).values({**mine, **shared, **UNIQUES[name]}))


@pytest.mark.parametrize("table", [table.name for table in TABLES.values()])
def test_a_primary_key_refuses_a_second_row(filled: Connection, table: str) -> None:
    insert_rows(filled, 2, only=("users", "accounts", "instances"))
    values = rows(3 if table in {"users", "accounts", "instances"} else 2)[table]
    keys = {column.name: rows(1)[table][column.name] for column in TABLES[table].primary_key}
    if table == "accounts":
        values = {**values, "user_id": 2}
    if table == "instances":
        values = {**values, "account_id": 2, "auth_changed_by_id": None}
    refuse(filled, str(TABLES[table].primary_key.name), sa.insert(TABLES[table]).values({**values, **keys}))


@pytest.mark.parametrize("name", enums())
def test_an_enum_refuses_an_unknown_word(filled: Connection, name: str) -> None:
    column = enums()[name]
    refuse(filled, name, sa.update(column.table).values({column.name: sa.literal("nonsense", sa.String)}))


@pytest.mark.parametrize("name", enums())
def test_an_enum_accepts_each_of_its_words(filled: Connection, name: str) -> None:
    column = enums()[name]
    assert isinstance(column.type, sa.Enum)
    words = column.type.enums
    for word in words:
        changes: dict[str, Any] = {column.name: word}
        if name == "ck_runs_state":
            changes |= {"token": "t", "lease_until": NOON}
        if name == "ck_accounts_connection_method":
            changes |= {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        filled.execute(sa.update(column.table).values(changes))
        assert filled.scalar(sa.select(column)) == word


@pytest.mark.parametrize("name", ON_DELETE)
def test_a_foreign_key_refuses_what_is_not_there(filled: Connection, name: str) -> None:
    key = constraints(sa.ForeignKeyConstraint)[name]
    [column] = key.columns
    if column.primary_key:  # the row's own key: another row's would be taken
        filled.execute(sa.delete(key.table))
    else:
        refuse(filled, name, sa.update(key.table).values({column.name: 404}))
        return
    refuse(filled, name, sa.insert(key.table).values({**rows(1)[key.table.name], column.name: 404}))


@pytest.mark.parametrize("name", ON_DELETE)
def test_deleting_what_is_referred_to_follows_the_rule(filled: Connection, name: str) -> None:
    key = constraints(sa.ForeignKeyConstraint)[name]
    [column] = key.columns
    parent = key.referred_table
    if parent.name == "users" and name != "fk_accounts_user_id":
        # The user's account would keep the user: give it to somebody else first.
        insert_rows(filled, 2, only=("users",))
        filled.execute(sa.update(TABLES["accounts"]).values(user_id=2))
    delete = sa.delete(parent).where(parent.c.id == 1)
    if ON_DELETE[name] == "RESTRICT":
        refuse(filled, name, delete)
        return
    filled.execute(delete)
    expected = [] if ON_DELETE[name] == "CASCADE" or parent.name == "accounts" else [None]
    assert filled.execute(sa.select(column)).scalars().all() == expected


class TestWhatMayBe:
    """The other side: what the constraints must let through."""

    def test_many_may_claim_an_account_that_none_has_verified(self, filled: Connection) -> None:
        claim = {"account_id": "111111111111", "verified_account_id": None, "status": "pending", "role_arn": None}
        for n in (2, 3):
            insert_rows(filled, n, only=("users",))
            insert(filled, "accounts", {**rows(n)["accounts"], **claim})
        accounts = TABLES["accounts"]
        same = sa.select(sa.func.count()).where(accounts.c.account_id == "111111111111")
        assert filled.scalar(same) == 3

    def test_an_account_id_may_begin_with_zeros(self, filled: Connection) -> None:
        accounts = TABLES["accounts"]
        filled.execute(sa.update(accounts).values(account_id="000000000012", verified_account_id="000000000012"))
        assert filled.scalar(sa.select(accounts.c.account_id)) == "000000000012"

    def test_runs_that_are_over_share_no_key(self, filled: Connection) -> None:
        runs = TABLES["runs"]
        filled.execute(sa.update(runs).values(active_key=None))
        for n in (2, 3):
            insert(filled, "runs", {**rows(n)["runs"], "account_id": 1, "requested_by_id": 1, "active_key": None})
        assert filled.scalar(sa.select(sa.func.count()).select_from(runs)) == 3

    def test_a_missing_instance_has_its_time(self, filled: Connection) -> None:
        instances = TABLES["instances"]
        filled.execute(sa.update(instances).values(state="missing", missing_since=NOON))
        assert filled.scalar(sa.select(instances.c.missing_since)) == NOON

    def test_a_downtime_may_end_at_the_moment_it_began(self, filled: Connection) -> None:
        downtime = TABLES["downtime_logs"]
        filled.execute(sa.update(downtime).values(ended_at=NOON))
        assert filled.scalar(sa.select(downtime.c.ended_at)) == NOON

    def test_a_log_line_outlives_the_account_and_the_person(self, filled: Connection) -> None:
        logs = TABLES["system_logs"]
        filled.execute(sa.update(logs).values(user_id=1, account_id=1))
        for table in ("accounts", "users"):
            filled.execute(sa.delete(TABLES[table]))
        assert filled.execute(sa.select(logs.c.user_id, logs.c.account_id)).all() == [(1, 1)]
