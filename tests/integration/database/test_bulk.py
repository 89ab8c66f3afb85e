"""Many rows at once: whichever way a database takes them, they are those that the ORM would have written."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from app import bulk
from app.bulk import Row, insert_rows, upsert_rows
from app.database import new_id
from app.models import Account, Instance, InstanceTag
from app.models.types import AuthSource, AuthStatus
from app.services.discovery.rows import COLUMNS, INSTANCES, KEPT_COLUMNS, KEY, TAG_COLUMNS, TAGS
from tests.factories import make_account, make_user

MOMENT = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
LATER = MOMENT + timedelta(days=1)

#: Text that some databases have to be talked to about.
TEXTS = [
    "",
    " both ends ",
    "tab\tline\nreturn\rback\\slash\\N\\.",
    "'quote' \"quote\" `quote` %s %(name)s ? :name {0} $1",
    "ÄÖÜ ß ı İ 全角 \u202eשלום",  # noqa: RUF001 - as they are
    "🙂🇪🇺👩\u200d🚀",
    "\\x41 \\101 \\u0041",
]


@pytest.fixture(params=["as they are", "as very many"])
def any_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows, and few rows in the way that PostgreSQL has for very many."""
    if request.param == "as very many":
        monkeypatch.setattr(bulk, "COPY_FROM", 1)


@pytest.fixture
def account(session: Session) -> Account:
    account = make_account(make_user("owner"))
    session.flush()
    return account


def row(account: Account, number: int, **changes: Any) -> Row:
    """The row of an instance, in the order of COLUMNS."""
    known: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "id": new_id(),
        "account_id": account.id,
        "instance_id": f"i-{number}",
        "region": "eu-west-1",
        "instance_type": "m5.large",
        "state": "running",
        "lifecycle": "spot",
        "launched_at": MOMENT,
        "first_launched_at": None,
        "state_changed_at": None,
        "missing_since": None,
        "instance_metadata": json.dumps({"Tags": {"Name": f"web {number}"}, "Vcpus": 2, "EbsOptimized": False}),
        "auth_status": AuthStatus.UNAUTHORIZED,
        "auth_source": AuthSource.NONE,
        "auth_reason": "new",
        "first_seen_at": MOMENT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
    return [{**known, **changes}[name] for name in COLUMNS]


def stored(session: Session) -> list[Instance]:
    session.expire_all()
    return list(session.scalars(sa.select(Instance).order_by(Instance.instance_id)))


@pytest.mark.usefixtures("any_way")
class TestInserting:
    def test_every_value_comes_back_as_it_went(self, session: Session, account: Account) -> None:
        """Times, enums, JSON, nothing, and text in every alphabet."""
        east = MOMENT.astimezone(timezone(timedelta(hours=9)))
        written = [
            row(account, 0, launched_at=None, state="missing", missing_since=LATER, auth_status=AuthStatus.AUTHORIZED),
            row(account, 1, launched_at=east, state_changed_at=MOMENT.replace(microsecond=0)),
            *(row(account, 2 + n, name=text, state_reason=text, auth_reason=text) for n, text in enumerate(TEXTS)),
            row(account, 9, instance_metadata=json.dumps({text: [text, None, 1.5, True] for text in TEXTS})),
        ]
        insert_rows(session.connection(), INSTANCES, COLUMNS, written)
        none, times, *texts, facts = stored(session)
        assert (none.launched_at, none.missing_since, none.auth_status) == (None, LATER, AuthStatus.AUTHORIZED)
        assert (times.launched_at, times.state_changed_at) == (MOMENT, MOMENT.replace(microsecond=0))
        assert (times.id, times.auth_changed_at) == (written[1][0], None)
        assert [found.name for found in texts] == TEXTS
        assert [(found.state_reason, found.auth_reason) for found in texts] == [(text, text) for text in TEXTS]
        assert facts.instance_metadata == {text: [text, None, 1.5, True] for text in TEXTS}

    def test_they_are_the_rows_that_the_orm_writes(self, session: Session, account: Account) -> None:
        written = row(account, 1, name="🙂", missing_since=None, state_changed_at=LATER)
        insert_rows(session.connection(), INSTANCES, COLUMNS, [written])
        values = dict(zip(COLUMNS, row(account, 2, name="🙂", missing_since=None, state_changed_at=LATER), strict=True))
        session.add(Instance(**{**values, "instance_metadata": json.loads(values["instance_metadata"])}))
        session.flush()
        # As the driver returns them, whatever our types would make of that.
        names = [name for name in COLUMNS if name not in {"id", "instance_id", "instance_metadata"}]
        raw = session.connection().exec_driver_sql(f"SELECT {', '.join(names)} FROM instances")
        bulky, orm = raw.all()
        assert tuple(bulky) == tuple(orm)
        one, two = (found.instance_metadata for found in stored(session))
        assert {**one, "Tags": 0} == {**two, "Tags": 0}

    def test_one_row_or_none_is_no_special_case(self, session: Session, account: Account) -> None:
        insert_rows(session.connection(), INSTANCES, COLUMNS, [])
        assert stored(session) == []
        insert_rows(session.connection(), INSTANCES, COLUMNS, [row(account, 1)])
        assert len(stored(session)) == 1

    def test_a_naive_time_is_refused(self, session: Session, account: Account) -> None:
        with pytest.raises((TypeError, sa.exc.StatementError), match="must be aware"):
            insert_rows(
                session.connection(), INSTANCES, COLUMNS, [row(account, 1, launched_at=MOMENT.replace(tzinfo=None))]
            )

    def test_two_tables_in_one_transaction_do_not_meet(self, session: Session, account: Account) -> None:
        one, two = row(account, 1), row(account, 2)
        for part in (one, two):
            insert_rows(session.connection(), INSTANCES, COLUMNS, [part])
            insert_rows(session.connection(), TAGS, TAG_COLUMNS, [(part[0], "Name", "web"), (part[0], "größe", "🙂")])
        assert session.scalar(sa.select(sa.func.count()).select_from(TAGS)) == 4
        assert len(stored(session)) == 2


