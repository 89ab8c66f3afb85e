"""Options of select fields and radio buttons, in the shape that WTForms wants and its type stubs do not know yet."""

from collections.abc import Iterable
from typing import Any

from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]


def choices(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """Options from pairs of value and label."""
    return [SelectChoice(value, label) for value, label in pairs]
