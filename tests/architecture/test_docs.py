"""What can be set and typed is documented."""

from dataclasses import fields
from pathlib import Path

import click
import pytest
from flask import Flask

from app.config import Config

DOCS = Path(__file__).parents[2] / "docs"

#: Fields whose variable has another name than the field.
RENAMED = {"environment": "SPOTKEEPER_ENV"}


def settings() -> list[str]:
    return [RENAMED.get(field.name, field.name.upper()) for field in fields(Config)]


def commands(group: click.Group, words: str = "flask") -> list[str]:
    found = []
    for name, command in sorted(group.commands.items()):
        line = f"{words} {name}"
        found += commands(command, line) if isinstance(command, click.Group) else [line]
    return found


@pytest.mark.parametrize("name", settings())
def test_every_setting_is_described(name: str) -> None:
    assert f"`{name}`" in (DOCS / "configuration.md").read_text(), f"Describe `{name}` in docs/configuration.md"


def test_every_command_is_described(app: Flask) -> None:
    own = click.Group(commands={name: app.cli.commands[name] for name in app.cli.commands if name != "db"})
    text = (DOCS / "operations.md").read_text()
    missing = [line for line in commands(own) if line not in text]
    assert missing == [], "Describe these in docs/operations.md"
