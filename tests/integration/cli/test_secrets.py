"""`flask secrets`: rotation while others write and after kill -9, and an examination that shows no secret."""

import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.config import Config, parse_encryption_keys
from app.crypto import key_id_of, keyring
from app.database import db
from app.models import Account, User
from app.models.types import ConnectionMethod
from app.services import secrets as service
from app.services.secrets import SECRET_COLUMNS, rotate_batch

CANARY = "CanarySecret/9f8e7d6c5b4a3Z2Y1X0wVuTsRqPo"
KEYS = {name: f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}" for name in ("old", "new", "lost")}


def load(*names: str) -> None:
    keyring.load(parse_encryption_keys(",".join(KEYS[name] for name in names)))


@pytest.fixture
def app(any_database: Flask) -> Iterator[Flask]:
    """Each database, with secrets written by the key named `old`."""
    load("old")
    yield any_database
    config: Config = any_database.extensions["spotkeeper"]
    keyring.load(config.encryption_keys)


@pytest.fixture
def accounts(app: Flask) -> list[int]:
    return seed(app, 25)


def seed(app: Flask, count: int) -> list[int]:
    """Accounts with access keys, and one by role that has none."""
    with app.app_context():
        user = User(username="client1", email="client1@example.com", password_hash="x")
        db.session.add(user)
        db.session.flush()
        made = []
        for n in range(count):
            account = Account(
                user_id=user.id,
                account_id=f"{n:012}",
                account_name="a",
                connection_method=ConnectionMethod.ACCESS_KEYS,
                external_id=f"{n:032}",
            )
            account.set_access_keys(f"AKIAIOSFODNN7EX{n:05}", f"{CANARY}{n}")
            made.append(account)
        role = Account(
            user_id=user.id,
            account_id="999999999999",
            account_name="r",
            connection_method=ConnectionMethod.IAM_ROLE,
            external_id="r" * 32,
        )
        db.session.add_all([*made, role])
        db.session.commit()
        return [account.id for account in made]


def key_ids(app: Flask) -> list[str]:
    with app.app_context():
        stored = [db.session.scalars(sa.select(column).where(column.is_not(None))).all() for column in SECRET_COLUMNS]
        return sorted({key_id_of(value) for values in stored for value in values})


def opened(app: Flask) -> dict[int, tuple[str, str]]:
    with app.app_context():
        found = db.session.scalars(sa.select(Account).where(Account.connection_method == ConnectionMethod.ACCESS_KEYS))
        return {account.id: account.open_access_keys() for account in found}


def run(app: Flask, *args: str) -> Any:
    return app.test_cli_runner().invoke(args=["secrets", *args])


def test_the_columns_are_found_by_what_their_models_say() -> None:
    assert [f"{c.table.name}.{c.name}" for c in SECRET_COLUMNS] == [
        "accounts.aws_access_key_id",
        "accounts.aws_secret_access_key",
        "credential_candidates.aws_access_key_id",
        "credential_candidates.aws_secret_access_key",
    ]


