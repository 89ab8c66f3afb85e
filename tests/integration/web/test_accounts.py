"""The account pages as their owner, another client and an admin see them; AWS is simulated, jobs are really done."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.aws.identity import CallerIdentity
from app.database import db
from app.errors import FaultCode
from app.models import Account, AppIdentity, Run, User
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod
from app.services.accounts import verify
from app.services.identity import record_identity
from demo.aws.cloud import SimulatedAws
from tests.client import Page, PageClient, text_of
from tests.conftest import SignIn
from tests.factories import make_account
from tests.fakes.aws import APP_ACCOUNT
from tests.integration.customers import AWS_ID, connected, enter_by_keys, enter_by_role, make_role, name_role
from tests.jobs import reload, run_jobs

MISSING = 4242
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
OTHER_ID = "210987654321"


@pytest.fixture(autouse=True)
def identity(app: Flask) -> None:
    """The installation knows who it is in AWS, as after a worker's first minute."""
    with app.app_context():
        record_identity(CallerIdentity(APP_ACCOUNT, f"arn:aws:iam::{APP_ACCOUNT}:user/spotkeeper", "aws", "AIDAX"))
        db.session.commit()


@pytest.fixture
def owner(client1: User, sign_in: SignIn) -> PageClient:
    return sign_in(client1)


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


