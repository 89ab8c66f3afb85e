"""Which of several rules allows an instance; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from app.services.rules.conditions import Conditions, Facts, Field, holds, meets


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """A rule that allows something today."""

    id: int
    name: str
    owner_name: str
    expires_on: date | None
    conditions: Conditions

    @property
    def reason(self) -> str:
        """Why an instance is authorized that this rule allows; fits into `instances.auth_reason`."""
        return allowed_by(self.name, self.owner_name, self.expires_on)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force, in the order in which they are asked: whatever the order they are given in, the one that
    lasts longest comes first, so that an instance changes hands as seldom as can be."""

    rules: tuple[RuleInForce, ...] = field(default=())

    @classmethod
    def of(cls, rules: Iterable[RuleInForce]) -> "RuleSet":
        return cls(tuple(sorted(rules, key=lambda rule: (-(rule.expires_on or date.max).toordinal(), rule.id))))

    def __bool__(self) -> bool:
        return bool(self.rules)

    def narrowed(self, account_id: str, region: str | None = None) -> "RuleSet":
        """Those that may allow something in this account (AWS's id) and region: asked once, not for each instance."""
        asked = {Field.ACCOUNT} if region is None else {Field.ACCOUNT, Field.REGION}
        facts = Facts(account_id, region or "", "", "", "", "", {})
        return RuleSet(
            tuple(
                rule
                for rule in self.rules
                if all(holds(condition, facts) for condition in rule.conditions if condition.field in asked)
            )
        )

    def find(self, facts: Facts) -> RuleInForce | None:
        """The first that allows it."""
        return next((rule for rule in self.rules if meets(facts, rule.conditions)), None)


def allowed_by(name: str, owner_name: str, expires_on: date | None) -> str:
    """The sentence that names a rule as the reason."""
    until = f" until {expires_on.isoformat()}" if expires_on else ""
    return f"Allowed by rule “{name}” (owner: {owner_name}){until}"
