"""What a fault means in our words, and what to do about it: one entry for each `FaultCode`."""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import FaultCode


class Mover(StrEnum):
    """Who can mend it."""

    OWNER = "owner"
    OPERATOR = "operator"
    """Whoever runs this installation."""

    ORGANIZATION = "organization"
    """Whoever manages the organization in AWS."""

    NOBODY = "nobody"
    """It passes, and is tried again by itself."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """`title` says what happened, `advice` how to mend it, `mover` whose move it is; `shows_trust_policy` and
    `shows_permission_policy` ask for the JSON beside it."""

    title: str
    advice: str
    shows_trust_policy: bool = False
    shows_permission_policy: bool = False
    mover: Mover = Mover.OWNER

    @property
    def first_step(self) -> str:
        """The advice's first sentence."""
        first, _, rest = self.advice.partition(". ")
        return f"{first}." if rest else first


REMEDIES: dict[FaultCode, Remedy] = {
    FaultCode.ACCESS_DENIED: Remedy(
        "AWS did not let us assume the role",
        "AWS gives the same answer for a role that does not exist, a trust policy that names another principal and a "
        "wrong External ID. Check that the role's ARN is right, and that its trust policy is exactly the one that its "
        "owner is shown here. A role made a moment ago can take a minute to become usable.",
        shows_trust_policy=True,
    ),
    FaultCode.EXTERNAL_ID_NOT_ENFORCED: Remedy(
        "The role does not insist on its External ID",
        "It let us in with a wrong External ID or with none, so anybody who can use this installation could be led "
        "into your account. Replace the role's trust policy by the one shown to its owner here, then verify again.",
        shows_trust_policy=True,
    ),
    FaultCode.ACCOUNT_MISMATCH: Remedy(
        "These credentials belong to another AWS account",
        "Check the account id that you entered, or give the role or keys of that account.",
    ),
    FaultCode.ACCOUNT_TAKEN: Remedy(
        "This AWS account cannot be connected here",
        "An AWS account is connected at most once in an installation. Ask your administrator.",
    ),
    FaultCode.INVALID_ACCESS_KEY: Remedy(
        "AWS does not know this access key",
        "It was deleted or made inactive, or was mistyped. Make a new key for the user in IAM and replace it here.",
    ),
    FaultCode.BAD_SECRET_KEY: Remedy(
        "The secret does not belong to this access key",
        "Replace the keys: paste the secret as AWS showed it when the key was made. It cannot be looked up later.",
    ),
    FaultCode.EXPIRED_CREDENTIALS: Remedy(
        "The credentials have expired", "Replace them, or change to a role, which does not expire."
    ),
    FaultCode.ROOT_CREDENTIALS: Remedy(
        "Keys of the root user are refused",
        "They can do everything in the account and cannot be limited. Make an IAM role, or a user with the "
        "read-only policy shown here, and delete the root user's keys.",
        shows_permission_policy=True,
    ),
    FaultCode.TEMPORARY_CREDENTIALS: Remedy(
        "Temporary keys are refused",
        "They stop working within hours. Use a role, or a user's long-term key (it begins with AKIA).",
    ),
    FaultCode.UNREADABLE_SECRET: Remedy(
        "The stored keys cannot be opened",
        "The encryption key they were sealed with is not loaded any more, or the row was altered. An administrator "
        "can tell by “flask secrets doctor”; replacing the keys also mends it.",
        mover=Mover.OPERATOR,
    ),
    FaultCode.DENIED_IAM: Remedy(
        "A permission is missing",
        "The role or user may not do what an inventory needs. Attach the read-only policy that its owner is shown "
        "here.",
        shows_permission_policy=True,
    ),
    FaultCode.DENIED_SCP: Remedy(
        "Denied by a service control policy (SCP)",
        "Your organization denies this region or action whatever the role allows. Nothing is wrong with the "
        "connection; ask whoever manages your organization if the region should be readable.",
        mover=Mover.ORGANIZATION,
    ),
    FaultCode.NOT_OPTED_IN: Remedy(
        "The region is not enabled for this account", "Nothing can run there. Enable it in AWS if you want to use it."
    ),
    FaultCode.THROTTLED: Remedy(
        "AWS asked us to slow down",
        "The request limit is shared with everything else that uses this account. We try again by ourselves.",
        mover=Mover.NOBODY,
    ),
    FaultCode.MALFORMED: Remedy(
        "The answer was not AWS's, or came damaged",
        "A proxy or a captive portal may stand between this installation and AWS. What was known is kept; "
        "we try again by ourselves.",
        mover=Mover.NOBODY,
    ),
    FaultCode.UNREACHABLE: Remedy(
        "AWS could not be reached",
        "This installation's network, or AWS itself, did not answer. What was known is kept; we try again by "
        "ourselves.",
        mover=Mover.NOBODY,
    ),
    FaultCode.AWS_ERROR: Remedy(
        "AWS answered with an error of its own",
        "What was known is kept; we try again by ourselves.",
        mover=Mover.NOBODY,
    ),
    FaultCode.CLOCK_SKEW: Remedy(
        "This installation's clock is wrong",
        "AWS refuses requests that are more than five minutes off. Switch on time synchronization on this machine.",
        mover=Mover.OPERATOR,
    ),
    FaultCode.NO_APP_IDENTITY: Remedy(
        "This installation has no AWS identity of its own",
        "Without one it cannot assume a role. An administrator can give it an instance profile or AWS_* variables "
        "(see docs/aws-access.md). Until then, accounts can be connected by access keys.",
        mover=Mover.OPERATOR,
    ),
    FaultCode.LEASE_LOST: Remedy(
        "Another worker took the job over",
        "Nothing needs to be done.",
        mover=Mover.NOBODY,
    ),
    FaultCode.INTERNAL: Remedy(
        "Something went wrong in Spotkeeper",
        "What was known is kept. The system log has the details; we try again by ourselves.",
        mover=Mover.NOBODY,
    ),
}


def remedy_for(code: FaultCode | None) -> Remedy | None:
    """The entry for a stored code; None where there is no fault."""
    return REMEDIES[code] if code else None
