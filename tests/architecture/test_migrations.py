"""Revisions are numbered without a gap, in one line, and each says in one sentence what it brings."""

import re

import pytest
from alembic.config import Config as AlembicConfig
from alembic.script import Script, ScriptDirectory

from app import MIGRATIONS


def scripts() -> list[Script]:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    return list(ScriptDirectory.from_config(config).walk_revisions())[::-1]


def test_there_is_one_head() -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def test_they_are_numbered_from_one_without_a_gap() -> None:
    assert [script.revision for script in scripts()] == [f"{n:04}" for n in range(1, len(scripts()) + 1)]


def test_every_file_belongs_to_a_revision() -> None:
    assert len(list((MIGRATIONS / "versions").glob("*.py"))) == len(scripts())


@pytest.mark.parametrize("script", scripts(), ids=lambda script: str(script.revision))
def test_a_file_is_named_for_its_number_and_what_it_makes(script: Script) -> None:
    assert re.fullmatch(rf"{script.revision}_[a-z0-9_]+\.py", script.path.rsplit("/", 1)[1])


@pytest.mark.parametrize("script", scripts(), ids=lambda script: str(script.revision))
def test_a_revision_says_what_it_brings_and_can_be_taken_back(script: Script) -> None:
    assert script.doc.strip().endswith(".")
    assert callable(script.module.upgrade)
    assert script.module.downgrade.__code__.co_code != (lambda: None).__code__.co_code, "write the downgrade"
