"""Which rules a viewer may see, as a condition that goes inside the SELECT.

Admins make rules and see all of them. A client sees those that cover one of the client's own accounts, for they decide
what becomes of its instances; of their conditions on accounts only the own ones are shown (`listing.py`).
"""

import sqlalchemy as sa

from app.models import Account, AuthorizationRule, AuthorizationRuleAccount, User
from app.models.types import Role


def visible_rules(viewer: User) -> sa.ColumnElement[bool]:
    """The condition on `authorization_rules`."""
    if viewer.can(Role.ADMIN):
        return sa.true()
    own = sa.select(Account.account_id).where(Account.user_id == viewer.id, Account.verified_account_id.is_not(None))
    has_accounts = sa.exists().where(Account.user_id == viewer.id, Account.verified_account_id.is_not(None))
    covers_own = sa.exists().where(
        AuthorizationRuleAccount.rule_id == AuthorizationRule.id, AuthorizationRuleAccount.account_id.in_(own)
    )
    return sa.or_(sa.and_(AuthorizationRule.covers_all_accounts, has_accounts), covers_own)
