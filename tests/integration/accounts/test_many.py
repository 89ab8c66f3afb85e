"""Many accounts at once: entered, proved each by itself, asked about again only where that is needed."""

import json

import pytest
import sqlalchemy as sa
import yaml
from flask import Flask

from app.aws.grants import Grant
from app.aws.identity import CallerIdentity
from app.database import db
from app.errors import FaultCode, NotFoundError
from app.models import Account, OrganizationAccount, Run, User
from app.models.types import AccountStatus, RunState
from app.services.accounts import many, verify
from app.services.accounts.account_list import read_list
from app.services.accounts.grants import choose_grants, grants_of
from app.services.accounts.listing import list_batch_accounts
from app.services.accounts.organization import describe_organization
from app.services.identity import record_identity
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.fakes.aws import APP_ACCOUNT, Boto
from tests.integration.customers import AWS_ID, connected, enter_by_role, make_role
from tests.jobs import run_jobs

IDS = ["100000000001", "100000000002", "100000000003"]


@pytest.fixture(autouse=True)
def identity(app: Flask) -> None:
    know_us(app)


def know_us(app: Flask) -> None:
    with app.app_context():
        record_identity(CallerIdentity(APP_ACCOUNT, f"arn:aws:iam::{APP_ACCOUNT}:user/spotkeeper", "aws", "AIDAX"))
        db.session.commit()


def enter(app: Flask, owner: User, text: str) -> int:
    with app.app_context():
        good, bad = read_list(text)
        batch = many.connect_many(db.session.get_one(User, owner.id), good, bad)
        db.session.commit()
        return batch.id


def accounts_of(app: Flask, owner: User, batch_id: int) -> dict[str, Account]:
    with app.app_context():
        batch = many.get_batch(db.session.get_one(User, owner.id), batch_id)
        accounts = [row.account for row in list_batch_accounts(batch)]
        db.session.expunge_all()
    return {account.account_id: account for account in accounts}


def refused(app: Flask, owner: User, batch_id: int) -> dict[str, str]:
    with app.app_context():
        lines = many.get_batch(db.session.get_one(User, owner.id), batch_id).refused_lines
    return {line["text"]: line["reason"] for line in lines}


def retest(app: Flask, owner: User, batch_id: int) -> int:
    with app.app_context():
        user = db.session.get_one(User, owner.id)
        count = many.retest(many.get_batch(user, batch_id), actor=user)
        db.session.commit()
    return count


