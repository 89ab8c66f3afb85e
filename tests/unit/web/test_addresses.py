"""Which addresses are followed."""

import pytest

from app.web.addresses import local_path


@pytest.mark.parametrize("path", ["/", "/me", "/accounts?status=failed&q=a%20b", "/instances/12#tags", "/a//b", "/@x"])
def test_a_path_of_this_host_is_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "text",
    [None, "", "me", "//x", "/\\x", "https://x/", "javascript:x", "/a b", "/a\\b", "/\tx", "/x\n", "/" + "a" * 2000],
)
def test_anything_else_becomes_the_default(text: str | None) -> None:
    assert local_path(text, "/home") == "/home"
