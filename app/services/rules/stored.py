"""Decides instances that are there already, by what is stored of them."""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from app.database import database_now, db
from app.models import Account, Instance, InstanceTag
from app.services.instances.tallies import move_auth_tallies
from app.services.rules.conditions import Facts
from app.services.rules.decide import CHUNK, Decided, decide, load_rules


def load_facts(instance_pks: Sequence[int]) -> dict[int, Facts]:
    """What rules may ask about, by `instances.id`; those that are gone are left out."""
    tags: dict[int, dict[str, str]] = defaultdict(dict)
    facts: dict[int, Facts] = {}
    shown = sa.select(
        *(Instance.id, Account.account_id, Instance.region, Instance.instance_type, Instance.lifecycle),
        *(Instance.image_id, Instance.subnet_id),
    ).join(Account, Account.id == Instance.account_id)
    tagged = sa.select(InstanceTag.instance_pk, InstanceTag.key, InstanceTag.value)
    for start in range(0, len(instance_pks), CHUNK):
        chunk = instance_pks[start : start + CHUNK]
        for instance_pk, key, value in db.session.execute(tagged.where(InstanceTag.instance_pk.in_(chunk))):
            tags[instance_pk][key] = value
        for row in db.session.execute(shown.where(Instance.id.in_(chunk))):
            facts[row.id] = Facts(*row[1:], tags=tags[row.id])
    return facts


def decide_stored(account_pk: int, instance_pks: Sequence[int], *, released_by: str = "") -> Decided:
    """Give these instances of one account the status that the rules say, and count them; in the current transaction.

    Locks the account's row until that ends. `released_by` as in `decide`.
    """
    account_id = db.session.scalar(sa.select(Account.account_id).where(Account.id == account_pk).with_for_update())
    if account_id is None:
        return Decided({})  # disconnected meanwhile
    rules = load_rules().narrowed(account_id)
    facts = load_facts(instance_pks)
    decided = decide(account_pk, rules, facts, now=database_now(), released_by=released_by)
    move_auth_tallies(account_pk, decided.moves)
    return decided
