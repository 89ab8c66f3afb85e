"""Reading a pasted list of accounts: a role ARN or an account id a line, and perhaps a name; no database in here."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from app.aws.formats import ACCOUNT_ID, DEFAULT_ROLE_NAME, RoleArn, check_account_id, parse_role_arn

#: So many are entered at once: what one template can hold, and one request can write within a second or two.
MOST_LINES = 200
NAME_LENGTH = 128
HEADS = frozenset({"arn", "role_arn", "role arn", "account", "account_id", "account id", "id"})


@dataclass(frozen=True, slots=True)
class GoodLine:
    """An account to be entered."""

    number: int
    text: str
    role: RoleArn
    name: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """What cannot be entered, and why."""

    number: int
    text: str
    reason: str


def read_list(text: str, partition: str = "aws") -> tuple[Sequence[GoodLine], Sequence[BadLine]]:
    """Take a list apart, losing nothing but blank lines, comments (#) and a heading.

    A line is `arn`, `arn,name` or the same with an account id, whose role is then the template's in `partition`. The
    second line about an account is a bad one.
    """
    good: list[GoodLine] = []
    bad: list[BadLine] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#") or (not seen and not bad and _is_heading(line)):
            continue
        try:
            read = _read_line(number, line.strip(), partition)
            if (before := seen.get(read.role.account_id)) is not None:
                raise ValueError(f"The same account as in line {before}.")
            if len(good) >= MOST_LINES:
                raise ValueError(f"More than {MOST_LINES} accounts: enter the rest as another list.")
        except ValueError as error:
            bad.append(BadLine(number, line.strip()[:1000], str(error)))
            continue
        seen[read.role.account_id] = number
        good.append(read)
    return good, bad


def _is_heading(line: str) -> bool:
    return line.split(",")[0].strip().strip('"').casefold() in HEADS


def _read_line(number: int, line: str, partition: str) -> GoodLine:
    if any(not character.isprintable() and character != "\t" for character in line):
        raise ValueError("A character that cannot be seen is in it. Type the line anew.")
    try:
        # As spreadsheets copy it, too: cells with tabs between.
        cells = next(csv.reader([line], delimiter="\t" if "\t" in line else ",", strict=True, skipinitialspace=True))
    except csv.Error:
        raise ValueError("The quotation marks do not match.") from None
    first, name = cells[0].strip(), " ".join(" ".join(cells[1:2]).split())
    if any(cell.strip() for cell in cells[2:]):
        raise ValueError("There is more than an ARN and a name. A name with a comma goes into quotation marks.")
    if len(name) > NAME_LENGTH:
        raise ValueError(f"The name has more than {NAME_LENGTH} characters.")
    digits = first.replace("-", "")
    if digits.isascii() and digits.isdigit():
        role = RoleArn(partition, check_account_id(first), "/", DEFAULT_ROLE_NAME)
    else:
        role = parse_role_arn(first)
    assert ACCOUNT_ID.fullmatch(role.account_id)
    return GoodLine(number, line, role, name or role.account_id)
