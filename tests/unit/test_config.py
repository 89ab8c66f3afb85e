"""Settings: every value that cannot work is refused at the start, by name, without showing a secret."""

import base64
import dataclasses
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Config, normalize_database_url, parse_encryption_keys
from app.database import engine_options
from app.errors import ConfigError

ROOT = Path(__file__).parents[2]
# The same in every process, because they are in the names of tests.
KEY = base64.b64encode(hashlib.sha256(b"a key").digest()).decode()
OTHER_KEY = base64.b64encode(hashlib.sha256(b"another key").digest()).decode()
SECRET_KEY = hashlib.sha256(b"a secret key").hexdigest()


def read(path: Path, **env: str) -> Config:
    return Config.from_environment({"INSTANCE_PATH": os.fspath(path), **env})


def on_server(path: Path, url: str = "postgresql://u:p@db/spot", **env: str) -> Config:
    return read(path, DATABASE_URL=url, **{"SECRET_KEY": SECRET_KEY, "ENCRYPTION_KEYS": f"k1:{KEY}", **env})


class TestDatabaseUrl:
    @pytest.mark.parametrize(
        ("given", "used"),
        [
            ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
            ("postgresql://u:p@h:6432/d?sslmode=require", "postgresql+psycopg://u:p@h:6432/d?sslmode=require"),
            ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
            ("mysql://u:p@h/d", "mysql+pymysql://u:p@h/d?charset=utf8mb4"),
            ("mysql+pymysql://u@h/d?charset=latin1", "mysql+pymysql://u@h/d?charset=utf8mb4"),
            ("mariadb://u@h/d?ssl_ca=/x", "mysql+pymysql://u@h/d?charset=utf8mb4&ssl_ca=%2Fx"),
            ("  sqlite:////var/lib/x.db\n", "sqlite:////var/lib/x.db"),
            ("mysql://u:p%40%2F@h/d", "mysql+pymysql://u:p%40%2F@h/d?charset=utf8mb4"),
        ],
    )
    def test_it_is_spelled_as_our_drivers_want_it(self, given: str, used: str) -> None:
        assert normalize_database_url(given).render_as_string(hide_password=False) == used

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("hunter2", "Examples: sqlite:"),
            ("//u:hunter2@h/d", "Examples: sqlite:"),
            ("postgresql://u:hunter2@h:port/d", "Examples: sqlite:"),
            ("oracle://u:hunter2@h/d", "'oracle', which Spotkeeper does not speak"),
            ("postgresql+asyncpg://u:hunter2@h/d", "Use one of: sqlite, postgresql, mysql, mariadb"),
            ("mongodb://u:hunter2@h/d", "does not speak"),
            ("https://u:hunter2@h/d", "does not speak"),
            ("postgresql://u:hunter2@h", "names no database"),
            ("mysql://u:hunter2@h/", "names no database"),
            ("sqlite://", "names no database"),
        ],
    )
    def test_a_wrong_one_is_explained_without_its_password(self, tmp_path: Path, url: str, words: str) -> None:
        with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
            on_server(tmp_path, url)
        assert words in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def test_without_one_there_is_a_file_in_the_instance_folder(self, tmp_path: Path) -> None:
        config = read(tmp_path)
        assert config.database_url == f"sqlite:///{tmp_path}/spotkeeper.db"
        assert config.is_sqlite


class TestSecretKey:
    @pytest.mark.parametrize(
        "value", ["dev", "secret", "x" * 64, "short", "changeme" * 3, "a" * 31, "ab" * 32, "0123456" * 9]
    )
    def test_a_short_or_guessable_one_is_refused(self, tmp_path: Path, value: str) -> None:
        with pytest.raises(ConfigError, match="SECRET_KEY must be at least 32 random characters"):
            on_server(tmp_path, SECRET_KEY=value)
        with pytest.raises(ConfigError):
            read(tmp_path, SECRET_KEY=value)

    def test_older_ones_may_still_open_sessions(self, tmp_path: Path) -> None:
        assert read(tmp_path, SECRET_KEY_FALLBACKS="one,,two").secret_key_fallbacks == ("one", "two")


