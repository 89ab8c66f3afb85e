"""Loads as much of botocore's descriptions of services as is called here; imports botocore.

EC2 has 750 operations, and of them a worker calls a handful. The whole description takes 16 MB and a tenth of a second,
and each client that is made gets a method for every operation. So only the operations below are taken from it, with the
shapes that they speak of, as they stand in botocore's own file: a test compares them with the whole.
"""

import gzip
import json
import os
import re
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any, cast

from botocore.loaders import JSONFileLoader, Loader, create_loader

from app.aws.grants import ALL_GRANTS, ec2_actions

#: By service, what is called of it: whatever an account may grant. Of services that are not here all is loaded.
OPERATIONS = {"ec2": tuple(action.removeprefix("ec2:") for action in ec2_actions(ALL_GRANTS))}

_MEMBER = re.compile(rb'\n    "(\w+)":')
_SHAPE = re.compile(rb'"shape":"(\w+)"')


@cache
def shared_loader() -> Loader:
    """One for all sessions: what it has read it keeps, and every session would read the same."""
    loader: Loader = create_loader(os.environ.get("AWS_DATA_PATH"))
    loader.file_loader = _FileLoader()
    return loader


class _FileLoader(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:
        path = Path(f"{file_path}.json.gz")
        operations = OPERATIONS.get(path.parts[-3]) if path.name == "service-2.json.gz" else None
        found = _part(gzip.decompress(path.read_bytes()), operations) if operations and path.is_file() else None
        return super().load_file(file_path) if found is None else found


def _part(text: bytes, operations: tuple[str, ...]) -> dict[str, Any] | None:
    """The description with these operations alone; None where it is not laid out as botocore lays it out."""
    try:
        offered, begin, _ = _section(text, b"operations")
        shapes, _, end = _section(text, b"shapes")
        chosen = {name: text[offered[name]] for name in (name.encode() for name in operations)}
        wanted: dict[bytes, bytes] = {}
        names = {name for definition in chosen.values() for name in _SHAPE.findall(definition)}
        while names:
            wanted |= {name: text[shapes[name]] for name in names}
            names = {name for known in names for name in _SHAPE.findall(wanted[known])} - wanted.keys()
    except (KeyError, ValueError):
        return None
    parts = (text[:begin], b'"operations":', _object(chosen), b',"shapes":', _object(wanted), text[end:])
    return cast("dict[str, Any]", json.loads(b"".join(parts), object_pairs_hook=OrderedDict))


def _section(text: bytes, name: bytes) -> tuple[dict[bytes, slice], int, int]:
    """Where each member of a section stands, and where the section itself begins and ends.

    Sections are indented by two spaces, their members by four, and no text of JSON holds a line break.
    Raises ValueError where there is no such section.
    """
    begin = text.index(b'\n  "' + name + b'":{')
    end = text.index(b"\n  }", begin)
    marks = list(_MEMBER.finditer(text, begin, end))
    stops = [*(mark.start() - len(b",") for mark in marks[1:]), end]
    places = {mark[1]: slice(mark.end(), stop) for mark, stop in zip(marks, stops, strict=True)}
    return places, begin, end + len(b"\n  }")


def _object(members: dict[bytes, bytes]) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % pair for pair in members.items()) + b"}"
