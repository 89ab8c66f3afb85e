"""The shapes of what people paste: role ARNs, account ids, keys, External IDs; pure, does not import boto3.

Every `check_*` and `parse_*` returns the cleaned value or raises ValueError with a sentence fit for the person
who pasted it. Shapes: IAM and STS API references; key ids in practice have 20 characters.
"""

import re
import secrets
from dataclasses import dataclass

DEFAULT_ROLE_NAME = "SpotkeeperReadOnly"

#: A key id is 20 characters in practice, though the API's model allows 16 to 128.
ACCESS_KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
#: `eusc-de-east-1` begins with four letters, the others with two.
REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
ROLE_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov|aws-eusc|aws-iso(?:-[bef])?):iam::([0-9]{12}):role/"
    r"((?:[\x21-\x7e]{1,510}/)?)([A-Za-z0-9_+=,.@-]{1,64})"
)
SESSION_NAME_REFUSED = re.compile(r"[^A-Za-z0-9_+=,.@-]+")

ARN_LENGTH = range(20, 2049)
ROLE_ARN_EXAMPLE = f"arn:aws:iam::123456789012:role/{DEFAULT_ROLE_NAME}"


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of AWS with its own accounts, endpoints and console."""

    name: str
    title: str
    default_region: str
    console_host: str | None
    """Without the leading region; None where a link cannot be made (the isolated partitions)."""

    region_prefixes: tuple[str, ...]


#: The console hosts of China, GovCloud and the European sovereign cloud are from general knowledge.
PARTITIONS: dict[str, Partition] = {
    partition.name: partition
    for partition in (
        Partition("aws", "AWS", "us-east-1", "console.aws.amazon.com", ()),
        Partition("aws-cn", "AWS China", "cn-north-1", "console.amazonaws.cn", ("cn-",)),
        Partition("aws-us-gov", "AWS GovCloud (US)", "us-gov-west-1", "console.amazonaws-us-gov.com", ("us-gov-",)),
        Partition(
            "aws-eusc",
            "AWS European Sovereign Cloud",
            "eusc-de-east-1",
            "console.amazonaws-eusc.eu",
            ("eusc-",),
        ),
        Partition("aws-iso", "AWS ISO (US)", "us-iso-east-1", None, ("us-iso-",)),
        Partition("aws-iso-b", "AWS ISOB (US)", "us-isob-east-1", None, ("us-isob-",)),
        Partition("aws-iso-e", "AWS ISOE (Europe)", "eu-isoe-west-1", None, ("eu-isoe-",)),
        Partition("aws-iso-f", "AWS ISOF", "us-isof-south-1", None, ("us-isof-", "eu-isof-")),
    )
}


@dataclass(frozen=True, slots=True)
class RoleArn:
    """A role's ARN, taken apart. `path` begins and ends with a slash ("/" when there is none)."""

    partition: str
    account_id: str
    path: str
    name: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.name}"


def parse_role_arn(text: str) -> RoleArn:
    """Take a pasted role ARN apart. Raises ValueError naming the mistake.

    >>> parse_role_arn(" arn:aws:iam::123456789012:role/ops/Reader ").path
    '/ops/'
    """
    arn = text.strip()
    if match := (ROLE_ARN.fullmatch(arn) if len(arn) in ARN_LENGTH else None):
        partition, account_id, path, name = match.groups()
        return RoleArn(partition, account_id, f"/{path}", name)
    raise ValueError(_role_arn_mistake(arn))


def _role_arn_mistake(arn: str) -> str:
    if not arn:
        return f"Paste the role's ARN; it looks like {ROLE_ARN_EXAMPLE}."
    if len(arn) > ARN_LENGTH.stop - 1:
        return "This is longer than any ARN (2,048 characters). Paste the role's ARN alone."
    if any(character.isspace() for character in arn):
        return "The ARN has a space or a line break inside. Paste it as one piece."
    if not arn.isascii() or not arn.isprintable():
        return (
            "The ARN has a character that only looks right, or cannot be seen. "
            "Copy it from the IAM console again instead of from a document or a chat."
        )
    if arn[0] in "\"'<`" or arn[-1] in "\"'>`;":
        return "Paste the ARN without quotation marks, brackets or a semicolon around it."
    if re.fullmatch(r"[0-9]{12}", arn):
        return f"This is an account id. The role's ARN is needed; it looks like {ROLE_ARN_EXAMPLE}."
    if not arn.startswith("arn:"):
        return f"A role's ARN begins with “arn:”; it looks like {ROLE_ARN_EXAMPLE}."
    return _arn_part_mistake(arn.split(":", 5))