class TestEncryptionKeys:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (KEY, "key 1 needs an id before a colon"),
            (f":{KEY}", "key 1 needs an id"),
            (f"{'x' * 17}:{KEY}", "key 1 needs an id"),
            (f"a b:{KEY}", "key 1 needs an id"),
            (f"k1:{KEY},k2:", "key 2 is not 32 random bytes"),
            ("k1:hunter2", "key 1 is not 32 random bytes"),
            (f"k1:{base64.b64encode(bytes(32)).decode()}", "key 1 is not 32 random bytes"),
            (f"k1:{base64.b64encode(b'hunter2' * 3).decode()}", "key 1 is not 32 random bytes"),
            (f"k1:{base64.b64encode(hashlib.md5(b'short').digest()).decode()}", "key 1 is not 32 random bytes"),
            (f"k1:{KEY},k1:{KEY}", "the id of key 2 is used twice"),
            (",", "ENCRYPTION_KEYS is empty"),
        ],
    )
    def test_a_malformed_one_is_named_by_its_place(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(ConfigError) as caught:
            on_server(tmp_path, ENCRYPTION_KEYS=text)
        assert words in str(caught.value)
        assert KEY not in str(caught.value)
        assert "hunter2" not in str(caught.value)

    def test_several_are_kept_in_order(self) -> None:
        assert [key_id for key_id, _ in parse_encryption_keys(f"k-2:{KEY}, k_1:{OTHER_KEY}")] == ["k-2", "k_1"]

    @pytest.mark.parametrize("url", ["postgresql://u@h/d", "mysql://u@h/d", "mariadb://u@h/d"])
    @pytest.mark.parametrize("missing", ["SECRET_KEY", "ENCRYPTION_KEYS"])
    def test_a_server_database_without_keys_says_how_to_make_them(self, tmp_path: Path, url: str, missing: str) -> None:
        with pytest.raises(ConfigError, match=f"{missing} is not set.*Make one with: python -c"):
            on_server(tmp_path, url, **{missing: ""})
        assert not list(tmp_path.iterdir())

    def test_the_advice_makes_a_key_that_is_accepted(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(ConfigError) as caught:
            on_server(tmp_path, ENCRYPTION_KEYS="")
        exec(str(caught.value).split('python -c "')[1].removesuffix('"'))
        [(key_id, key)] = parse_encryption_keys(capsys.readouterr().out.strip())
        assert (key_id, len(key)) == ("k1", 32)


#: Four processes let loose at once on each of twenty new folders, forked from one that has no threads.
START_TOGETHER = """
import os, sys
from app.config import Config
for number in range(20):
    folder = os.path.join(sys.argv[1], str(number))
    waiting, go = os.pipe()
    children = []
    for _ in range(4):
        if child := os.fork():
            children.append(child)
            continue
        os.close(go)
        os.read(waiting, 1)
        config = Config.from_environment({"INSTANCE_PATH": folder})
        os.write(1, f"{number} {config.secret_key} {config.encryption_keys[0][1].hex()}\\n".encode())
        os._exit(0)
    os.close(go)
    os.close(waiting)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""


class TestEmbeddedKeys:
    def test_they_are_made_once_and_for_the_owner_alone(self, tmp_path: Path) -> None:
        folder = tmp_path / "instance"
        first, second = read(folder), read(folder)
        assert (first.secret_key, first.encryption_keys) == (second.secret_key, second.encryption_keys)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert sorted(path.name for path in folder.iterdir()) == ["encryption_keys", "secret_key"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

    def test_two_installations_have_different_ones(self, tmp_path: Path) -> None:
        first, second = read(tmp_path / "a"), read(tmp_path / "b")
        assert first.secret_key != second.secret_key
        assert first.encryption_keys != second.encryption_keys

    def test_processes_that_start_together_agree(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", START_TOGETHER, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        keys = [line.split() for line in done.stdout.splitlines()]
        assert len(keys) == 20 * 4
        assert len({tuple(each) for each in keys}) == 20, "the four of a folder have read the same"
        for folder in tmp_path.iterdir():
            assert sorted(path.name for path in folder.iterdir()) == ["encryption_keys", "secret_key"]


class TestNumbersAndWords:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DB_POOL_SIZE", "0"), ("DB_POOL_SIZE", "many"), ("DB_MAX_OVERFLOW", "-1"),
            ("SYSTEM_LOG_DAYS", "0"), ("DB_POOL_TIMEOUT_SECONDS", "0"),
            ("DB_POOL_RECYCLE_SECONDS", "1"), ("DB_CONNECT_TIMEOUT_SECONDS", "1e9"), ("DB_POOL_PRE_PING", "perhaps"),
            ("DISCOVERY_INTERVAL_SECONDS", "59"), ("LEASE_SECONDS", "1"), ("REGION_THREADS", "33"),
            ("SESSION_IDLE_SECONDS", "1.5"), ("SESSION_LIFETIME_SECONDS", "x"), ("TRUSTED_PROXIES", "11"),
            ("SECURE_COOKIES", "2"), ("SQL_ECHO", "?"), ("SPOTKEEPER_ENV", "staging"), ("LOG_LEVEL", "TRACE"),
            ("LOG_FORMAT", "xml"), ("TEMPLATE_URL", "http://b.s3.amazonaws.com/t"), ("TEMPLATE_URL", "https://example.com/t"),
            ("TEMPLATE_URL", "https://b.s3.amazonaws.com/" + "x" * 1024),
        ],
    )  # fmt: skip
    def test_a_value_out_of_range_is_refused_by_name(self, tmp_path: Path, name: str, value: str) -> None:
        with pytest.raises(ConfigError, match=f"^{name} must be"):
            read(tmp_path, **{name: value})

    def test_production_is_what_one_gets_without_asking(self, tmp_path: Path) -> None:
        config = read(tmp_path, SQL_ECHO="true")
        assert (config.environment, config.secure_cookies, config.sql_echo) == ("production", True, False)

    def test_sql_is_echoed_in_development_only(self, tmp_path: Path) -> None:
        assert read(tmp_path, SQL_ECHO="true", SPOTKEEPER_ENV="development").sql_echo

    def test_a_description_of_the_settings_shows_no_key(self, tmp_path: Path) -> None:
        text = repr(on_server(tmp_path, SECRET_KEY_FALLBACKS="oldsecret"))
        assert not any(secret in text for secret in (SECRET_KEY, KEY, "oldsecret"))

    def test_a_description_of_the_settings_shows_no_server_s_password(self, tmp_path: Path) -> None:
        config = on_server(tmp_path, "postgresql://u:hunter2@h/d", BROKER_URL="amqp://u:hunter2@h//")
        assert "hunter2" not in repr(config)

    def test_settings_do_not_change_under_way(self, tmp_path: Path) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            read(tmp_path).lease_seconds = 1  # type: ignore[misc]


class TestPool:
    def test_its_size_and_times_are_the_settings(self, tmp_path: Path) -> None:
        options = engine_options(
            on_server(
                tmp_path,
                DB_POOL_SIZE="3",
                DB_MAX_OVERFLOW="4",
                DB_POOL_RECYCLE_SECONDS="55",
                DB_POOL_TIMEOUT_SECONDS="6",
                DB_POOL_PRE_PING="no",
                DB_CONNECT_TIMEOUT_SECONDS="7",
            )
        )
        names = ("pool_size", "max_overflow", "pool_recycle", "pool_timeout", "pool_pre_ping")
        assert [options[name] for name in names] == [3, 4, 55, 6, False]
        assert options["connect_args"]["connect_timeout"] == 7

    @pytest.mark.parametrize("url", ["postgresql://u@h/d", "mysql://u@h/d", "sqlite:////tmp/x.db"])
    def test_parameters_are_never_shown(self, tmp_path: Path, url: str) -> None:
        assert engine_options(on_server(tmp_path, url))["hide_parameters"] is True

    @pytest.mark.parametrize("url", ["postgresql://u@h/d", "mysql://u@h/d"])
    def test_servers_read_what_is_committed(self, tmp_path: Path, url: str) -> None:
        assert engine_options(on_server(tmp_path, url))["isolation_level"] == "READ COMMITTED"


class TestEvents:
    @pytest.mark.parametrize(
        ("given", "used"),
        [
            ("https://spot.example", "https://spot.example"),
            ("https://spot.example:8443/console/", "https://spot.example:8443/console"),
        ],
    )
    def test_a_public_address_is_https(self, tmp_path: Path, given: str, used: str) -> None:
        assert read(tmp_path, PUBLIC_URL=given).public_url == used

    @pytest.mark.parametrize(
        "url", ["http://spot.example", "spot.example", "https://a.b/?x=1", "https://u:p@a.b", "https://a.b/'\n  X: '"]
    )
    def test_other_public_addresses_are_refused(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(ConfigError, match="PUBLIC_URL"):
            read(tmp_path, PUBLIC_URL=url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://sqs.eu-west-1.amazonaws.com/111122223333/spotkeeper-events",
            "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/events",
            "http://127.0.0.1:4566/111122223333/events",
        ],
    )
    def test_a_queue_is_in_aws_or_at_the_endpoint_of_the_environment(self, tmp_path: Path, url: str) -> None:
        found = read(tmp_path, EVENT_QUEUE_URL=url, AWS_ENDPOINT_URL="http://127.0.0.1:4566")
        assert found.event_queue_url == url

    @pytest.mark.parametrize(
        "url",
        [
            "http://sqs.eu-west-1.amazonaws.com/111122223333/events",
            "https://sqs.eu-west-1.amazonaws.com.evil.example/111122223333/events",
            "https://sqs.x.evil.example#.amazonaws.com/111122223333/events",
            "https://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:45667/111122223333/events",
            "events",
        ],
    )
    def test_a_queue_anywhere_else_is_refused(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(ConfigError, match="EVENT_QUEUE_URL"):
            read(tmp_path, EVENT_QUEUE_URL=url, AWS_ENDPOINT_URL="http://127.0.0.1:4566")
