"""The third-party files that pages load are the ones that were recorded, each with its license."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
VENDOR = APP / "static" / "vendor"
PACKAGES: list[dict[str, Any]] = json.loads((VENDOR / "vendor.json").read_text())["packages"]
FILES = {path: entry for package in PACKAGES for path, entry in package["files"].items()}
ICON_CALL = re.compile(r"""\bicon(?:\(|=)\s*["']([a-z0-9-]+)["']""")


class TestVendoredFiles:
    @pytest.mark.parametrize("path", sorted(FILES))
    def test_each_is_byte_for_byte_what_was_recorded(self, path: str) -> None:
        found = hashlib.sha256((VENDOR / path).read_bytes()).hexdigest()
        assert found == FILES[path]["sha256"], f"{path} was altered: run scripts/vendor.py instead of editing it"

    def test_none_is_present_without_being_listed(self) -> None:
        present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} - {"vendor.json"}
        assert present == set(FILES), "list the file in vendor.json, or delete it"

    @pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package["name"]))
    def test_each_package_has_a_version_a_license_and_its_text(self, package: dict[str, Any]) -> None:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert package["license"]
        texts = [path for path in package["files"] if path.endswith("/LICENSE")]
        assert len(texts) == 1
        assert len((VENDOR / texts[0]).read_text()) > 300

    def test_none_names_the_host_it_was_fetched_from(self) -> None:
        assert not re.search(r"https?://", (VENDOR / "vendor.json").read_text())

    def test_the_style_sheet_asks_for_the_typeface_by_its_hash(self) -> None:
        # The page preloads the same address; if the two differed the browser would fetch the typeface twice.
        asked = dict(re.findall(r'vendor/([^"?]+\.woff2)\?v=([0-9a-f]+)"', (APP / "static/css/base.css").read_text()))
        assert asked == {path: FILES[path]["sha256"][:12] for path in FILES if path.endswith(".woff2")}


class TestIcons:
    sprite = set(re.findall(r'<symbol [^>]*\bid="([^"]+)"', (VENDOR / "tabler-icons" / "sprite.svg").read_text()))

    def test_the_sprite_holds_exactly_the_recorded_ones(self) -> None:
        (recorded,) = [package["icons"] for package in PACKAGES if "icons" in package]
        assert self.sprite == set(recorded)

    def test_every_icon_that_a_template_or_a_view_names_is_in_the_sprite(self) -> None:
        sources = [*APP.glob("templates/**/*.html"), *APP.glob("web/**/*.py")]
        named = {name for source in sources for name in ICON_CALL.findall(source.read_text())}
        assert len(named) > 10
        assert named <= self.sprite, "add the name to vendor.json and run scripts/vendor.py"
