"""The seeded installation of `test_every_page.py`: every state that a page can show, and the worst of texts in it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from flask import Flask

from app.aws.grants import ALL_GRANTS
from app.aws.organizations import OrganizationAccount
from app.database import db
from app.errors import AwsFault, FaultCode
from app.models import (
    Account,
    AuthorizationRule,
    AuthorizationRuleAccount,
    Downtime,
    Experiment,
    Instance,
    InstanceChange,
    Run,
    User,
)
from app.models.types import ChangeKind, Decision, DowntimeCause, LogLevel, Role, RuleState, RunKind, RunState
from app.services import runs, system_logs
from app.services.accounts import candidates, connect, many
from app.services.accounts.account_list import read_list
from app.services.accounts.grants import keep_grants
from app.services.accounts.organization import record_members
from app.services.rules.conditions import Condition, Field, dump_conditions
from app.services.saved_views import save_view
from demo.aws.cloud import SimulatedAws
from demo.aws.workloads import AWKWARD_TAGS
from tests.factories import make_user
from tests.integration.customers import connected, enter_by_keys, enter_by_role, make_role, name_role
from tests.jobs import run_jobs

#: Each would open a dialog, break out of an attribute, or stretch the page, if it were not shown as it is.
HOSTILE = (
    "<script>alert('tag')</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(2)' autofocus='",
    "</textarea></title><svg/onload=alert(3)>",
    "{{ 7 * 7 }}{% raw %}${alert(4)}",
    "javascript:alert(5)",
    "\u202egnp.exe \u200b\u200d",
    "W" * 128,
)


@dataclass
class Seeded:
    """Whom and what the pages are opened with."""

    people: dict[str, User] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    views: dict[str, int] = field(default_factory=dict)
    odd_instances: list[int] = field(default_factory=list)


def seed(app: Flask, aws: SimulatedAws) -> Seeded:
    """Fill an empty installation through the same services as the pages, with AWS simulated."""
    world = Seeded()
    with app.app_context():
        roles = {"client1": Role.CLIENT, "client3": Role.CLIENT, "admin": Role.ADMIN, "superadmin": Role.SUPER_ADMIN}
        for name, role in roles.items():
            world.people[name] = make_user(name, role=role)
        db.session.commit()
        for user in world.people.values():
            db.session.refresh(user)
        db.session.expunge_all()
    owner = world.people["client1"]
    world.views = _save_views(app, world.people)
    world.accounts = _enter_accounts(app, aws, owner)
    _launch(aws, "111111111111")
    aws.deny_region("111111111111", "eu-west-1")
    run_jobs(app)
    _connect_many(app, world)
    _age(app, aws, world)
    return world


def _connect_many(app: Flask, world: Seeded) -> None:
    """A list with the worst of lines in it, an organization of such names, and keys that were refused."""
    owner = world.people["client1"]
    with app.app_context():
        good, bad = read_list("\n".join(["555555555555," + "W" * 128, "666666666666", *HOSTILE]))
        world.accounts["batch"] = many.connect_many(db.session.get_one(User, owner.id), good, bad).id
        active = db.session.get_one(Account, world.accounts["active"])
        keep_grants(active, ALL_GRANTS)
        members = [OrganizationAccount(f"{number:012d}", text, "ACTIVE") for number, text in enumerate(HOSTILE)]
        record_members(active.id, members)
        candidates.propose(active, actor=db.session.get_one(User, owner.id), keys=("AKIA" + "X" * 16, "x" * 40))
        proposed = candidates.find_candidate(active)
        assert proposed is not None
        candidates.refuse(active, proposed, AwsFault(FaultCode.INVALID_ACCESS_KEY, HOSTILE[0]))
        gone = db.session.get_one(Account, world.accounts["gone"])
        gone.keys_changed_at = gone.created_at - timedelta(days=400)
        db.session.commit()


def _enter_accounts(app: Flask, aws: SimulatedAws, owner: User) -> dict[str, int]:
    accounts = {
        "active": connected(app, aws, owner, "111111111111"),
        "new": enter_by_role(app, owner, "222222222222", HOSTILE[1]),
        "open": enter_by_role(app, owner, "333333333333", HOSTILE[7]),
    }
    name_role(app, accounts["open"], make_role(aws, accounts["open"], external_id=""))
    gone = aws.create_user_keys("444444444444")
    accounts["gone"] = enter_by_keys(app, owner, gone, "444444444444")
    aws.revoke_keys(gone)
    return {name: account.id for name, account in accounts.items()}


def _save_views(app: Flask, people: dict[str, User]) -> dict[str, int]:
    with app.app_context():
        view = save_view(people["client1"], HOSTILE[7][:80], "state=running")
        save_view(people["admin"], HOSTILE[0], "auth_status=unauthorized", shared_with=Role.CLIENT)
        db.session.commit()
        return {"view": view.id}


def _launch(aws: SimulatedAws, account_id: str) -> None:
    tags = [*AWKWARD_TAGS, *({"Name": text, text[:120]: text} for text in HOSTILE)]
    for number, each in enumerate(tags):
        aws.run_instances(account_id, "us-east-1", 1, tags=each, lifecycle="spot" if number % 2 else None)
    aws.run_instances(account_id, "us-east-1", 60, tags={"Name": "web"})


def _tell(instance: Instance, now: datetime) -> None:
    """A history with the worst of texts in it."""
    for field_, before, after in (
        ("state", "running", "stopped"),
        ("name", HOSTILE[0], HOSTILE[7]),
        ("Tags", dict.fromkeys(HOSTILE, ""), {text[:100]: text for text in HOSTILE}),
        ("SecurityGroupIds", ["sg-1"], ["sg-2"]),
        ("interruption", None, HOSTILE[1]),
    ):
        change = {"field": field_, "before": before, "after": after, "happened_at": now}
        about = {"account_id": instance.account_id, "instance_pk": instance.id}
        db.session.add(InstanceChange(**about, **change, kind=ChangeKind.CHANGED, seen_at=now))


def _under_way(account_pk: int, now: datetime) -> Run:
    """A discovery that nobody will end: its worker is on its second attempt, and one region gives trouble."""
    return Run(
        kind=RunKind.DISCOVER_ACCOUNT,
        account_id=account_pk,
        state=RunState.RUNNING,
        active_key=f"discover_account:{account_pk}",
        token="t",
        lease_until=now + timedelta(days=1),
        due_at=now,
        started_at=now - timedelta(minutes=3),
        attempt=2,
        progress_done=9,
        progress_total=17,
        summary={
            "regions_enabled": 17,
            "regions_read": 8,
            "instances_seen": 12_345,
            "instances_added": 67,
            "instances_changed": 8,
            "instances_vanished": 9,
            "unread": {"eu-south-1": "throttled"},
            "calls": 40,
        },
    )


def _make_rules(world: Seeded, now: datetime) -> None:
    """One that ends soon and allows all that nobody has decided, and one that has expired."""
    for name, days, state in (("ending", 3, RuleState.ACTIVE), ("expired", -2, RuleState.EXPIRED)):
        day = now.date() + timedelta(days=days)
        about = {"owner_name": HOSTILE[0], "owner_contact": HOSTILE[7], "note": HOSTILE[1], "expires_on": day}
        values = (f"team={HOSTILE[3]}", f"{HOSTILE[7]}*")
        asked = (Condition(Field.TAG, values),) if state is RuleState.EXPIRED else ()
        every = Condition(Field.ACCOUNT, ("1" * 12, "2" * 12))
        rule = AuthorizationRule(
            name=HOSTILE[1] if state is RuleState.ACTIVE else HOSTILE[7],
            conditions=dump_conditions((every, *asked)),
            state=state,
            **about,
        )
        db.session.add(rule)
        db.session.flush()
        db.session.add_all(AuthorizationRuleAccount(rule_id=rule.id, account_id=each) for each in every.values)
        world.rules[name] = rule.id
        runs.enqueue(RunKind.APPLY_RULES)


def _age(app: Flask, aws: SimulatedAws, world: Seeded) -> None:
    """What takes days in life: a vanished instance, decisions, downtime, a warning, a job that waits."""
    with app.app_context():
        rows = db.session.scalars(sa.select(Instance).order_by(Instance.id)).all()
        world.odd_instances = [row.id for row in rows if row.name != "web"]
        hostile = next(row for row in rows if row.name == HOSTILE[0])
        world.instances = {"hostile": hostile.id, "missing": rows[-1].id}
        aws.forget_instance("111111111111", "us-east-1", rows[-1].instance_id)
        aws.run_instances("111111111111", "us-east-1", 2, tags={"Name": "came later"})
        account = db.session.get_one(Account, world.accounts["active"])
        actor = db.session.get_one(User, world.people["client1"].id)
        connect.request_discovery(account, actor=actor)
        now = datetime.now(UTC)
        for number, row in enumerate(rows[:6]):
            about = {"account_id": row.account_id, "instance_pk": row.id, "instance_id": row.instance_id}
            decision = Decision.SWITCH if number % 2 else Decision.HOLD
            db.session.add(
                Experiment(**about, decision=decision, reason=HOSTILE[number], hourly_saving=Decimal("0.0123"))
            )
            ended = None if number == 0 else now
            db.session.add(
                Downtime(
                    **about,
                    region="us-east-1",
                    started_at=now - timedelta(hours=number + 1),
                    ended_at=ended,
                    cause=DowntimeCause.SPOT_INTERRUPTION,
                )
            )
            system_logs.record("tests", HOSTILE[number], level=LogLevel.WARNING, user=actor, text=HOSTILE[number])
        _make_rules(world, now)
        db.session.commit()
    run_jobs(app)
    with app.app_context():
        # Left waiting, so that the page that follows it is seen, too.
        runs.enqueue(RunKind.VERIFY_ACCOUNT, account=db.session.get_one(Account, world.accounts["gone"]))
        _tell(db.session.get_one(Instance, world.instances["hostile"]), now)
        db.session.add(_under_way(world.accounts["open"], now))
        db.session.commit()
        for name, kind, account in (
            ("discovery", RunKind.DISCOVER_ACCOUNT, "active"),
            ("refused", RunKind.VERIFY_ACCOUNT, "open"),
        ):
            of = (Run.kind == kind, Run.account_id == world.accounts[account])
            world.runs[name] = db.session.scalars(sa.select(Run.id).where(*of).order_by(Run.id.desc())).first() or 0
