"""Nothing may be skipped where CI=true: there all services must be, and a test without its own is a failure."""

import os
from typing import Any

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if _skipped and os.environ.get("CI") == "true" and not is_worker and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _skipped and os.environ.get("CI") == "true":
        terminalreporter.section("skipped although CI=true", red=True, bold=True)
        for nodeid in _skipped:
            terminalreporter.line(f"{nodeid}: start the service it needs; nothing may be skipped here", red=True)