class TestRotate:
    def test_it_moves_every_secret_to_the_first_key(self, app: Flask, accounts: list[int]) -> None:
        before = opened(app)
        load("new", "old")
        result = run(app, "rotate", "--batch-size", "7")
        assert result.exit_code == 0, result.output
        assert "Done: 50 secrets re-encrypted with key 'new'" in result.output
        assert result.output.count("examined") == 8  # batches of 7, over 25 rows, for two columns: progress is shown
        assert key_ids(app) == ["new"]
        load("new")
        assert opened(app) == before

    def test_a_second_run_writes_nothing(self, app: Flask, accounts: list[int]) -> None:
        load("new", "old")
        run(app, "rotate")
        assert "Done: 0 secrets re-encrypted" in run(app, "rotate").output

    def test_it_leaves_times_and_versions_alone(self, app: Flask, accounts: list[int]) -> None:
        with app.app_context():
            table = Account.__table__
            facts = sa.select(table.c.id, table.c.updated_at, table.c.version, table.c.keys_changed_at).order_by(
                table.c.id
            )
            before = db.session.execute(facts).all()
            load("new", "old")
            run(app, "rotate")
            db.session.rollback()
            assert db.session.execute(facts).all() == before

    def test_it_passes_over_what_does_not_open_and_says_so(self, app: Flask, accounts: list[int]) -> None:
        load("lost")
        with app.app_context():
            account = db.session.get(Account, accounts[3])
            assert account is not None
            account.set_access_keys("AKIAIOSFODNN7LOST", CANARY)
            db.session.commit()
        load("new", "old")
        result = run(app, "rotate")
        assert result.exit_code == 1
        assert "2 do not open" in result.output
        assert key_ids(app) == ["lost", "new"]

    def test_it_never_overwrites_what_another_changed_meanwhile(
        self, app: Flask, accounts: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load("new", "old")
        original = keyring.rotate
        seen: list[str] = []

        def rotate_slowly(stored: str, place: Any) -> str:
            if not seen:
                seen.append(stored)
                # Between reading and writing. SQLite lets nobody else in by then: there, in the same transaction.
                other = db.session if app.extensions["spotkeeper"].is_sqlite else sa.orm.Session(db.engine)
                account = other.get(Account, place.row_id)
                assert account is not None
                account.set_access_keys("AKIAIOSFODNN7FRESH", "fresh")
                other.flush() if other is db.session else other.commit()
            return original(stored, place)

        monkeypatch.setattr(service.keyring, "rotate", rotate_slowly, raising=True)
        with app.app_context():
            result = rotate_batch(SECRET_COLUMNS[0], after_row_id=0)
            db.session.commit()
        assert result is not None
        assert (result.rotated, result.overtaken) == (24, 1)
        assert opened(app)[accounts[0]] == ("AKIAIOSFODNN7FRESH", "fresh")


class TestDoctor:
    def test_it_counts_the_secrets_of_each_key(self, app: Flask, accounts: list[int]) -> None:
        result = run(app, "doctor")
        assert result.exit_code == 0, result.output
        assert "key old: 50 secrets (writes now)" in result.output
        assert "0 do not open, 0 wait" in result.output

    def test_it_exits_with_2_while_some_wait_for_rotation(self, app: Flask, accounts: list[int]) -> None:
        load("new", "old")
        result = run(app, "doctor")
        assert result.exit_code == 2
        assert f"accounts.aws_access_key_id of row {accounts[0]}: key old: opens" in result.output

    def test_it_exits_with_1_when_a_key_is_gone(self, app: Flask, accounts: list[int]) -> None:
        load("new")
        result = run(app, "doctor")
        assert result.exit_code == 1
        assert "50 do not open" in result.output
        assert "add it to ENCRYPTION_KEYS" in result.output

    def test_it_notices_a_ciphertext_moved_to_another_row(self, app: Flask, accounts: list[int]) -> None:
        column = SECRET_COLUMNS[1]
        with app.app_context():
            table = column.table
            stolen = db.session.scalar(sa.select(column).where(table.c.id == accounts[0]))
            db.session.execute(sa.update(table).where(table.c.id == accounts[1]).values({column: stolen}))
            db.session.commit()
        result = run(app, "doctor")
        assert result.exit_code == 1
        assert f"accounts.aws_secret_access_key of row {accounts[1]}: key old" in result.output
        assert "1 do not open" in result.output

    def test_it_names_every_row_when_asked(self, app: Flask, accounts: list[int]) -> None:
        assert run(app, "doctor", "--all").output.count("opens") == 50

    @pytest.mark.parametrize("stored", ["", "v1:", "v2:old:x", "nonsense", "v1:old:%%%", "v1:old:"])
    def test_a_broken_value_is_told_not_raised(self, app: Flask, accounts: list[int], stored: str) -> None:
        column = SECRET_COLUMNS[1]
        with app.app_context():
            db.session.execute(sa.update(column.table).where(column.table.c.id == accounts[0]).values({column: stored}))
            db.session.commit()
        result = run(app, "doctor")
        assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
        assert "1 do not open" in result.output

    def test_no_command_shows_a_secret(self, app: Flask, accounts: list[int]) -> None:
        load("new", "old")
        said = "".join(run(app, *args).output for args in (["doctor", "--all"], ["rotate"], ["doctor", "--all"]))
        assert CANARY not in said
        assert "AKIA" not in said
        assert not any(key.split(":")[1] in said for key in KEYS.values())


class TestNewKey:
    def test_it_prints_a_line_that_the_settings_accept(self, app: Flask) -> None:
        first, second = (run(app, "new-key", "k2").output.strip() for _ in range(2))
        assert first != second
        [(key_id, key)] = parse_encryption_keys(first)
        assert (key_id, len(key)) == ("k2", 32)

    @pytest.mark.parametrize("key_id", ["", "a:b", "a,b", "x" * 17, "é"])
    def test_it_refuses_an_id_that_the_settings_would(self, app: Flask, key_id: str) -> None:
        assert run(app, "new-key", key_id).exit_code == 2


#: Slow between the batches, not within: a lock held for long would keep the test itself out. After so many batches
#: as its argument says it waits to be killed.
ROTATE = """
import sys, time
from app import create_app
from app.cli import secrets
original = secrets.rotate_batch
left = float(sys.argv[1])
def slowly(*args, **kwargs):
    global left
    left -= 1
    time.sleep(0.05 if left >= 0 else 600)
    return original(*args, **kwargs)
secrets.rotate_batch = slowly
runner = create_app().test_cli_runner()
sys.exit(runner.invoke(args=["secrets", "rotate", "--batch-size", "5"], catch_exceptions=False).exit_code)
"""


class TestAcrossProcesses:
    @pytest.fixture
    def start(self, app: Flask) -> Callable[..., subprocess.Popen[bytes]]:
        config: Config = app.extensions["spotkeeper"]
        env = {
            **os.environ,
            "DATABASE_URL": config.database_url,
            "INSTANCE_PATH": str(config.instance_path),
            "SECRET_KEY": config.secret_key,
            "ENCRYPTION_KEYS": f"{KEYS['new']},{KEYS['old']}",
        }
        root = Path(__file__).parents[3]
        return lambda batches="inf": subprocess.Popen([sys.executable, "-c", ROTATE, batches], env=env, cwd=root)

    def test_a_rotation_killed_midway_is_taken_up_by_the_next(
        self, app: Flask, start: Callable[..., subprocess.Popen[bytes]]
    ) -> None:
        seed(app, 30)
        before = opened(app)
        process = start("3")
        while key_ids(app) == ["old"]:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert key_ids(app) == ["new", "old"]
        load("new", "old")
        assert opened(app) == before  # nothing is half written
        assert run(app, "rotate").exit_code == 0
        load("new")
        assert opened(app) == before

    def test_a_rotation_loses_nothing_that_others_write_meanwhile(
        self, app: Flask, start: Callable[..., subprocess.Popen[bytes]]
    ) -> None:
        ids = seed(app, 60)
        process = start()
        written: dict[int, tuple[str, str]] = {}
        turn = 0
        while process.poll() is None:
            # As a web worker does that has not been restarted yet: it still writes with the old key.
            with app.app_context():
                account = db.session.get(Account, ids[turn % len(ids)])
                assert account is not None
                written[account.id] = (f"AKIAIOSFODNN7T{turn:06}", f"{CANARY}{turn}")
                account.set_access_keys(*written[account.id])
                db.session.commit()
            turn += 1
            time.sleep(0.002)
        assert process.returncode == 0
        assert turn > 20
        load("new", "old")
        assert {id_: opened(app)[id_] for id_ in written} == written
        assert run(app, "rotate").exit_code == 0
        load("new")
        assert {id_: opened(app)[id_] for id_ in written} == written