class TestTheList:
    def test_a_client_sees_own_accounts_only(self, account1: Account, account2: Account, owner: PageClient) -> None:
        page = owner.get_page("/accounts")
        assert names(page) == ["Production"]
        assert "222222222222" not in page.html
        assert "1 account" in page.text

    def test_an_admin_sees_all_and_whose_they_are(
        self, account1: Account, account2: Account, admin: User, sign_in: SignIn
    ) -> None:
        page = sign_in(admin).get_page("/accounts")
        assert names(page) == ["Production", "Warehouse"]
        assert "of client1" in page.text
        assert "of client2" in page.text

    def test_one_s_own_accounts_do_not_say_whose_they_are(self, account1: Account, owner: PageClient) -> None:
        assert "of client1" not in owner.get_page("/accounts").text

    def test_it_leads_on_when_there_is_none(self, owner: PageClient) -> None:
        page = owner.get_page("/accounts")
        assert "No account is connected yet" in page.text
        assert page.links()["Connect an account"] == "/accounts/new"
        assert page.all("input", type="search") == []

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", ["Alpha", "beta", "Östlich 100%"]),
            ("status=active", ["Alpha"]),
            ("status=failed", ["beta"]),
            ("status=pending", ["Östlich 100%"]),
            ("health=refused", ["beta"]),
            ("status=active&health=refused", []),
            ("q=ALPH", ["Alpha"]),
            ("q=+alpha+", ["Alpha"]),
            ("q=Östlich", ["Östlich 100%"]),
            ("q=%25", ["Östlich 100%"]),
            ("q=_", []),
            ("q=300", ["beta"]),
            ("q=000", []),
            ("status=nonsense&health=", ["Alpha", "beta", "Östlich 100%"]),
            ("endpoint=x&_scheme=ftp&_external=1&_method=POST&_anchor=a", ["Alpha", "beta", "Östlich 100%"]),
            ("q=%00", []),
            ("q=%1b%EF%BF%BE", []),
        ],
    )
    def test_filters_narrow_it(
        self, app: Flask, client1: User, owner: PageClient, query: str, found: list[str]
    ) -> None:
        seed(app, client1, account_name="Alpha", account_id="100000000000", status=AccountStatus.ACTIVE)
        failed = {"status": AccountStatus.FAILED, "health": AccountHealth.REFUSED}
        seed(app, client1, account_name="beta", account_id="300000000000", **failed)
        seed(app, client1, account_name="Östlich 100%", account_id="500000000000")
        assert names(owner.get_page(f"/accounts?{query}")) == found
        assert names(owner.get_page(f"/accounts/table?{query}")) == found

    def test_filters_stay_filled_in_and_can_be_taken_away(self, account1: Account, owner: PageClient) -> None:
        page = owner.get_page("/accounts?status=failed&q=%22%3E%3Cscript%3E")
        assert page.one("input", name="q").get("value") == '"><script>'
        assert [o.get("value") for o in page.all("option", selected="")] == ["failed"]
        assert "No account matches" in page.text
        assert page.links()["Show all accounts"] == "/accounts"

    def test_it_takes_as_many_queries_for_1_account_as_for_30(
        self,
        app: Flask,
        client1: User,
        client2: User,
        admin: User,
        sign_in: SignIn,
        count_queries: Callable[[], Any],
    ) -> None:
        counts = []
        viewer = sign_in(admin)
        for more in (1, 29):
            for number in range(more):
                enter_by_keys(app, client2 if number % 2 else client1, _keys(), f"{more:02}{number:010d}")
            with count_queries() as statements:
                page = viewer.get_page("/accounts")
            counts.append((len(names(page)), len(statements)))
        assert [found for found, _ in counts] == [1, 30]
        assert counts[0][1] == counts[1][1]

    def test_it_follows_while_something_runs_and_then_stops(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        connected(app, aws, client1)
        page = owner.get_page("/accounts?status=pending&q=prod")
        part = page.one("div", id="accounts")
        assert part.get("hx-get") == "/accounts/table?status=pending&q=prod"
        assert "queued" in page.text
        run_jobs(app)
        page = owner.get_page("/accounts/table")
        assert page.is_fragment
        part = page.one("div", id="accounts")
        assert (part.get("hx-get"), part.get("hx-trigger")) == (None, None)
        assert "active" in page.text


def _keys() -> Any:
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


class TestEnteringAnAccountByRole:
    ENTRY = {"account_name": "Production", "account_id": AWS_ID, "partition": "aws"}

    def test_it_leads_to_the_account_s_page(self, app: Flask, owner: PageClient) -> None:
        answer = owner.submit("/accounts/new", self.ENTRY, page="/accounts/new")
        assert answer.status_code == 303
        page = owner.get_page(answer.headers["Location"])
        assert page.heading == "Production"
        assert "pending" in facts(page)["Status"]
        assert owner.get_page("/accounts").links()["Production"] == answer.headers["Location"]

    @pytest.mark.parametrize(("account_id", "words"), BAD_IDS)
    def test_a_bad_account_id_is_said_beside_the_field(self, owner: PageClient, account_id: str, words: str) -> None:
        answer = owner.submit("/accounts/new", {**self.ENTRY, "account_id": account_id}, page="/accounts/new")
        assert answer.status_code == 422
        assert words in error_of(owner.page, "account_id")
        assert owner.page.one("input", name="account_name").get("value") == "Production"
        assert names(owner.get_page("/accounts")) == []

    @pytest.mark.parametrize(("name", "words"), BAD_NAMES)
    def test_a_bad_name_is_said_beside_the_field(self, owner: PageClient, name: str, words: str) -> None:
        answer = owner.submit("/accounts/new", {**self.ENTRY, "account_name": name}, page="/accounts/new")
        assert answer.status_code == 422
        assert words in error_of(owner.page, "account_name")
        assert owner.page.one("input", name="account_id").get("value") == AWS_ID

    def test_an_unknown_part_of_aws_is_refused(self, owner: PageClient) -> None:
        answer = owner.submit("/accounts/new", {**self.ENTRY, "partition": "aws-moon"}, page="/accounts/new")
        assert answer.status_code == 422
        assert "Not a valid choice" in error_of(owner.page, "partition")

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("0123-4567-8901", AWS_ID),
            (f"  {AWS_ID}\n", AWS_ID),
        ],
    )
    def test_an_id_may_be_written_as_the_console_does(self, owner: PageClient, typed: str, kept: str) -> None:
        answer = owner.submit("/accounts/new", {**self.ENTRY, "account_id": typed}, page="/accounts/new")
        assert kept in owner.get_page(answer.headers["Location"]).text

    def test_hostile_names_are_shown_as_they_are(self, owner: PageClient) -> None:
        name = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> {{7*7}}"
        answer = owner.submit("/accounts/new", {**self.ENTRY, "account_name": name}, page="/accounts/new")
        page = owner.get_page(answer.headers["Location"])
        assert page.heading == name
        assert page.all("img") == []
        assert names(owner.get_page("/accounts")) == [name]

    def test_one_owner_enters_an_account_once(self, app: Flask, client1: User, owner: PageClient) -> None:
        enter_by_role(app, client1)
        answer = owner.submit("/accounts/new", self.ENTRY, page="/accounts/new")
        assert answer.status_code == 422
        assert error_of(owner.page, "account_id") == "You have entered this AWS account already."

    def test_nothing_else_can_be_set(self, app: Flask, client1: User, client2: User, owner: PageClient) -> None:
        extra = {
            "status": "active",
            "health": "ok",
            "external_id": "0" * 32,
            "user_id": str(client2.id),
            "verified_account_id": AWS_ID,
            "role_arn": f"arn:aws:iam::{AWS_ID}:role/Admin",
            "id": "7",
            "version": "9",
            "region": "mars-1",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
        }
        answer = owner.send("/accounts/new", {**self.ENTRY, **extra})
        account = reload(app, _account(app, answer.headers["Location"]))
        assert account.user_id == client1.id
        assert (account.status, account.health) == (AccountStatus.PENDING, AccountHealth.UNKNOWN)
        assert account.external_id != "0" * 32
        assert (account.verified_account_id, account.role_arn, account.access_key_hint) == (None, None, "")
        assert (account.region, account.version) == ("us-east-1", 1)

    def test_it_says_when_this_installation_is_unknown_to_aws(self, app: Flask, owner: PageClient) -> None:
        with app.app_context():
            row = db.session.get_one(AppIdentity, 1)
            row.account_id, row.arn, row.error_code = "", "", FaultCode.NO_APP_IDENTITY
            db.session.commit()
        assert "no AWS identity of its own" in owner.get_page("/accounts/new").text
        answer = owner.submit("/accounts/new", self.ENTRY, page="/accounts/new")
        address = answer.headers["Location"]
        page = owner.get_page(address)
        assert "A role cannot be made yet" in page.text
        assert page.links()["Use access keys"] == f"{address}/credentials?method=access_keys"
        assert owner.get(f"{address}/template.yaml").status_code == 409


