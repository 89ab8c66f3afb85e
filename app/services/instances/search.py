"""What is typed into the search box: read into filters, and written again as it would be typed.

web-1 "two words"            name, id or address, whole or by its beginning
team=data team="data team"   a tag; tag:team asks only whether it is there
state:running type:m5.large  a filter; state:running,stopped is either
-state:terminated -env=dev   a minus leaves out
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from app.database import db
from app.errors import InvalidInputError
from app.models import Account, User
from app.models.types import AuthStatus
from app.services.instances.filters import MAX_LENGTH, MAX_VALUES, NOT, InstanceFilters, as_id, is_storable
from app.services.scope import visible_accounts

#: The words before a colon, and the filters that they mean.
WORDS = {
    "account": "account",
    "region": "region",
    "state": "state",
    "lifecycle": "lifecycle",
    "type": "type",
    "auth": "auth_status",
    "tag": "tag",
}
#: Longer texts are nobody's search, and each word costs a look into an index.
MAX_TEXT = 1000
MAX_TERMS = 20

_AWS_ID = re.compile(r"\d{12}", re.ASCII)
#: Quoted where it would not be read as the same word again.
_PLAIN = re.compile(r'[^\s":=,-][^\s":=]*')


@dataclass(frozen=True, slots=True)
class _Term:
    """What stands between two spaces: `operator` is `:`, `=` or nothing, and only unquoted ones count."""

    is_excluded: bool
    left: str
    operator: str
    right: str


def read_search(viewer: User, text: str, filters: InstanceFilters) -> InstanceFilters:
    """The filters with those that the text asks for.

    Raises:
        InvalidInputError: it cannot be read; the message says which part, and how to write it.
    """
    if len(text) > MAX_TEXT:
        raise _unreadable(f"A search has at most {MAX_TEXT:,} characters.")
    terms = list(_terms(text))
    if len(terms) > MAX_TERMS:
        raise _unreadable(f"A search has at most {MAX_TERMS} words.")
    for term in terms:
        name, values = _meaning(viewer, term)
        if not all(map(is_storable, values)):
            raise _unreadable(f"A word has at most {MAX_LENGTH} characters, all of them printable.")
        if term.is_excluded:
            filters = replace(filters, excluded=filters.excluded.adding(name, *values))
        else:
            filters = filters.adding(name, *values)
    return filters


def write_search(filters: InstanceFilters) -> str:
    """The words for names, ids and addresses as they would be typed; the other filters have places of their own."""
    return " ".join([*map(_quoted, filters.q), *(NOT + _quoted(each) for each in filters.excluded.q)])


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _terms(text: str) -> Iterator[_Term]:
    """Take the text apart at its spaces, but for quoted ones; `\\"` in quotes is a quotation mark."""
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        is_excluded = text[at] == NOT
        at += is_excluded
        began, operator, parts = at, "", [""]
        while at < end and not text[at].isspace():
            if text[at] == '"':
                inside, at = _read_quoted(text, at)
                parts[-1] += inside
            elif text[at] in ":=" and not operator and (text[at] == "=" or _may_be_word(text[began:at])):
                operator = text[at]
                parts.append("")
                at += 1
            else:
                parts[-1] += text[at]
                at += 1
        if at == began:
            raise _unreadable("Say after the minus what to leave out, as in -state:terminated.")
        yield _Term(is_excluded, parts[0], operator, parts[1] if operator else "")


def _read_quoted(text: str, at: int) -> tuple[str, int]:
    found = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, at)
    if found is None:
        raise _unreadable(f"The quotation mark before {text[at + 1 : at + 21] or 'the end'} is not closed.")
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL), found.end()


def _may_be_word(text: str) -> bool:
    """Whether a colon after it makes it a filter's name; what holds quotes or signs is part of a name."""
    return text.isalpha()


def _meaning(viewer: User, term: _Term) -> tuple[str, list[str]]:
    """The name of the filter and its values."""
    if not term.operator:
        return "q", [_said(term.left, term)]
    if term.operator == "=":
        if not term.left:
            raise _unreadable('A tag is written key=value. To search for a name that begins with "=", quote it.')
        return "tag", [f"{term.left}={term.right}"]
    word = term.left.lower()
    if word not in WORDS:
        known = ", ".join(f"{each}:" for each in WORDS)
        raise _unreadable(f"{term.left}: is no filter ({known} are). If it is part of a name, put it in quotes.")
    if word == "tag":
        return "tag", [_said(term.right, term)]
    values = [each.strip() for each in term.right.split(",") if each.strip()]
    if not values:
        raise _unreadable(f"Say what {word}: should be, as in {word}:{_EXAMPLES[word]}.")
    if word == "account":
        return "account", [found for each in values for found in _find_accounts(viewer, each)]
    values = [each.lower() for each in values]
    if word == "auth" and (strange := [each for each in values if each not in set(AuthStatus)]):
        raise _unreadable(f"auth: is authorized or unauthorized, not {strange[0]}.")
    return WORDS[word], values


_EXAMPLES = {
    "account": "123456789012",
    "region": "eu-west-1",
    "state": "running",
    "lifecycle": "spot",
    "type": "m5.large",
    "auth": "unauthorized",
}


def _said(text: str, term: _Term) -> str:
    if not text.strip():
        raise _unreadable(
            "Say which tag to look for, as in tag:team." if term.operator else "There is nothing between the quotes."
        )
    return text.strip()


def _find_accounts(viewer: User, text: str) -> list[str]:
    """The keys of the accounts with this AWS id, or with this name in whatever case."""
    if not is_storable(text):
        raise _unreadable("This is no account's name.")
    is_meant = (
        Account.account_id == text if _AWS_ID.fullmatch(text) else sa.func.lower(Account.account_name) == text.lower()
    )
    if (by_key := as_id(text)) is not None:
        is_meant = sa.or_(is_meant, Account.id == by_key)
    found = db.session.scalars(
        sa.select(Account.id).where(visible_accounts(viewer), is_meant).order_by(Account.id).limit(MAX_VALUES)
    )
    keys = [str(each) for each in found]
    if not keys:
        raise _unreadable(f"There is no account with the name or id {text}.")
    return keys


def _unreadable(message: str) -> InvalidInputError:
    return InvalidInputError(message, field="q")
