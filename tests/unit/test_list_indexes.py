"""The list names the indexes that its pages are found by; MariaDB is told them by name."""

from typing import cast

import pytest
import sqlalchemy as sa

from app.models import Instance
from app.services.instances.columns import SORTS
from app.services.instances.ways import INDEXES, KINDS, NAMES

TABLE = cast("sa.Table", Instance.__table__)
COLUMNS = {index.name: [column.name for column in index.columns] for index in TABLE.indexes}


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_has_an_index_that_ends_in_the_id(sort: str) -> None:
    assert COLUMNS[INDEXES[sort]] == [SORTS[sort].key, "id"]


def test_each_account_has_its_kinds_and_names_together() -> None:
    assert COLUMNS[KINDS][0] == "account_id"
    assert COLUMNS[NAMES] == ["account_id", "name_key", "id"]
