"""What is loaded of botocore's descriptions is what botocore has, no less."""

from pathlib import Path

import pytest
from botocore.loaders import Loader

from app.aws.service_models import OPERATIONS, shared_loader

WHOLE = Loader()


def of(definition: object) -> set[str]:
    """The shapes that a definition speaks of."""
    if isinstance(definition, list):
        return {name for each in definition for name in of(each)}
    if not isinstance(definition, dict):
        return set()
    named = {definition["shape"]} if isinstance(definition.get("shape"), str) else set()
    return named | {name for each in definition.values() for name in of(each)}


@pytest.mark.parametrize("service", OPERATIONS)
class TestAPart:
    def test_it_has_the_operations_that_are_called_and_no_others(self, service: str) -> None:
        part, whole = (each.load_service_model(service, "service-2") for each in (shared_loader(), WHOLE))
        assert part["operations"] == {name: whole["operations"][name] for name in OPERATIONS[service]}

    def test_it_has_every_shape_of_theirs_as_botocore_has_it(self, service: str) -> None:
        part, whole = (each.load_service_model(service, "service-2") for each in (shared_loader(), WHOLE))
        wanted: set[str] = set()
        names = of(part["operations"])
        while names:
            wanted |= names
            names = {name for known in names for name in of(whole["shapes"][known])} - wanted
        assert part["shapes"] == {name: whole["shapes"][name] for name in wanted}

    def test_the_rest_is_there(self, service: str) -> None:
        part, whole = (each.load_service_model(service, "service-2") for each in (shared_loader(), WHOLE))
        sections = {"operations", "shapes"}
        assert {k: v for k, v in part.items() if k not in sections} == {
            k: v for k, v in whole.items() if k not in sections
        }


def test_another_layout_is_loaded_whole(tmp_path: Path) -> None:
    """Whoever brings a description of his own (AWS_DATA_PATH) need not lay it out as botocore does."""
    folder = tmp_path / "ec2" / "2016-11-15"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"operations": {"Other": {}}, "shapes": {}}')
    found = shared_loader().file_loader.load_file(str(folder / "service-2"))
    assert found == {"operations": {"Other": {}}, "shapes": {}}


def test_services_that_are_not_listed_are_loaded_whole() -> None:
    assert shared_loader().load_service_model("sts", "service-2") == WHOLE.load_service_model("sts", "service-2")
