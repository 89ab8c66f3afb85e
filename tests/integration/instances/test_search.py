"""The search box and the address: what is typed is read as it is meant, or refused with a reason; and written back."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import InvalidInputError
from app.models import User
from app.services.instances.address import ListAddress
from app.services.instances.filters import Criteria, InstanceFilters
from app.services.instances.search import read_search, write_search
from tests.factories import make_account, make_user


@pytest.fixture
def owner(app: Flask) -> Any:
    """Who owns `Shop production` (111111111111); somebody else owns `Warehouse`."""
    with app.app_context():
        owner = make_user("owner")
        make_account(owner, id=7, account_id="111111111111", account_name="Shop production")
        make_account(make_user("other"), account_id="222222222222", account_name="Warehouse")
        db.session.commit()
        yield db.session.scalars(sa.select(User).where(User.username == "owner")).one()


READ: list[tuple[str, InstanceFilters]] = [
    ("", InstanceFilters()),
    ("  web-1   i-0ab ", InstanceFilters(q=("web-1", "i-0ab"))),
    ('"two words" plain', InstanceFilters(q=("two words", "plain"))),
    (r'"say \"hi\" \\o/"', InstanceFilters(q=(r'say "hi" \o/',))),
    ('"=HYPERLINK(x)" "-1" "state:running"', InstanceFilters(q=("=HYPERLINK(x)", "-1", "state:running"))),
    ("team=data", InstanceFilters(tag=("team=data",))),
    ('team="data platform" "cost center"=x', InstanceFilters(tag=("team=data platform", "cost center=x"))),
    ("url=https://a.b/?c=d team=", InstanceFilters(tag=("url=https://a.b/?c=d", "team="))),
    ("tag:team tag:env=dev", InstanceFilters(tag=("team", "env=dev"))),
    ('tag:"cost center"', InstanceFilters(tag=("cost center",))),
    ("state:Running STATE:stopped,pending", InstanceFilters(state=("running", "stopped", "pending"))),
    (
        "region:eu-west-1 type:m5.large lifecycle:spot auth:unauthorized",
        InstanceFilters(region=("eu-west-1",), type=("m5.large",), lifecycle=("spot",), auth_status=("unauthorized",)),
    ),
    ("account:111111111111", InstanceFilters(account=("7",))),
    ('account:"shop PRODUCTION"', InstanceFilters(account=("7",))),
    ("account:7", InstanceFilters(account=("7",))),
    (
        '-state:terminated -team=web -tag:old -web -"db 1"',
        InstanceFilters(
            excluded=Criteria(state=("terminated",), tag=("team=web", "old"), q=("web", "db 1")),
        ),
    ),
    ("10.0.1. web1:8080", InstanceFilters(q=("10.0.1.", "web1:8080"))),
]

REFUSED = [
    ('name "half', "before half is not closed"),
    ("color:red", "color: is no filter"),
    ("state:", "as in state:running"),
    ("auth:maybe", "authorized or unauthorized, not maybe"),
    ("account:nobody", "no account with the name or id nobody"),
    ("account:Warehouse", "no account with the name or id Warehouse"),
    ("account:222222222222", "no account with the name or id 222222222222"),
    ("tag:", "as in tag:team"),
    ("=x", "A tag is written key=value"),
    ("web -", "after the minus"),
    ('""', "nothing between the quotes"),
    ("x" * 301, "at most 300 characters"),
    ("x " * 21, "at most 20 words"),
    ("x" * 1001, "at most 1,000 characters"),
    ("account:\0", "no account's name"),
    ("a\0b", "printable"),
]


class TestTheSearchBox:
    @pytest.mark.parametrize(("text", "expected"), READ)
    def test_it_reads_what_is_meant(self, owner: User, text: str, expected: InstanceFilters) -> None:
        assert read_search(owner, text, InstanceFilters()) == expected

    @pytest.mark.parametrize(("text", "message"), REFUSED)
    def test_what_cannot_be_read_says_why(self, owner: User, text: str, message: str) -> None:
        with pytest.raises(InvalidInputError, match=message):
            read_search(owner, text, InstanceFilters())

    @pytest.mark.parametrize("word", ["web", "two words", '"', "\\", "-x", "a=b", "state:x", "=1+1", "é", ",", 'a"b'])
    def test_words_are_written_so_that_they_are_read_again(self, owner: User, word: str) -> None:
        filters = InstanceFilters(q=("first", word), excluded=Criteria(q=(word,)))
        assert read_search(owner, write_search(filters), InstanceFilters()) == filters


class TestTheAddress:
    def test_what_is_written_is_read_again(self, owner: User) -> None:
        params = {
            "state": ["running", "stopped"],
            "-region": ["eu-west-1"],
            "tag": ["team=data"],
            "-tag": ["env"],
            "q": ['web -"db 1"'],
            "sort": ["-launched"],
            "column": ["name", "tag:team"],
        }
        address = ListAddress.parse(owner, params)
        assert address.to_params() == params
        assert ListAddress.parse(owner, address.to_params()) == address

    def test_words_that_name_a_filter_become_it(self, owner: User) -> None:
        address = ListAddress.parse(owner, {"q": ["state:running web team=data"], "state": ["stopped"]})
        assert address.to_params() == {"state": ["stopped", "running"], "tag": ["team=data"], "q": ["web"]}
        assert address.without("state", "running").without("q", "web").to_params() == {
            "state": ["stopped"],
            "tag": ["team=data"],
        }

    def test_what_cannot_be_read_is_kept_as_it_was_typed(self, owner: User) -> None:
        address = ListAddress.parse(owner, {"q": ['state:running "half'], "region": ["eu-west-1"]})
        assert (address.typed, address.filters) == ('state:running "half', InstanceFilters(region=("eu-west-1",)))
        assert "not closed" in address.error
        assert address.without("region", "eu-west-1").to_params() == {"q": ['state:running "half']}

    def test_nonsense_is_left_out(self, owner: User) -> None:
        params = {
            "sort": ["-nothing"],
            "column": ["x", "name", "name", "tag:", "tag:\0"],
            "state": ["", "\0"],
            "z": ["1"],
        }
        assert ListAddress.parse(owner, params).to_params() == {"column": ["name"]}
