"""What a rule says: its parts as they are entered, checked and kept; pure."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.services.rules.conditions import ANY_END, Conditions, Field, dump_conditions, load_conditions

MAX_CONDITIONS = 10
MAX_VALUES = 100

#: As long as what is stored can be.
MAX_KEY, MAX_VALUE, MAX_OTHER = 128, 256, 64

_ACCOUNT = re.compile(r"[0-9]{12}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")

#: What a condition's values look like, for whoever enters them.
EXAMPLES = {
    Field.TAG: "team=build",
    Field.TYPE: "m5.*",
    Field.ACCOUNT: "123456789012",
    Field.IMAGE: "ami-0abc1234def567890",
    Field.SUBNET: "subnet-0abc1234def567890",
    Field.REGION: "eu-*",
    Field.LIFECYCLE: "spot",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContent:
    """All that a person says about a rule."""

    name: str
    conditions: Conditions
    owner_name: str
    owner_contact: str = ""
    note: str = ""
    expires_on: date | None = None

    def dump(self) -> dict[str, Any]:
        """As JSON can keep it."""
        return {
            "name": self.name,
            "conditions": dump_conditions(self.conditions),
            "owner_name": self.owner_name,
            "owner_contact": self.owner_contact,
            "note": self.note,
            "expires_on": self.expires_on.isoformat() if self.expires_on else None,
        }

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> "RuleContent":
        """As `dump` kept it."""
        expires_on = stored["expires_on"]
        return cls(
            name=stored["name"],
            conditions=load_conditions(stored["conditions"]),
            owner_name=stored["owner_name"],
            owner_contact=stored["owner_contact"],
            note=stored["note"],
            expires_on=date.fromisoformat(expires_on) if expires_on else None,
        )

    @property
    def digest(self) -> str:
        """The same for the same content: by which one knows what a preview was of."""
        return hashlib.sha256(json.dumps(self.dump(), sort_keys=True).encode()).hexdigest()[:16]


def check_values(field: Field, lines: Iterable[str]) -> tuple[str, ...]:
    """The values of a condition, one a line, without doubles and empty lines.

    Raises:
        ValueError: with a sentence for the person who entered them.
    """
    values = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not values:
        raise ValueError(f"Enter at least one value, one on each line, such as {EXAMPLES[field]}.")
    if len(values) > MAX_VALUES:
        raise ValueError(f"At most {MAX_VALUES} values; there are {len(values):,}.")
    for value in values:
        _check_value(field, value)
    return values


def check_fields(fields: Sequence[Field]) -> None:
    """Raises:
    ValueError: one that can be asked about once is there twice: both would have to hold.
    """
    if not fields:
        raise ValueError("Add at least one condition: a rule says what it is about.")
    if len(fields) > MAX_CONDITIONS:
        raise ValueError(f"At most {MAX_CONDITIONS} conditions.")
    twice = next((field for field in fields if field is not Field.TAG and fields.count(field) > 1), None)
    if twice is not None:
        raise ValueError(
            f"There are two conditions on the {twice.value}, and both would have to hold. "
            "Put the alternatives into one, each on a line of its own."
        )


def _check_value(field: Field, value: str) -> None:
    if _CONTROL.search(value):
        raise ValueError("A value has a control character in it. Type it anew.")
    if field is Field.ACCOUNT:
        if not _ACCOUNT.fullmatch(value):
            raise ValueError(f"“{value[:40]}” is no AWS account id: twelve digits, one on each line.")
        return
    if value == ANY_END:
        raise ValueError("“*” alone stands for everything. Leave the condition out instead.")
    if field is Field.TAG:
        key, _, wanted = value.partition("=")
        if not key:
            raise ValueError(f"“{value[:40]}” names no tag: write key, key=value or key=beginning*.")
        if len(key) > MAX_KEY or len(wanted) > MAX_VALUE:
            raise ValueError(f"A tag's key has at most {MAX_KEY} characters and its value at most {MAX_VALUE}.")
        if key != key.rstrip(" "):
            raise ValueError(f"“{value[:40]}”: take away the space before the equals sign.")
    elif len(value) > MAX_OTHER:
        raise ValueError(f"A value has at most {MAX_OTHER} characters.")