class TestEntering:
    def test_each_has_an_external_id_of_its_own_and_connects_by_itself(
        self, any_database: Flask, aws: SimulatedAws
    ) -> None:
        app = any_database
        know_us(app)
        with app.app_context():
            owner = make_user()
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge_all()
        batch_id = enter(app, owner, "\n".join([f"{IDS[0]},One", f"arn:aws:iam::{IDS[1]}:role/SpotkeeperReadOnly"]))
        entered = accounts_of(app, owner, batch_id)
        assert [account.account_name for account in entered.values()] == [IDS[1], "One"]
        assert len({account.external_id for account in entered.values()}) == 2
        for account in entered.values():
            make_role(aws, account)
        run_jobs(app)
        assert {account.status for account in accounts_of(app, owner, batch_id).values()} == {AccountStatus.ACTIVE}

    def test_bad_lines_and_accounts_that_are_here_are_kept_with_the_reason(self, app: Flask, client1: User) -> None:
        enter_by_role(app, client1, IDS[0])
        batch_id = enter(app, client1, f"{IDS[0]},Again\nnonsense\n{IDS[1]}")
        assert set(accounts_of(app, client1, batch_id)) == {IDS[1]}
        reasons = refused(app, client1, batch_id)
        assert reasons[f"{IDS[0]},Again"] == many.ALREADY_HERE
        assert "begins with" in reasons["nonsense"]

    def test_somebody_else_s_account_is_entered_like_any_other_and_nothing_is_told(
        self, app: Flask, aws: SimulatedAws, client1: User, client2: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connected(app, aws, client1, IDS[0])
        run_jobs(app)
        monkeypatch.setattr(verify, "LOOKING_PATIENCE", verify.LOOKING_PATIENCE * 0)
        aws.calls.clear()
        batch_id = enter(app, client2, "\n".join(IDS[:2]))
        run_jobs(app)
        theirs = accounts_of(app, client2, batch_id)
        assert refused(app, client2, batch_id) == {}
        told = {(account.status, account.error_code, account.error_message) for account in theirs.values()}
        assert len(told) == 1, "an account that nobody has looks the same"
        sent = {call.external_id for call in aws.calls_to("AssumeRole")}
        assert sent == {account.external_id for account in theirs.values()}

    def test_a_list_is_its_owner_s_alone(self, app: Flask, client1: User, superadmin: User) -> None:
        batch_id = enter(app, client1, IDS[0])
        with app.app_context(), pytest.raises(NotFoundError):
            many.get_batch(db.session.get_one(User, superadmin.id), batch_id)


class TestAskingAgain:
    def test_only_those_that_did_not_connect(
        self, app: Flask, aws: SimulatedAws, client1: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verify, "LOOKING_PATIENCE", verify.LOOKING_PATIENCE * 0)
        other = f"arn:aws:iam::{IDS[2]}:role/Other"
        batch_id = enter(app, client1, f"{IDS[0]}\n{IDS[1]}\n{other}")
        entered = accounts_of(app, client1, batch_id)
        make_role(aws, entered[IDS[0]])
        run_jobs(app)
        states = {account_id: each.status for account_id, each in accounts_of(app, client1, batch_id).items()}
        assert states == {
            IDS[0]: AccountStatus.ACTIVE,
            IDS[1]: AccountStatus.PENDING,
            IDS[2]: AccountStatus.FAILED,
        }
        make_role(aws, entered[IDS[1]])
        aws.calls.clear()
        assert retest(app, client1, batch_id) == 2
        assert retest(app, client1, batch_id) == 0, "they are being asked about"
        run_jobs(app)
        assert {call.account_id for call in aws.calls_to("AssumeRole")} == {IDS[1], IDS[2]}
        assert accounts_of(app, client1, batch_id)[IDS[1]].status is AccountStatus.ACTIVE


class TestTheTemplate:
    def test_deployed_as_it_is_it_connects_every_account(
        self, app: Flask, aws: SimulatedAws, client1: User, boto: Boto
    ) -> None:
        batch_id = enter(app, client1, "\n".join(IDS[:2]))
        with app.app_context():
            batch = many.get_batch(db.session.get_one(User, client1.id), batch_id)
            (setup,) = many.describe_batch(batch, list_batch_accounts(batch))
        assert setup.account_ids == IDS[:2]
        for account_id in IDS[:2]:
            cloudformation = boto(aws.create_admin_keys(account_id), "cloudformation")
            cloudformation.create_stack(
                StackName="spotkeeper-access", TemplateBody=setup.template, Capabilities=["CAPABILITY_NAMED_IAM"]
            )
        run_jobs(app)
        assert {account.status for account in accounts_of(app, client1, batch_id).values()} == {AccountStatus.ACTIVE}
        with app.app_context():
            batch = many.get_batch(db.session.get_one(User, client1.id), batch_id)
            assert not many.describe_batch(batch, list_batch_accounts(batch)), "there is nothing left to make"
        assert yaml.compose(setup.template)


class TestTheOrganization:
    @pytest.fixture
    def manager(self, app: Flask, aws: SimulatedAws, client1: User, boto: Boto) -> Account:
        """The connected management account of an organization with two more accounts."""
        organizations = boto(aws.create_admin_keys(AWS_ID), "organizations")
        organizations.create_organization(FeatureSet="ALL")
        for name in ("Sales", "Research"):
            organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        return enter_by_role(app, client1)

    def choose(self, app: Flask, account: Account, *grants: Grant) -> None:
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            choose_grants(row, grants, actor=db.session.get_one(User, row.user_id))
            db.session.commit()
        run_jobs(app)

    def verify(self, app: Flask, aws: SimulatedAws, account: Account, *grants: Grant) -> None:
        from app.aws.cloudformation import permission_policy
        from tests.integration.customers import name_role

        name_role(app, account, make_role(aws, account, permissions=permission_policy(grants=grants)))
        run_jobs(app)

    def test_its_accounts_are_listed_once_that_was_chosen(
        self, app: Flask, aws: SimulatedAws, client1: User, manager: Account
    ) -> None:
        self.verify(app, aws, manager, Grant.ORGANIZATION)
        assert not aws.calls_to("ListAccounts"), "it was not chosen"
        self.choose(app, manager, Grant.ORGANIZATION)
        with app.app_context():
            row = db.session.get_one(Account, manager.id)
            found = describe_organization(row, db.session.get_one(User, client1.id))
            assert found.fault is None
            assert {member.name for member in found.members} >= {"Sales", "Research"}
            own = next(member for member in found.members if member.account_id == AWS_ID)
            assert own.connected_pk == manager.id
            assert not own.can_be_entered
            assert "example.com" not in json.dumps(row.account_metadata)
            listed = db.session.scalar(sa.select(sa.func.count()).select_from(OrganizationAccount))
            assert listed == len(found.members)

    def test_a_denial_is_told_and_what_was_known_is_kept(
        self, app: Flask, aws: SimulatedAws, client1: User, manager: Account
    ) -> None:
        self.verify(app, aws, manager, Grant.ORGANIZATION)
        self.choose(app, manager, Grant.ORGANIZATION)
        make_role(aws, manager)  # without the permission
        self.choose(app, manager, Grant.ORGANIZATION, Grant.PRICES)
        with app.app_context():
            row = db.session.get_one(Account, manager.id)
            found = describe_organization(row, db.session.get_one(User, client1.id))
            assert found.fault is FaultCode.DENIED_IAM
            assert found.members
            assert row.status is AccountStatus.ACTIVE, "the account itself is well"
            assert grants_of(row) == {Grant.ORGANIZATION, Grant.PRICES}
            assert not db.session.scalar(sa.select(Run.id).where(Run.state == RunState.FAILED))
