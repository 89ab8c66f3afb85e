"""From the choice to what was found: the pages of connecting, complete without a script."""

import json

import pytest
from flask import Flask

from app.aws.grants import ALL_GRANTS, INVENTORY_ACTIONS, Grant
from app.database import db
from app.models import Account, Run, User
from app.models.types import RunKind
from app.services.accounts import verify
from app.services.accounts.grants import grants_of
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient, text_of
from tests.integration.customers import AWS_ID, connected, make_role
from tests.integration.web.accounts.pages import KEY_ID, ROLE_ENTRY, account_at, facts, path, read_yaml
from tests.jobs import reload, run_jobs


def actions_on(owner: PageClient) -> list[str]:
    policy = json.loads(text_of(owner.page.one("pre", id="permission-policy")))
    (statement,) = policy["Statement"]
    return list(statement["Action"])


def current_step(owner: PageClient) -> str:
    return text_of(owner.page.one("li", **{"aria-current": "step"}).findall("span")[1])


class TestTheChoice:
    def test_the_policy_is_shown_for_it_before_anything_is_entered(self, owner: PageClient) -> None:
        owner.get_page("/accounts/new")
        assert actions_on(owner) == [*INVENTORY_ACTIONS, "ec2:DescribeSpotPriceHistory"]
        typed = {"account_name": "Production", "account_id": "12"}
        answer = owner.submit("/accounts/new", {**typed, "allow": ["organization"], "preview": "1"})
        assert answer.status_code == 200
        assert actions_on(owner) == [*INVENTORY_ACTIONS, "organizations:ListAccounts"]
        assert owner.page.one("input", name="account_id").get("value") == "12", "what was typed is kept"
        assert owner.page.all("p", class_="error") == []
        ticked = [box.get("value") for box in owner.page.all("input", name="allow") if "checked" in box.attrib]
        assert ticked == ["organization"]

    def test_it_follows_by_itself(self, owner: PageClient) -> None:
        answer = owner.get("/accounts/policy?allow=prices&allow=nonsense")
        assert "ec2:DescribeSpotPriceHistory" in answer.text
        assert "nonsense" not in answer.text
        assert "ec2:DescribeSpotPriceHistory" not in owner.get("/accounts/policy").text

    @pytest.mark.parametrize("grants", [[], ["prices", "events"], ["prices", "events", "organization"]])
    def test_it_is_kept_with_the_account_and_followed_by_all_that_is_to_be_pasted(
        self, app: Flask, owner: PageClient, grants: list[str]
    ) -> None:
        answer = owner.send("/accounts/new", {**ROLE_ENTRY, "allow": grants})
        account = account_at(app, answer.headers["Location"])
        assert grants_of(account) == {Grant(name) for name in grants}
        owner.get_page(path(account))
        wanted = actions_on(owner)
        assert ("organizations:ListAccounts" in wanted) == ("organization" in grants)
        template = read_yaml(owner.get(path(account, "template.yaml")).text)
        (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
        assert policy["PolicyDocument"]["Statement"][0]["Action"] == wanted
        terraform = text_of(owner.page.one("pre", id="terraform"))
        assert all(action in terraform for action in wanted)

    def test_nothing_unknown_can_be_chosen(self, app: Flask, owner: PageClient) -> None:
        answer = owner.send("/accounts/new", {**ROLE_ENTRY, "allow": ["everything", "ec2:TerminateInstances"]})
        assert grants_of(account_at(app, answer.headers["Location"])) == frozenset()

    def test_a_refused_secret_is_not_in_the_preview(self, owner: PageClient) -> None:
        secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        values = {**ROLE_ENTRY, "access_key_id": KEY_ID, "secret_access_key": secret, "preview": "1"}
        answer = owner.send("/accounts/new?method=access_keys", values)
        assert answer.status_code == 200
        assert secret not in answer.text


class TestChoosingAnew:
    def test_the_check_asks_for_what_was_chosen_and_for_no_more(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        owner.get_page(path(account, "allow"))
        assert owner.submit(path(account, "allow"), {"allow": ["prices", "organization"]}).status_code == 303
        assert grants_of(reload(app, account)) == {Grant.PRICES, Grant.ORGANIZATION}
        owner.get_page(path(account, "allow"))
        assert text_of(owner.page.one("pre", id="update-command")).startswith("aws cloudformation update-stack ")
        assert owner.send(path(account, "allow"), {"allow": []}).status_code == 303
        run_jobs(app)
        page = owner.get_page(path(account))
        assert "allowed in all 2 enabled regions" in page.text
        asked = {call.action for call in aws.calls if call.service == "ec2"}
        assert "DescribeAvailabilityZones" in asked
        assert "DescribeSpotPriceHistory" not in asked
        assert reload(app, account).account_metadata["caller_arn"], "what else is known stays"

    def test_looking_at_a_policy_keeps_nothing(self, app: Flask, account1: Account, owner: PageClient) -> None:
        answer = owner.send(path(account1, "allow"), {"allow": [grant.value for grant in ALL_GRANTS], "preview": "1"})
        assert answer.status_code == 200
        assert "Not kept yet" in owner.page.text
        assert grants_of(reload(app, account1)) == {Grant.PRICES}


class TestWalkingOn:
    def test_from_the_entry_to_what_was_found_without_anything_pasted(
        self, app: Flask, aws: SimulatedAws, owner: PageClient
    ) -> None:
        address = owner.submit("/accounts/new", {**ROLE_ENTRY, "allow": ["prices"]}, page="/accounts/new").headers[
            "Location"
        ]
        account = account_at(app, address)
        run_jobs(app)
        page = owner.get_page(address)
        assert "Looking for the role" in page.text
        assert "1 try" in page.text
        assert current_step(owner) == "Make the role"
        assert page.all("div", class_="danger") == []
        assert page.one("div", id="account").get("hx-get") == path(account, "progress")

        aws.run_instances(AWS_ID, "us-east-1", 3, has_public_ip=True)
        aws.run_instances(AWS_ID, "us-east-1", 1, lifecycle="spot", metadata_options={"HttpTokens": "required"})
        aws.deny_region(AWS_ID, "eu-west-1")
        make_role(aws, account)
        assert owner.submit(path(account, "verify")).status_code == 303, "“Check now” asks at once"
        assert run_jobs(app, limit=1) == 1
        owner.get_page(address)
        assert current_step(owner) == "First reading"
        run_jobs(app)
        page = owner.get_page(address)
        assert current_step(owner) == "What we found"
        found = {
            text_of(pair.find("dt")): text_of(pair.findall("dd")[0])
            for pair in page.one("dl", class_="figures")
            if pair.find("dt") is not None
        }
        assert found == {
            "Instances": "4",
            "Running": "4",
            "On spot": "25.0%",
            "Allow IMDSv1": "3",
            "Public address": "3",
            "Unauthorized": "0",
        }
        assert "1 region could not be read" in page.text
        assert page.links()["Switch on events"] == path(account, "events")
        assert owner.get_page(path(account, "found")).heading == "What we found"

    def test_a_named_role_that_is_not_there_yet_is_waited_for_with_what_is_tried(
        self, app: Flask, aws: SimulatedAws, owner: PageClient
    ) -> None:
        address = owner.send("/accounts/new", ROLE_ENTRY).headers["Location"]
        account = account_at(app, address)
        arn = f"arn:aws:iam::{AWS_ID}:role/Other"
        owner.get_page(address)
        assert owner.submit(path(account, "role"), {"role_arn": arn}).status_code == 303
        run_jobs(app)
        page = owner.get_page(address)
        assert "Waiting for AWS to know the role" in page.text
        assert arn in page.text
        assert "failed" not in facts(page)["Status"]
        assert page.all("div", class_="danger") == []

    def test_where_no_role_came_it_can_be_looked_for_again(
        self, app: Flask, aws: SimulatedAws, owner: PageClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verify, "LOOKING_PATIENCE", verify.LOOKING_PATIENCE * 0)
        address = owner.send("/accounts/new", ROLE_ENTRY).headers["Location"]
        run_jobs(app)
        page = owner.get_page(address)
        assert "No role was found" in page.text
        assert page.all("div", class_="danger") == []
        assert owner.submit(f"{address}/verify").status_code == 303
        with app.app_context():
            assert db.session.query(Run).filter_by(kind=RunKind.VERIFY_ACCOUNT).count() == 2

    def test_before_the_first_reading_there_is_nothing_to_show(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        assert "Nothing has been read yet" in owner.get_page(path(account1, "found")).text

    def test_an_old_account_is_not_introduced_again(self, app: Flask, account1: Account, owner: PageClient) -> None:
        from datetime import timedelta

        from app.models.mixins import utc_now

        with app.app_context():
            account = db.session.get_one(Account, account1.id)
            account.last_good_at, account.created_at = utc_now(), utc_now() - timedelta(days=2)
            db.session.commit()
        page = owner.get_page(path(account1))
        assert "What we found" not in page.text
        assert page.links()["What is in it"] == path(account1, "found")
