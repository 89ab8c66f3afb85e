"""Why an instance has the authorization that it has."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.database import db
from app.models import AuthorizationRule, Instance, User
from app.models.types import AuthSource
from app.services.rules.scope import visible_rules
from app.services.rules.verdicts import allowed_by


@dataclass(frozen=True, slots=True)
class Why:
    """What an instance's status rests on; `source` says of which kind that is."""

    source: AuthSource
    sentence: str
    rule: AuthorizationRule | None
    """The rule that allows it (RULE), or that did until it ended (NONE); None where the viewer may not see it."""

    by: str
    """The username of who decided by hand; empty where nobody did, or is there no more."""

    since: datetime | None

    @property
    def stands(self) -> bool:
        """Whether rules leave it alone, because a person or the baseline has decided."""
        return self.source in {AuthSource.PERSON, AuthSource.BASELINE}


def explain_status(viewer: User, instance: Instance) -> Why:
    """Why the instance, which the viewer may see, has its status; `auth_changed_by` must be loaded. One statement."""
    rule = None
    if instance.auth_rule_id is not None:
        query = sa.select(AuthorizationRule).where(AuthorizationRule.id == instance.auth_rule_id)
        rule = db.session.scalar(query.where(visible_rules(viewer)))
    sentence = instance.auth_reason
    if rule is not None and instance.auth_source is AuthSource.RULE:
        # As the rule is called now: what is stored is from when it was decided.
        sentence = allowed_by(rule.name, rule.owner_name, rule.expires_on)
    return Why(
        instance.auth_source,
        sentence,
        rule,
        instance.auth_changed_by.username if instance.auth_changed_by else "",
        instance.auth_changed_at,
    )
