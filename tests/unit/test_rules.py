"""The suite's own rules hold: no strangers on the network, no skipping where nothing may be skipped."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

ROOT = Path(__file__).parents[2]


class TestTheNetwork:
    def test_nothing_beyond_loopback_can_be_reached(self) -> None:
        with (
            socket.socket() as stranger,
            pytest.warns(UserWarning, match="tried to use"),
            pytest.raises(SocketConnectBlockedError),
        ):
            stranger.connect(("192.0.2.1", 80))

    def test_loopback_can(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as caller:
            caller.connect(server.getsockname())


class TestSkipping:
    @pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
    def test_it_fails_the_run_where_all_services_must_be_there(self, tmp_path: Path, ci: str, code: int) -> None:
        path = tmp_path / "test_it.py"
        path.write_text("import pytest\ndef test_it(): pytest.skip('no such service')\ndef test_other(): pass\n")
        command = [sys.executable, "-m", "pytest", "-p", "tests.skipping", "-p", "no:cacheprovider", "-rs", str(path)]
        environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        result = subprocess.run(
            [*command, f"--rootdir={tmp_path}"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert "no such service" in result.stdout
        assert ("skipped although CI=true" in result.stdout) == (ci == "true")
