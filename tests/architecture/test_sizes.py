"""No module grows without end, and none is named for holding anything."""

from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
LONGEST = 300
NOT_A_NOUN = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "views", "models", "service"}


def modules() -> list[str]:
    return sorted(str(path.relative_to(APP)) for path in APP.rglob("*.py"))


@pytest.mark.parametrize("name", modules())
def test_a_module_has_at_most_300_lines(name: str) -> None:
    lines = len((APP / name).read_text().splitlines())
    assert lines <= LONGEST, f"app/{name} has {lines} lines: split it by deed, as in services/runs/{{claim,finish}}.py"


@pytest.mark.parametrize("name", modules())
def test_a_module_is_named_for_what_it_is_about(name: str) -> None:
    assert Path(name).stem not in NOT_A_NOUN, f"app/{name}: name it for its noun"


@pytest.mark.parametrize("name", modules())
def test_a_module_says_what_belongs_in_it(name: str) -> None:
    assert (APP / name).read_text().lstrip().startswith('"""'), f"app/{name}: begin with one sentence in a docstring"
