"""What the tests of the account pages share: reading a page, and rows to show on it."""

import re
from typing import Any

from flask import Flask

from app.database import db
from app.models import Account, Run, User
from tests.client import Page, text_of
from tests.factories import make_account
from tests.integration.customers import AWS_ID

MISSING = 4242


SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


KEY_ID = "AKIAIOSFODNN7EXAMPLE"


ROLE_ENTRY = {"account_name": "Production", "account_id": AWS_ID, "partition": "aws"}
OTHER_ID = "210987654321"


def path(account: Account | int, page: str = "") -> str:
    number = account if isinstance(account, int) else account.id
    return f"/accounts/{number}" + (f"/{page}" if page else "")


def seed(app: Flask, user: User, **values: Any) -> Account:
    with app.app_context():
        account = make_account(user, **values)
        db.session.commit()
        db.session.refresh(account)
        db.session.expunge(account)
    return account


def names(page: Page) -> list[str]:
    """The names in the list of accounts, in order."""
    return [text_of(head.find("a")) for head in page.all("th", scope="row") if head.find("a") is not None]


def error_of(page: Page, field: str) -> str:
    """What stands beside a field; the field points at it."""
    control = next(c for c in page.root.iter() if c.get("name") == field)
    assert control.get("aria-invalid") == "true", f"{field} is not marked as wrong"
    described = control.get("aria-describedby", "").split()
    assert f"{field}-error" in described
    return text_of(page.one("div", id=f"{field}-error"))


def facts(page: Page) -> dict[str, str]:
    return {
        text_of(pair.find("dt")): text_of(pair.find("dd"))
        for pair in page.one("dl", class_="facts")
        if pair.find("dt") is not None
    }


def keys() -> Any:
    return type("Keys", (), {"access_key_id": KEY_ID, "secret_access_key": SECRET})


BAD_IDS = [
    ("", "exactly 12 digits"),
    ("12345678901", "exactly 12 digits"),
    ("1234567890123", "exactly 12 digits"),
    ("12345678901a", "exactly 12 digits"),
    ("1234 5678 9012", "exactly 12 digits"),
    ("-12345678901", "exactly 12 digits"),
    ("١٢٣٤٥٦٧٨٩٠١٢", "exactly 12 digits"),
    ("12345678901\0", "exactly 12 digits"),
]


BAD_NAMES = [
    ("", "Give the account a name."),
    ("   ", "a name that can be seen"),
    ("\u200b\u200d", "a name that can be seen"),
    ("a\0b", "control character"),
    ("a\x1b[2Jb", "control character"),
    ("x" * 129, "At most 128 characters."),
]


def account_at(app: Flask, address: str) -> Account:
    with app.app_context():
        account = db.session.get_one(Account, int(address.rsplit("/", 1)[1]))
        db.session.expunge(account)
    return account


def read_yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's own tags as what they stand before."""

    def tagged(loader: Any, suffix: str, node: Any) -> Any:
        value = loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value
        return {f"!{suffix}": value}

    Loader.add_multi_constructor("!", tagged)
    return yaml.load(text, Loader)


BAD_ARNS = [
    ("", "Paste the role's ARN."),
    ("   ", "Paste the role's ARN"),
    (AWS_ID, "This is an account id"),
    (f"arn:aws:iam::{AWS_ID}:user/ops", "ARN of a user"),
    (f"arn:aws:iam::{AWS_ID}:root", "root user"),
    (f"arn:aws:sts::{AWS_ID}:assumed-role/Reader/x", "ARN of a session"),
    (f"arn:aws:iam::{AWS_ID}:instance-profile/x", "instance profile"),
    (f"arn:aws:iam::{OTHER_ID}:role/Reader", "This role is in another account"),
    (f"arn:aws:iam::{AWS_ID}:role/", "1 to 64 letters"),
    (f"arn:mars:iam::{AWS_ID}:role/Reader", "must be an AWS partition"),
    (f"arn:aws:iam::{AWS_ID}:role/Rea der", "space or a line break"),
    (f'"arn:aws:iam::{AWS_ID}:role/Reader"', "without quotation marks"),
    ("arn:aws:iam::1:role/Reader", "exactly 12 digits"),
    ("x" * 3000, "longer than any ARN"),
    ("<script>alert(1)</script>", "Paste the ARN without quotation marks, brackets"),
    (f"arn:aws:iam::{AWS_ID}:role/Rea\0der", "cannot be seen"),
]


def count_runs(app: Flask, *, active: bool = False) -> int:
    with app.app_context():
        runs = db.session.query(Run)
        return runs.filter(Run.active_key.is_not(None)).count() if active else runs.count()


def without_number(html: str, number: int) -> str:
    """The page without what differs each time: request id, nonce, token, and its own address."""
    return re.sub(r"[0-9a-f]{32}|nonce=\"[^\"]+\"|value=\"[^\"]+\"", "", html.replace(str(number), "N"))