def _account(app: Flask, address: str) -> Account:
    with app.app_context():
        account = db.session.get_one(Account, int(address.rsplit("/", 1)[1]))
        db.session.expunge(account)
    return account


class TestWhatTheOwnerIsToDoInAws:
    def test_everything_to_paste_is_there_with_the_external_id(
        self, app: Flask, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        page = owner.get_page(path(account))
        trust = json.loads(text_of(page.one("pre", id="trust-policy")))
        statement = trust["Statement"][0]
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{APP_ACCOUNT}:root"}
        assert statement["Condition"]["StringEquals"] == {"sts:ExternalId": account.external_id}
        permissions = json.loads(text_of(page.one("pre", id="permission-policy")))
        assert "ec2:DescribeInstances" in permissions["Statement"][0]["Action"]
        command = text_of(page.one("pre", id="cli-command"))
        assert command.startswith("aws cloudformation create-stack --region us-east-1 ")
        assert f"ParameterKey=ExternalId,ParameterValue={account.external_id}" in command
        assert facts(page)["External ID"] == account.external_id

    def test_the_template_is_yaml_with_the_external_id(self, app: Flask, client1: User, owner: PageClient) -> None:
        account = enter_by_role(app, client1)
        link = owner.get_page(path(account)).links()["Download the CloudFormation template"]
        answer = owner.get(link)
        assert answer.mimetype == "application/yaml"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="spotkeeper-role.yaml"'
        template = _read_yaml(answer.text)
        assert template["Parameters"]["ExternalId"]["Default"] == account.external_id
        role = template["Resources"]["Role"]["Properties"]
        assert role["RoleName"] == {"!FindInMap": ["Settings", "Role", "Name"]}
        assert list(template["Resources"]) == ["Role"]

    def test_the_external_id_is_its_owner_s_alone(
        self, app: Flask, client1: User, owner: PageClient, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        account = enter_by_role(app, client1)
        assert account.external_id in owner.get_page(path(account)).html
        for boss in (sign_in(admin), sign_in(superadmin)):
            for page in ("", "progress"):
                assert account.external_id not in boss.get_page(path(account, page)).html
            for page in ("template.yaml", "credentials"):
                answer = boss.get(path(account, page))
                assert (answer.status_code, account.external_id in answer.text) == (403, False)

    def test_the_console_link_is_there_only_when_the_operator_gave_the_template_an_address(
        self, app: Flask, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        words = "Open the AWS console with everything filled in"
        assert words not in owner.get_page(path(account)).links()
        app.extensions["spotkeeper"] = replace(
            app.extensions["spotkeeper"], template_url="https://templates.s3.amazonaws.com/role.yaml"
        )
        link = owner.get_page(path(account)).links()[words]
        assert link.startswith("https://us-east-1.console.aws.amazon.com/cloudformation/home?region=us-east-1#")
        assert f"param_ExternalId={account.external_id}" in link


def _read_yaml(text: str) -> Any:
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


class TestNamingTheRole:
    @pytest.mark.parametrize(("arn", "words"), BAD_ARNS)
    def test_a_bad_one_is_said_beside_the_field_and_kept(
        self, app: Flask, client1: User, owner: PageClient, arn: str, words: str
    ) -> None:
        account = enter_by_role(app, client1)
        answer = owner.submit(path(account, "role"), {"role_arn": arn}, page=path(account))
        assert answer.status_code == 422
        assert words in error_of(owner.page, "role_arn")
        shown = owner.page.one("input", name="role_arn").get("value", "")
        assert shown == arn.strip().replace("\0", "\ufffd")
        assert reload(app, account).role_arn is None
        assert _runs(app) == 0

    def test_a_bad_one_is_said_also_where_a_role_is_named_already(self, account1: Account, owner: PageClient) -> None:
        answer = owner.send(path(account1, "role"), {"role_arn": "nonsense"})
        assert answer.status_code == 422
        assert "begins with" in error_of(owner.page, "role_arn")

    def test_a_good_one_is_taken_with_the_spaces_pasted_around_it(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        arn = make_role(aws, account)
        answer = owner.submit(path(account, "role"), {"role_arn": f"  {arn}\n"}, page=path(account))
        assert (answer.status_code, answer.headers["Location"]) == (303, path(account))
        page = owner.get_page(path(account))
        assert "Verification is waiting for a worker" in page.text
        assert facts(page)["Role"] == arn
        assert page.one("div", id="account").get("hx-get") == path(account, "progress")

        run_jobs(app)

        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "active"
        assert facts(page)["Regions read"] == "2 of 2"
        assert [text_of(head) for head in page.all("th", scope="row")][:3] == ["eu-west-1", "me-south-1", "us-east-1"]

    def test_nothing_else_can_be_set(self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient) -> None:
        account = enter_by_role(app, client1)
        extra = {"external_id": "0" * 32, "status": "active", "verified_account_id": AWS_ID, "account_id": OTHER_ID}
        owner.send(path(account, "role"), {"role_arn": make_role(aws, account), **extra})
        after = reload(app, account)
        assert (after.external_id, after.account_id) == (account.external_id, AWS_ID)
        assert (after.status, after.verified_account_id) == (AccountStatus.PENDING, None)


def _runs(app: Flask) -> int:
    with app.app_context():
        return db.session.query(Run).count()


class TestEnteringAnAccountByKeys:
    ENTRY = {
        "account_name": "By keys",
        "account_id": AWS_ID,
        "partition": "aws",
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    PAGE = "/accounts/new?method=access_keys"

    def test_it_connects(self, app: Flask, aws: SimulatedAws, owner: PageClient) -> None:
        keys = aws.create_user_keys(AWS_ID)
        entry = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        answer = owner.submit("/accounts/new", {**self.ENTRY, **entry}, page=self.PAGE)
        assert answer.status_code == 303
        run_jobs(app)
        page = owner.get_page(answer.headers["Location"])
        assert facts(page)["Status"] == "active"
        assert f"…{keys.access_key_id[-4:]}" in facts(page)["Access key"]
        assert keys.access_key_id not in page.html
        assert keys.secret_access_key not in page.html

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("access_key_id", "", "begins with AKIA"),
            ("access_key_id", "ASIAIOSFODNN7EXAMPLE", "temporary and expire within hours"),
            ("access_key_id", "AIDAIOSFODNN7EXAMPLE", "id of a user"),
            ("access_key_id", "AKIA", "begins with AKIA"),
            ("access_key_id", "akiaiosfodnn7example", "begins with AKIA"),
            ("access_key_id", SECRET, "begins with AKIA"),
            ("secret_access_key", "", "exactly 40 characters"),
            ("secret_access_key", SECRET[:-1], "exactly 40 characters"),
            ("secret_access_key", KEY_ID, "This is the access key id"),
            ("account_id", "1", "exactly 12 digits"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_field_and_the_secret_never_comes_back(
        self, owner: PageClient, field: str, value: str, words: str
    ) -> None:
        answer = owner.submit("/accounts/new", {**self.ENTRY, field: value}, page=self.PAGE)
        assert answer.status_code == 422
        assert words in error_of(owner.page, field)
        assert SECRET not in answer.text
        assert SECRET[:-1] not in answer.text
        assert owner.page.one("input", name="secret_access_key").get("value", "") == ""

    def test_a_root_user_s_keys_are_refused_with_the_reason(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        keys = aws.create_root_keys(AWS_ID)
        account = enter_by_keys(app, client1, keys)
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "failed"
        assert "Keys of the root user are refused" in page.text
        assert page.links()["Replace credentials"] == path(account, "credentials")
        assert keys.secret_access_key not in page.html

    def test_no_page_has_the_secret(
        self, app: Flask, client1: User, owner: PageClient, admin: User, sign_in: SignIn
    ) -> None:
        account = enter_by_keys(app, client1, _keys())
        run_jobs(app)
        for client in (owner, sign_in(admin)):
            for page in ("", "progress", "rename", "credentials", "credentials?method=access_keys", "disconnect"):
                answer = client.get(path(account, page))
                assert answer.status_code in {200, 403}
                assert SECRET not in answer.text
                assert KEY_ID not in answer.text
        logs = sign_in(admin).get_page("/system-logs")
        assert SECRET not in logs.html
        assert KEY_ID not in logs.html


class TestAFailedVerification:
    def test_the_page_says_what_to_do_and_shows_the_policy(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient, admin: User, sign_in: SignIn
    ) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, make_role(aws, account, external_id=""))
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "failed"
        assert facts(page)["Health"] == "refused"
        assert "The role does not insist on its External ID" in page.text
        policy = json.loads(text_of(page.one("pre", id="remedy-trust-policy")))
        assert policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] == account.external_id
        assert page.links()["Download the CloudFormation template"] == path(account, "template.yaml")

        theirs = sign_in(admin).get_page(path(account))
        assert "The role does not insist on its External ID" in theirs.text
        assert theirs.all("pre") == []

    def test_it_heals_when_the_role_is_mended(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, make_role(aws, account, external_id=""))
        run_jobs(app)
        make_role(aws, account)
        assert owner.submit(path(account, "verify"), page=path(account)).status_code == 303
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "active"
        assert page.all("div", class_="danger") == []

    def test_a_role_that_is_not_there_is_called_what_aws_calls_it(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verify, "NEW_ROLE_PATIENCE", verify.NEW_ROLE_PATIENCE * 0)
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        run_jobs(app)
        page = owner.get_page(path(account))
        assert "AWS did not let us assume the role" in page.text
        assert "is not authorized to perform: sts:AssumeRole" in page.text

    def test_a_new_role_is_waited_for_in_words(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "pending"
        assert "Waiting for AWS to know the role" in page.text
        assert page.one("div", id="account").get("hx-trigger") == "every 2s, refresh"


class TestVerifyingAndDiscoveringAgain:
    @pytest.mark.parametrize("act", ["verify", "discover"])
    def test_the_owner_and_an_admin_may(
        self, app: Flask, account1: Account, owner: PageClient, admin: User, sign_in: SignIn, act: str
    ) -> None:
        for client in (owner, sign_in(admin)):
            answer = client.submit(path(account1, act), page=path(account1))
            assert (answer.status_code, answer.headers["Location"]) == (303, path(account1))
            with app.app_context():
                run = db.session.query(Run).one()
                assert run.account_id == account1.id
                db.session.delete(run)
                db.session.commit()

    def test_the_buttons_wait_while_something_runs(self, account1: Account, owner: PageClient) -> None:
        owner.submit(path(account1, "discover"), page=path(account1))
        page = owner.get_page(path(account1))
        assert ["disabled" in page.form(path(account1, a)).find("button").attrib for a in ("verify", "discover")] == [
            True,
            True,
        ]

    def test_pressing_twice_queues_once(self, app: Flask, account1: Account, owner: PageClient) -> None:
        for _ in range(5):
            assert owner.send(path(account1, "discover")).status_code == 303
        assert _runs(app) == 1

    def test_an_account_without_proof_is_not_discovered(self, app: Flask, client1: User, owner: PageClient) -> None:
        account = enter_by_role(app, client1)
        page = owner.get_page(path(account))
        assert not [
            f for f in page.all("form") if f.get("action") in {path(account, "discover"), path(account, "verify")}
        ]
        assert owner.send(path(account, "discover")).status_code == 409
        assert "Verify it first" in owner.page.text
        assert owner.send(path(account, "verify")).status_code == 409
        assert "Name the role first" in owner.page.text
        assert _runs(app) == 0


class TestThePartThatFollows:
    def test_it_is_what_the_page_holds(self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient) -> None:
        account = connected(app, aws, client1)
        page, part = owner.get_page(path(account)), owner.get_page(path(account, "progress"))
        assert part.is_fragment
        assert text_of(part.one("div", id="account")) == text_of(page.one("div", id="account"))
        assert part.one("div", id="account").attrib == page.one("div", id="account").attrib

    def test_the_buttons_come_with_the_last_answer_and_the_asking_ends(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = connected(app, aws, client1)
        assert owner.get_page(path(account, "progress")).all("div", id="account-actions") == []
        run_jobs(app)
        part = owner.get_page(path(account, "progress"))
        assert "hx-get" not in part.one("div", id="account").attrib
        buttons = part.one("div", id="account-actions")
        assert buttons.get("hx-swap-oob") == "true"
        assert "Discover now" in text_of(buttons)
        page = owner.get_page(path(account))
        assert text_of(page.one("div", id="account-actions")) == text_of(buttons)
        assert "hx-swap-oob" not in page.one("div", id="account-actions").attrib


class TestRenaming:
    def test_it_renames(self, app: Flask, account1: Account, owner: PageClient) -> None:
        answer = owner.submit(
            path(account1, "rename"), {"account_name": "  Big \n fleet "}, page=path(account1, "rename")
        )
        assert answer.status_code == 303
        assert owner.get_page(path(account1)).heading == "Big fleet"
        assert "Renamed." in owner.page.text

    @pytest.mark.parametrize(("name", "words"), BAD_NAMES)
    def test_a_bad_name_is_said_beside_the_field(
        self, app: Flask, account1: Account, owner: PageClient, name: str, words: str
    ) -> None:
        answer = owner.submit(path(account1, "rename"), {"account_name": name}, page=path(account1, "rename"))
        assert answer.status_code == 422
        assert words in error_of(owner.page, "account_name")
        assert reload(app, account1).account_name == "Production"

    def test_nothing_else_can_be_set(self, app: Flask, account1: Account, owner: PageClient) -> None:
        owner.send(path(account1, "rename"), {"account_name": "New", "account_id": OTHER_ID, "status": "failed"})
        after = reload(app, account1)
        assert (after.account_name, after.account_id, after.status) == ("New", "111111111111", AccountStatus.ACTIVE)

    def test_a_super_admin_may_and_an_admin_may_not(
        self, account1: Account, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        assert sign_in(superadmin).send(path(account1, "rename"), {"account_name": "New"}).status_code == 303
        assert sign_in(admin).send(path(account1, "rename"), {"account_name": "Newer"}).status_code == 403


class TestReplacingCredentials:
    def test_another_role(self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        page = owner.get_page(path(account, "credentials"))
        assert page.one("input", name="role_arn").get("value") == reload(app, account).role_arn
        answer = owner.submit(path(account, "credentials"), {"role_arn": f"arn:aws:iam::{AWS_ID}:role/Other"})
        assert answer.status_code == 303
        after = reload(app, account)
        assert after.role_arn == f"arn:aws:iam::{AWS_ID}:role/Other"
        assert after.status is AccountStatus.ACTIVE, "a working account stays what it is until AWS has spoken"

    def test_from_a_role_to_keys_and_back(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        keys = aws.create_user_keys(AWS_ID)
        values = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        there = path(account, "credentials?method=access_keys")
        assert owner.submit(path(account, "credentials"), values, page=there).status_code == 303
        run_jobs(app)
        after = reload(app, account)
        assert (after.connection_method, after.role_arn) == (ConnectionMethod.ACCESS_KEYS, None)
        assert after.status is AccountStatus.ACTIVE

        back = path(account, "credentials?method=iam_role")
        answer = owner.submit(path(account, "credentials"), {"role_arn": make_role(aws, account)}, page=back)
        assert answer.status_code == 303
        run_jobs(app)
        after = reload(app, account)
        assert (after.connection_method, after.access_key_hint) == (ConnectionMethod.IAM_ROLE, "")
        assert after.status is AccountStatus.ACTIVE

    @pytest.mark.parametrize(("arn", "words"), BAD_ARNS[:9])
    def test_a_bad_role_is_said_beside_the_field(
        self, app: Flask, account1: Account, owner: PageClient, arn: str, words: str
    ) -> None:
        arn = arn.replace(AWS_ID, account1.account_id)
        answer = owner.submit(path(account1, "credentials"), {"role_arn": arn}, page=path(account1, "credentials"))
        assert answer.status_code == 422
        assert words in error_of(owner.page, "role_arn")
        assert reload(app, account1).role_arn == account1.role_arn

    def test_bad_keys_are_said_beside_the_field_and_the_secret_is_gone(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        values = {"access_key_id": "ASIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET}
        there = path(account1, "credentials?method=access_keys")
        answer = owner.submit(path(account1, "credentials"), values, page=there)
        assert answer.status_code == 422
        assert "temporary" in error_of(owner.page, "access_key_id")
        assert SECRET not in answer.text
        assert reload(app, account1).connection_method is ConnectionMethod.IAM_ROLE

    def test_nothing_is_stored_when_the_account_has_changed_meanwhile(
        self, app: Flask, account1: Account, owner: PageClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from app.errors import ConflictError
        from app.services.accounts import connect

        def lose(*_: Any, **__: Any) -> None:
            raise ConflictError("The account has changed meanwhile.")

        monkeypatch.setattr(connect, "set_standing", lose)
        values = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
        answer = owner.send(path(account1, "credentials?method=access_keys"), values)
        assert answer.status_code == 409
        assert "changed meanwhile" in owner.page.text
        after = reload(app, account1)
        assert (after.connection_method, after.access_key_hint) == (ConnectionMethod.IAM_ROLE, "")

    def test_admins_may_not_see_or_replace_them(
        self, account1: Account, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        for client in (sign_in(admin), sign_in(superadmin)):
            assert client.get(path(account1, "credentials")).status_code == 403
            assert client.send(path(account1, "credentials"), {"role_arn": account1.role_arn}).status_code == 403
            assert client.send(path(account1, "role"), {"role_arn": account1.role_arn}).status_code == 403
            assert "Replace credentials" not in client.get_page(path(account1)).text


class TestDisconnecting:
    def test_it_says_what_goes_and_what_stays(self, account1: Account, owner: PageClient) -> None:
        page = owner.get_page(path(account1, "disconnect"))
        assert "Disconnecting Production cannot be undone" in page.text
        assert "stored credentials" in page.text
        assert "In AWS nothing changes: delete the role or the key there yourself." in page.text

    @pytest.mark.parametrize("typed", ["", "production", "Prod", "111111111111"])
    def test_it_asks_for_the_name_exactly(self, app: Flask, account1: Account, owner: PageClient, typed: str) -> None:
        answer = owner.submit(path(account1, "disconnect"), {"confirmation": typed}, page=path(account1, "disconnect"))
        assert answer.status_code == 422
        assert error_of(owner.page, "confirmation")
        assert reload(app, account1).account_name == "Production"

    def test_then_it_is_gone(self, account1: Account, owner: PageClient) -> None:
        answer = owner.submit(
            path(account1, "disconnect"), {"confirmation": " Production "}, page=path(account1, "disconnect")
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, "/accounts")
        page = owner.get_page("/accounts")
        assert "Production is disconnected. Its role or key still exists in AWS" in page.text
        assert names(page) == []
        assert owner.get(path(account1)).status_code == 404

    def test_a_name_of_odd_spaces_can_be_typed_as_it_is_shown(self, app: Flask, owner: PageClient) -> None:
        entry = {"account_name": "Big\u00a0  \t fleet", "account_id": AWS_ID, "partition": "aws"}
        address = owner.submit("/accounts/new", entry, page="/accounts/new").headers["Location"]
        there = f"{address}/disconnect"
        shown = text_of(next(iter(owner.get_page(there).form(there).iter("strong"))))
        assert owner.submit(there, {"confirmation": shown}).status_code == 303

    def test_a_super_admin_may_and_an_admin_may_not(
        self, account1: Account, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        there = path(account1, "disconnect")
        assert sign_in(admin).send(there, {"confirmation": "Production"}).status_code == 403
        assert sign_in(superadmin).send(there, {"confirmation": "Production"}).status_code == 303


class TestSomebodyElsesAccount:
    GETS = ("", "progress", "rename", "credentials", "disconnect", "template.yaml")
    POSTS = ("role", "verify", "discover", "rename", "credentials", "disconnect")

    @pytest.mark.parametrize("page", GETS)
    def test_it_reads_as_one_that_is_not_there(self, account2: Account, owner: PageClient, page: str) -> None:
        foreign, missing = owner.get(path(account2, page)), owner.get(path(MISSING, page))
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert _bare(foreign.text, account2.id) == _bare(missing.text, MISSING)

    @pytest.mark.parametrize("act", POSTS)
    def test_it_is_acted_on_as_one_that_is_not_there(
        self, app: Flask, account2: Account, owner: PageClient, act: str
    ) -> None:
        values = {"role_arn": account2.role_arn, "account_name": "Mine", "confirmation": "Warehouse"}
        foreign, missing = owner.send(path(account2, act), values), owner.send(path(MISSING, act), values)
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert _bare(foreign.text, account2.id) == _bare(missing.text, MISSING)
        assert reload(app, account2).account_name == "Warehouse"
        assert _runs(app) == 0

    def test_two_owners_of_one_aws_account_learn_nothing_of_each_other(
        self, app: Flask, aws: SimulatedAws, client1: User, client2: User, owner: PageClient, sign_in: SignIn
    ) -> None:
        first = connected(app, aws, client1)
        run_jobs(app)
        other = sign_in(client2)
        entry = {**TestEnteringAnAccountByRole.ENTRY, "account_name": "Mine too"}
        answer = other.submit("/accounts/new", entry, page="/accounts/new")
        assert answer.status_code == 303, "a claim is taken as if nobody had made one before"
        second = _account(app, answer.headers["Location"])
        pages = [other.get_page(path(second)).html]
        # The second owner can read the same AWS account (keys of it): still nothing of the first one is told.
        keys = aws.create_user_keys(AWS_ID)
        values = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        other.submit(path(second, "credentials"), values, page=path(second, "credentials?method=access_keys"))
        run_jobs(app)
        page = other.get_page(path(second))
        assert facts(page)["Status"] == "failed"
        assert "This AWS account cannot be connected here" in page.text
        pages += [page.html, other.get_page("/accounts").html]
        for html in pages:
            assert "client1" not in html
            assert "Production" not in html
            assert first.external_id not in html
            assert str(first.id) not in html
        assert "client2" not in owner.get_page(path(first)).html
        assert facts(owner.page)["Status"] == "active"


def _bare(html: str, number: int) -> str:
    """The page without what differs each time: request id, nonce, token, and its own address."""
    return re.sub(r"[0-9a-f]{32}|nonce=\"[^\"]+\"|value=\"[^\"]+\"", "", html.replace(str(number), "N"))
