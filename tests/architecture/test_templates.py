"""Templates and style sheets: nothing inline, nothing from another host."""

import re
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
TEMPLATES = sorted(str(path.relative_to(APP)) for path in (APP / "templates").rglob("*.html"))
SHEETS = sorted(str(path.relative_to(APP)) for path in (APP / "static" / "css").rglob("*.css"))

FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a <style> element": re.compile(r"<style\b", re.IGNORECASE),
    "an inline handler": re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "an hx-on handler": re.compile(r"\shx-on", re.IGNORECASE),
    "a script without src": re.compile(r"<script\b(?![^>]*\bsrc\s*=)", re.IGNORECASE),
    "something from another host": re.compile(
        r"""\b(?:src|srcset|action|data)\s*=\s*["']?(?:https?:)?//""", re.IGNORECASE
    ),
    "a style sheet of another host": re.compile(r"""<link\b[^>]*href\s*=\s*["']?(?:https?:)?//""", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "unescaped output": re.compile(r"\|\s*safe\b|\{%-?\s*autoescape\s+false", re.IGNORECASE),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_nothing_inline_and_nothing_foreign(name: str) -> None:
    text = re.sub(r"\{#.*?#\}", "", (APP / name).read_text(), flags=re.DOTALL)
    found = {what: match[0] for what, pattern in FORBIDDEN.items() if (match := pattern.search(text))}
    assert found == {}


@pytest.mark.parametrize("name", SHEETS)
def test_a_style_sheet_loads_nothing_foreign(name: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (APP / name).read_text(), flags=re.DOTALL)
    assert re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", text) is None


def test_the_patterns_find_what_they_are_for() -> None:
    bad = {
        "an inline style": '<p style="color:red">',
        "an inline handler": '<button type="button" onclick="x()">',
        "a script without src": "<script>alert(1)</script>",
        "something from another host": '<img src="https://cdn.example/x.png">',
        "a style sheet of another host": '<link rel="stylesheet" href="//cdn.example/x.css">',
        "unescaped output": "{{ value|safe }}",
    }
    assert [what for what, text in bad.items() if not FORBIDDEN[what].search(text)] == []
