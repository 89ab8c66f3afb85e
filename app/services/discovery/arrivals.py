"""Decides, by the rules, what a discovery brings of one region: new instances, and those that have become different."""

from collections.abc import Iterable
from datetime import datetime

from app.aws.records import InstanceRecord
from app.models import Account
from app.services.discovery.rows import stored_tags
from app.services.rules.conditions import Facts
from app.services.rules.decide import decide, load_rules
from app.services.rules.verdicts import RuleSet


class Arrivals:
    """One region of an account, in the transaction that stores it. Where nothing has changed, it asks for nothing."""

    def __init__(self, account: Account, region: str, now: datetime, run_id: int | None) -> None:
        self._account = account
        self._region = region
        self._now = now
        self._run_id = run_id
        self._rules: RuleSet | None = None

    def decide(self, written: Iterable[tuple[int, InstanceRecord]]) -> None:
        """Decide these, by `instances.id`, after their rows were written; the account's row is locked."""
        batch = list(written)
        if not batch:
            return
        if self._rules is None:
            self._rules = load_rules().narrowed(self._account.account_id, self._region)
        # Where no rule is left that could allow any, those that one did allow are decided by the job that
        # ends it.
        if self._rules:
            facts = {instance_pk: facts_of(self._account.account_id, record) for instance_pk, record in batch}
            decide(self._account.id, self._rules, facts, now=self._now, run_id=self._run_id)


def facts_of(account_id: str, record: InstanceRecord) -> Facts:
    """The record's facts as the database has them."""
    return Facts(
        account_id,
        record.region[:32],
        record.instance_type[:64],
        record.lifecycle[:64],
        record.image_id[:64],
        record.subnet_id[:64],
        stored_tags(record.tags),
    )
