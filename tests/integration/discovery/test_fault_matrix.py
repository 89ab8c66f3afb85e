"""Each row of the fault matrix: nothing lost, doubled or invented, the truth told, and healed by itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.aws.server import AwsServer
from tests.conftest import make_app, make_config
from tests.fakes.aws import simulation
from tests.integration.discovery.fault_matrix import ROWS, Row
from tests.integration.discovery.fault_runs import PAGE_SIZE, FaultedAccount


@pytest.fixture(scope="module")
def faulted(
    aws_server: AwsServer, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultedAccount]:
    """One account for all rows: each leaves it as it was, and that is part of what is shown."""
    folder = tmp_path_factory.mktemp("faulted")
    shutil.copyfile(migrated_database, folder / "spotkeeper.db")
    with pytest.MonkeyPatch.context() as patch, simulation(aws_server, patch) as aws:
        patch.setattr("app.aws.ec2.PAGE_SIZE", PAGE_SIZE)
        yield FaultedAccount(make_app(make_config(folder, aws_calls_per_hour=0)), aws)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_nothing_is_lost_and_the_truth_is_told(faulted: FaultedAccount, row: Row) -> None:
    seen = faulted.run(row)
    assert seen.problems == []


def test_there_are_enough_of_them() -> None:
    assert len(ROWS) >= 34
    assert len({row.name for row in ROWS}) == len(ROWS)
