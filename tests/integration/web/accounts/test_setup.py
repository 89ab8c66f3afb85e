"""What the owner is told to do in AWS, and naming the role that comes of it."""

import json
from dataclasses import replace

import pytest
from flask import Flask

from app.models import Account, User
from app.models.types import AccountStatus
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.fakes.aws import APP_ACCOUNT
from tests.integration.customers import AWS_ID, enter_by_role, make_role
from tests.integration.web.accounts.pages import (
    BAD_ARNS,
    OTHER_ID,
    count_runs,
    error_of,
    facts,
    path,
    read_yaml,
)
from tests.jobs import reload, run_jobs


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
        template = read_yaml(answer.text)
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
        assert count_runs(app) == 0

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
        assert [text_of(head) for head in page.all("th", scope="row")][:2] == ["eu-west-1", "us-east-1"]
        assert "nothing can run there: me-south-1" in page.text

    def test_nothing_else_can_be_set(self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient) -> None:
        account = enter_by_role(app, client1)
        extra = {"external_id": "0" * 32, "status": "active", "verified_account_id": AWS_ID, "account_id": OTHER_ID}
        owner.send(path(account, "role"), {"role_arn": make_role(aws, account), **extra})
        after = reload(app, account)
        assert (after.external_id, after.account_id) == (account.external_id, AWS_ID)
        assert (after.status, after.verified_account_id) == (AccountStatus.PENDING, None)
