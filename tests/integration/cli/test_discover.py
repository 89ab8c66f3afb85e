"""`flask discover`, as typed and as a script calls it."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.config import Config
from app.database import db
from app.models import Account, Run, User
from app.models.types import RunState
from app.services.runs import claim
from demo.aws.cloud import SimulatedAws
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import AWAY, HOME
from tests.integration.runs.conftest import Start, environment_of, wait_for
from tests.jobs import run_jobs

ROOT = Path(__file__).parents[3]


def run(app: Flask, *words: str) -> tuple[int, str, str]:
    """The exit code, what went to stdout, and to stderr."""
    result = app.test_cli_runner().invoke(args=["discover", *words])
    return result.exit_code, result.stdout, result.stderr


def run_of(app: Flask, account: Account) -> Run:
    with app.app_context():
        found = db.session.scalars(sa.select(Run).where(Run.account_id == account.id).order_by(Run.id.desc())).first()
        assert found
        db.session.expunge(found)
    return found


class TestAnAccountReadHere:
    def test_it_says_in_one_line_what_it_found(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        fleet.run_instances(AWS_ID, HOME, 2)
        code, output, errors = run(app, AWS_ID, "--here")
        assert code == 0, output + errors
        assert output.startswith(f"{AWS_ID} Production: 2 of 2 regions, 21 instances, 2 new, 0 changed, 0 vanished in ")
        assert errors == "", "quiet where nobody looks"

    def test_it_may_be_named_by_its_row(self, app: Flask, account: Account) -> None:
        assert run(app, str(account.id), "--here")[0] == 0

    def test_json_is_one_document(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        fleet.deny_region(AWS_ID, AWAY)
        code, output, _ = run(app, AWS_ID, "--here", "--json")
        told = json.loads(output)
        assert (code, told["exit_code"]) == (3, 3), "a region was not read"
        (one,) = told["accounts"]
        assert one.pop("seconds") > 0
        assert one == {
            "account_id": AWS_ID,
            "account_name": "Production",
            "run_id": run_of(app, account).id,
            "state": "succeeded",
            "regions_read": 1,
            "regions_enabled": 2,
            "instances_seen": 12,
            "instances_added": 0,
            "instances_changed": 0,
            "instances_vanished": 0,
            "unread": {AWAY: "denied_scp"},
            "error_code": None,
            "error_message": "",
        }

    def test_one_that_cannot_be_read_has_failed(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        fleet.faults.add("denied", action="AssumeRole")
        code, output, _ = run(app, AWS_ID, "--here")
        assert code == 1
        assert "failed (access_denied)" in output

    def test_all_are_read_and_the_worst_is_told(
        self, app: Flask, account: Account, fleet: SimulatedAws, client2: User
    ) -> None:
        other = "234567890123"
        fleet.run_instances(other, HOME, 3)
        connected(app, fleet, client2, other)
        run_jobs(app)
        assert run(app, "--all", "--here")[0] == 0
        fleet.deny_region(other, AWAY)
        fleet.faults.add("denied", action="AssumeRole", account_id=AWS_ID)
        code, output, _ = run(app, "--all", "--here", "--json")
        states = {one["account_id"]: one["state"] for one in json.loads(output)["accounts"]}
        assert (code, states) == (1, {AWS_ID: "failed", other: "succeeded"})

    def test_it_goes_to_the_log(self, app: Flask, account: Account) -> None:
        from app.models import SystemLog

        run(app, AWS_ID, "--here")
        with app.app_context():
            message = f"Discovery of {AWS_ID} requested from the shell"
            assert db.session.scalar(sa.select(sa.func.count()).where(SystemLog.message == message)) == 1


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "Name one account, or say --all."),
            ((AWS_ID, "--all"), "Name one account, or say --all."),
            (("999999999999",), "There is no account 999999999999."),
            (("production",), "Name an account by its AWS account id (12 digits) or the id of its row."),
            (("١٢٣٤٥٦٧٨٩٠١٢",), "Name an account by its AWS account id"),
            (("99999999999999999999",), "Name an account by its AWS account id"),
        ],
    )
    def test_it_is_said_with_2(self, app: Flask, words: tuple[str, ...], message: str) -> None:
        code, _, errors = run(app, *words)
        assert code == 2
        assert message in errors

    def test_an_account_that_is_not_connected(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        connected(app, aws, client1)  # and not verified yet
        code, _, errors = run(app, AWS_ID)
        assert code == 2
        assert "not connected (pending)" in errors

    def test_no_account_at_all_is_all_of_them(self, app: Flask) -> None:
        assert run(app, "--all", "--json")[:2] == (0, '{\n  "exit_code": 0,\n  "accounts": []\n}\n')


class TestWaiting:
    def test_without_a_worker_the_job_stays_queued(self, app: Flask, account: Account) -> None:
        code, output, errors = run(app, AWS_ID, "--timeout", "0.1")
        assert code == 4
        assert output == f"{AWS_ID} Production: not over yet (queued)\n"
        assert errors == "1 of 1 discoveries stay queued; the workers go on with them.\n"
        assert run_of(app, account).state is RunState.QUEUED

    def test_it_says_what_may_be_missing(self, app: Flask, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.cli.discover.WORKERS_EXPECTED_WITHIN", 0)
        assert "Is `flask worker` running?" in run(app, AWS_ID, "--timeout", "1")[2]

    def test_one_that_is_under_way_is_joined(self, app: Flask, account: Account) -> None:
        run(app, AWS_ID, "--timeout", "0.1")
        waiting = run_of(app, account)
        with app.app_context():
            assert claim(waiting.id, "another", seconds=30)
        code, output, _ = run(app, AWS_ID, "--here", "--timeout", "0.5")
        assert (code, run_of(app, account).id) == (4, waiting.id)
        assert "not over yet (running)" in output
        assert run_of(app, account).worker == "another", "what others hold is not given back"

    def test_the_workers_do_it(
        self, app: Flask, account: Account, config: Config, start: Start, aws_environment: dict[str, str]
    ) -> None:
        start(config, "real", **aws_environment)
        code, output, errors = run(app, AWS_ID, "--timeout", "90")
        assert code == 0, output + errors
        assert run_of(app, account).worker.startswith("test-")


class TestARealProcess:
    def test_ctrl_c_leaves_the_job_queued_and_says_so(
        self, app: Flask, account: Account, fleet: SimulatedAws, config: Config, aws_environment: dict[str, str]
    ) -> None:
        fleet.faults.add("hang", action="DescribeInstances", seconds=600)
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "discover", AWS_ID, "--here", "--json"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environment_of(config, **aws_environment), cwd=ROOT, **pipes) as process:
            try:
                wait_for(lambda: (run := run_of(app, account)).state is RunState.RUNNING and run.progress_total == 2)
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 130, errors
        assert "1 of 1 discoveries stay queued" in errors
        assert json.loads(output)["exit_code"] == 130
        left = run_of(app, account)
        assert (left.state, left.attempt, left.token) == (RunState.QUEUED, 0, None)
        fleet.faults.clear()
        run_jobs(app)
        assert run_of(app, account).state is RunState.SUCCEEDED