def _arn_part_mistake(parts: list[str]) -> str:
    if len(parts) < 6:
        return f"The ARN is cut off. A whole one looks like {ROLE_ARN_EXAMPLE}."
    _, partition, service, region, account_id, resource = parts
    kind = re.split(r"[:/]", resource, maxsplit=1)[0]
    if partition not in PARTITIONS:
        return "The second part of the ARN must be an AWS partition, such as aws, aws-cn or aws-us-gov."
    if service == "sts" and kind == "assumed-role":
        return (
            "This is the ARN of a session (sts, assumed-role). The role's own ARN is needed: "
            "find the role in the IAM console and copy its ARN."
        )
    if service != "iam":
        return f"A role belongs to the service iam. The ARN should look like {ROLE_ARN_EXAMPLE}."
    if region:
        return "A role's ARN has no region: there are two colons between “iam” and the account id."
    if not ACCOUNT_ID.fullmatch(account_id):
        return "The account id inside the ARN must be exactly 12 digits."
    others = {"user": "a user", "root": "the account's root user", "group": "a group", "policy": "a policy"}
    if kind in others:
        return f"This is the ARN of {others[kind]}. The ARN of a role is needed (…:role/…)."
    if kind == "instance-profile":
        return "This is an instance profile. Paste the ARN of the role inside it (…:role/…)."
    if kind != "role" or not resource.startswith("role/"):
        return f"The last part of the ARN must be “role/” and the role's name, as in {ROLE_ARN_EXAMPLE}."
    return (
        "The role's name has 1 to 64 letters, digits or any of _+=,.@- "
        "(a path before it ends in a slash and holds no spaces)."
    )


def check_account_id(text: str) -> str:
    """An account id of 12 digits, as text: leading zeros count. The console's 1234-5678-9012 is accepted."""
    account_id = text.strip()
    if re.fullmatch(r"[0-9]{4}-[0-9]{4}-[0-9]{4}", account_id):
        account_id = account_id.replace("-", "")
    if not ACCOUNT_ID.fullmatch(account_id):
        raise ValueError("An AWS account id has exactly 12 digits, for example 123456789012.")
    return account_id


def check_access_key_id(text: str) -> str:
    """A long-term access key id. Temporary ones (ASIA...) are refused: they would stop working within hours."""
    key_id = text.strip()
    if re.fullmatch(r"ASIA[A-Z0-9]{16}", key_id):
        raise ValueError(
            "Keys that begin with ASIA are temporary and expire within hours. "
            "Use a role, or a user's long-term key (AKIA…)."
        )
    if re.fullmatch(r"(?:AROA|AIDA|AIPA|ANPA|ANVA|AGPA)[A-Z0-9]{16,17}", key_id):
        raise ValueError("This is the id of a user, role or policy, not of an access key (AKIA…).")
    if not ACCESS_KEY_ID.fullmatch(key_id):
        raise ValueError("An access key id has 20 capital letters and digits and begins with AKIA.")
    return key_id


def check_secret_access_key(text: str) -> str:
    """A secret access key: 40 characters of A-Z a-z 0-9 / + =. The value never appears in the message."""
    secret = text.strip()
    if ACCESS_KEY_ID.fullmatch(secret):
        raise ValueError("This is the access key id. The secret is the longer one, shown once by AWS.")
    if not re.fullmatch(r"[A-Za-z0-9/+=]{40}", secret):
        raise ValueError("A secret access key has exactly 40 characters (letters, digits, / and +).")
    return secret


def check_region(text: str) -> str:
    """The shape of a region's name only; `session.require_region` knows which exist."""
    region = text.strip()
    if len(region) > 32 or not REGION.fullmatch(region):
        raise ValueError("A region looks like us-east-1 or eu-central-1.")
    return region


def partition_of_region(region: str) -> str:
    """The partition a region's name belongs to, by its prefix; `aws` for all the rest."""
    for partition in PARTITIONS.values():
        if partition.region_prefixes and region.startswith(partition.region_prefixes):
            return partition.name
    return "aws"


def new_external_id() -> str:
    """A fresh External ID: 128 random bits as 32 hex digits, one per account, never chosen by a person."""
    return secrets.token_hex(16)


def role_session_name(text: str) -> str:
    """A RoleSessionName (2 to 64 of A-Z a-z 0-9 _+=,.@-) made from any text; the customer's CloudTrail shows it."""
    return SESSION_NAME_REFUSED.sub("-", text).strip("-")[:64].ljust(2, "-")
