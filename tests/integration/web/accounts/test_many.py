"""The pages of connecting many accounts: a pasted list, and an organization's."""

from flask import Flask

from app.aws.grants import ALL_GRANTS, Grant
from app.aws.organizations import OrganizationAccount
from app.database import db
from app.models import Account, User
from app.services.accounts.grants import grants_of, keep_grants
from app.services.accounts.organization import record_members
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.integration.web.accounts.pages import error_of, read_yaml

MEMBERS = [
    OrganizationAccount("300000000001", "Sales <b>", "ACTIVE"),
    OrganizationAccount("300000000002", "Closed", "SUSPENDED"),
    OrganizationAccount("111111111111", "Management", "ACTIVE"),
]


def rows(owner: PageClient) -> list[str]:
    return [text_of(head) for head in owner.page.all("th", scope="row")]


def id_of(address: str) -> str:
    return address.rsplit("/", 1)[1]


class TestPastingAList:
    def test_the_good_lines_are_entered_and_the_bad_ones_kept_to_be_mended(
        self, app: Flask, client1: User, owner: PageClient
    ) -> None:
        text = "arn:aws:iam::300000000001:role/SpotkeeperReadOnly,Sales\n300000000002\nnonsense,<i>\n"
        owner.get_page("/accounts/many")
        answer = owner.submit("/accounts/many", {"accounts": text, "allow": ["prices", "events"]})
        assert answer.status_code == 303
        page = owner.get_page(answer.headers["Location"])
        assert rows(owner) == ["300000000002", "Sales", "3"]
        assert "0 of 2 accounts connected" in page.text
        assert "nonsense,<i>" in text_of(page.one("textarea", name="accounts"))
        assert page.one("div", id="batch").get("hx-get") == f"{answer.headers['Location']}/table"
        with app.app_context():
            accounts = db.session.query(Account).all()
            assert {grants_of(account) for account in accounts} == {frozenset({Grant.PRICES, Grant.EVENTS})}
            external_ids = {account.account_id: {"Is": account.external_id} for account in accounts}
        template = read_yaml(owner.get(f"{answer.headers['Location']}/aws.yaml").text)
        assert template["Mappings"]["ExternalIds"] == external_ids
        commands = text_of(page.one("pre", id="commands-aws"))
        assert "Accounts=300000000002,300000000001" in commands

        again = owner.submit("/accounts/many", {"accounts": "300000000003"}, page=answer.headers["Location"])
        assert again.status_code == 303
        assert again.headers["Location"] != answer.headers["Location"]

    def test_where_nothing_is_good_the_list_is_sent_back_as_it_was(self, owner: PageClient) -> None:
        answer = owner.submit("/accounts/many", {"accounts": "nonsense\n12"}, page="/accounts/many")
        assert answer.status_code == 422
        assert "Line 1: A role's ARN begins with" in error_of(owner.page, "accounts")
        assert text_of(owner.page.one("textarea", name="accounts")).split() == ["nonsense", "12"]
        assert owner.submit("/accounts/many", {"accounts": "# nothing"}).status_code == 422

    def test_asking_again_where_none_failed_does_nothing(self, owner: PageClient) -> None:
        there = owner.send("/accounts/many", {"accounts": "300000000001"}).headers["Location"]
        assert owner.send(f"{there}/retest").status_code == 303
        assert "There is none to ask about" in owner.get_page(there).text

    def test_other_parts_of_aws_have_templates_of_their_own(self, owner: PageClient) -> None:
        text = "arn:aws-cn:iam::300000000001:role/R\n300000000002"
        there = owner.send("/accounts/many", {"accounts": text}).headers["Location"]
        page = owner.get_page(there)
        assert "Make the roles in AWS China" in page.text
        assert "300000000001" in owner.get(f"{there}/aws-cn.yaml").text
        assert "300000000001" not in owner.get(f"{there}/aws.yaml").text
        assert owner.get(f"{there}/aws-moon.yaml").status_code == 404


class TestTheOrganization:
    def list_members(self, app: Flask, account: Account) -> None:
        with app.app_context():
            keep_grants(db.session.get_one(Account, account.id), ALL_GRANTS)
            record_members(account.id, MEMBERS)
            db.session.commit()

    def test_it_says_what_is_needed_first(self, account1: Account, owner: PageClient) -> None:
        page = owner.get_page(f"/accounts/{account1.id}/organization")
        assert "organizations:ListAccounts" in text_of(page.one("pre", id="organization-statement"))
        assert page.links()["Choose it"] == f"/accounts/{account1.id}/allow"

    def test_the_ticked_ones_are_entered_by_the_names_that_aws_gave(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        self.list_members(app, account1)
        there = f"/accounts/{account1.id}/organization"
        page = owner.get_page(there)
        assert rows(owner) == ["Closed", "Management", "Sales <b>"]
        assert [box.get("value") for box in page.all("input", name="account")] == ["300000000001"]
        sent = ["300000000001", "300000000002", "111111111111", "999999999999"]
        answer = owner.submit(f"{there}/connect", {"account": sent})
        assert answer.status_code == 303
        owner.get_page(answer.headers["Location"])
        assert rows(owner)[0] == "Sales <b>"
        with app.app_context():
            accounts = {account.account_id: account for account in db.session.query(Account)}
            assert set(accounts) == {"111111111111", "300000000001"}, "what the organization does not have is ignored"
            assert grants_of(accounts["300000000001"]) == ALL_GRANTS - {Grant.ORGANIZATION}

    def test_nothing_ticked_enters_nothing(self, app: Flask, account1: Account, owner: PageClient) -> None:
        self.list_members(app, account1)
        there = f"/accounts/{account1.id}/organization"
        assert owner.send(f"{there}/connect", {}).headers["Location"] == there

    def test_another_owner_s_account_looks_like_one_that_nobody_has(
        self, app: Flask, account1: Account, owner: PageClient, client2: User, sign_in: SignIn
    ) -> None:
        self.list_members(app, account1)
        sign_in(client2).send("/accounts/many", {"accounts": "300000000001"})
        page = owner.get_page(f"/accounts/{account1.id}/organization")
        assert [box.get("value") for box in page.all("input", name="account")] == ["300000000001"]