@pytest.mark.usefixtures("any_way")
class TestUpserting:
    def upsert(self, session: Session, rows: list[Row]) -> None:
        upsert_rows(session.connection(), INSTANCES, COLUMNS, rows, key=KEY, keep=KEPT_COLUMNS)

    def test_it_inserts_updates_and_keeps(self, session: Session, account: Account) -> None:
        before = row(account, 1, auth_status=AuthStatus.AUTHORIZED)
        self.upsert(session, [before, row(account, 2)])
        changes = {"state": "stopped", "launched_at": None, "first_seen_at": LATER, "updated_at": LATER}
        self.upsert(
            session, [row(account, 1, **changes, auth_reason="other", created_at=LATER), row(account, 3, name="🙂")]
        )
        one, two, three = stored(session)
        assert (one.state, one.launched_at, one.updated_at) == ("stopped", None, LATER)
        assert (one.id, one.auth_status, one.auth_reason) == (before[0], AuthStatus.AUTHORIZED, "new")
        assert (one.first_seen_at, one.created_at) == (MOMENT, MOMENT)
        assert (two.state, two.updated_at) == ("running", MOMENT)
        assert three.name == "🙂"

    def test_what_is_not_written_stays(self, session: Session, account: Account) -> None:
        self.upsert(session, [row(account, 1)])
        session.execute(sa.update(Instance).values(auth_changed_at=LATER))
        self.upsert(session, [row(account, 1, state="stopped")])
        (found,) = stored(session)
        assert (found.state, found.auth_changed_at) == ("stopped", LATER)

    def test_another_account_with_the_same_instance_id_is_another_instance(
        self, session: Session, account: Account
    ) -> None:
        other = make_account(make_user("other"), account_id="222222222222")
        session.flush()
        self.upsert(session, [row(account, 1), row(other, 1, state="stopped")])
        self.upsert(session, [row(account, 1, name="web")])
        assert {(found.account_id, found.name, found.state) for found in stored(session)} == {
            (account.id, "web", "running"),
            (other.id, "", "stopped"),
        }

    def test_none_is_no_special_case(self, session: Session, account: Account) -> None:
        self.upsert(session, [])
        assert stored(session) == []


class TestVeryMany:
    def test_they_are_all_there(self, session: Session, account: Account) -> None:
        connection = session.connection()
        many = [row(account, number) for number in range(1000)]
        tags = [(each[0], f"key {number}", "🙂" * 200) for each in many for number in range(5)]
        upsert_rows(connection, INSTANCES, COLUMNS, many, key=KEY, keep=KEPT_COLUMNS)
        insert_rows(connection, TAGS, TAG_COLUMNS, tags)
        again = [row(account, number, state="stopped") for number in range(500, 1500)]
        upsert_rows(connection, INSTANCES, COLUMNS, again, key=KEY, keep=KEPT_COLUMNS)
        states = session.execute(sa.select(Instance.state, sa.func.count()).group_by(Instance.state)).all()
        assert {tuple(found) for found in states} == {("running", 500), ("stopped", 1000)}
        kept = session.scalars(sa.select(Instance.id).where(Instance.instance_id == "i-700")).one()
        assert kept == many[700][0]
        assert session.scalar(sa.select(sa.func.count()).select_from(TAGS)) == 5000
        assert session.scalar(sa.select(sa.func.min(InstanceTag.value))) == "🙂" * 200


BROKEN: dict[str, dict[str, Any]] = {
    "a parent that is not there": {"account_id": 1},
    "nothing where something must be": {"state": None},
    "a rule of the table": {"state": "missing"},
    "an id that is taken": {"instance_id": "i-0"},
}


@pytest.mark.usefixtures("any_way")
class TestBrokenConstraints:
    @pytest.fixture
    def committed(self, session: Session, account: Account) -> Iterator[int]:
        """The id of the account, with one instance of it, in the database."""
        insert_rows(session.connection(), INSTANCES, COLUMNS, [row(account, 0)])
        session.commit()
        return account.id

    @pytest.mark.parametrize("what", BROKEN)
    def test_they_are_told_as_by_the_orm_and_the_next_transaction_works(
        self, session: Session, committed: int, what: str
    ) -> None:
        account = session.get_one(Account, committed)
        rows = [row(account, 1), row(account, 2, **BROKEN[what])]
        with pytest.raises(IntegrityError):
            insert_rows(session.connection(), INSTANCES, COLUMNS, rows)
        session.rollback()
        account = session.get_one(Account, committed)
        insert_rows(session.connection(), INSTANCES, COLUMNS, [row(account, 3)])
        session.commit()
        assert [found.instance_id for found in stored(session)] == ["i-0", "i-3"], "all or nothing"

    def test_text_that_is_too_long_is_refused(self, session: Session, committed: int) -> None:
        rows = [row(session.get_one(Account, committed), 1, instance_type="x" * 65)]
        if session.get_bind().dialect.name == "sqlite":
            return  # it takes text of any length
        with pytest.raises(DataError):
            insert_rows(session.connection(), INSTANCES, COLUMNS, rows)
        session.rollback()
        assert len(stored(session)) == 1
