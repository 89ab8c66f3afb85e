"""Which regions each simulated account has, and DescribeRegions, which moto answers for all accounts alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo.aws.answers import Answer, RefusalError, ec2_answer, element
from demo.aws.calls import Call

ENABLED = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1")
NOT_OPTED_IN = ("af-south-1", "me-south-1")


@dataclass(frozen=True, slots=True)
class AccountRegions:
    """One account's regions. Those `opted_in` were switched on by the customer."""

    enabled: tuple[str, ...] = ENABLED
    opted_in: tuple[str, ...] = ()
    not_opted_in: tuple[str, ...] = NOT_OPTED_IN

    def statuses(self) -> dict[str, str]:
        return (
            dict.fromkeys(self.enabled, "opt-in-not-required")
            | dict.fromkeys(self.opted_in, "opted-in")
            | dict.fromkeys(self.not_opted_in, "not-opted-in")
        )


def describe_regions(call: Call, regions: AccountRegions) -> Answer:
    """The account's regions; those not enabled only where all are asked for. Raises RefusalError for an unknown one."""
    statuses = regions.statuses()
    names = [value for key, value in sorted(call.params.items()) if key.startswith("RegionName.")]
    if unknown := sorted(set(names) - set(statuses)):
        raise RefusalError("InvalidParameterValue", f"Invalid region names provided: [{', '.join(unknown)}]")
    wants_all = call.params.get("AllRegions", "").lower() == "true"
    wanted = _filter(call, "opt-in-status")
    items = "".join(
        "<item>"
        + element("regionName", name)
        + element("regionEndpoint", f"ec2.{name}.amazonaws.com")
        + element("optInStatus", status)
        + "</item>"
        for name, status in sorted(statuses.items())
        if (wants_all or status != "not-opted-in") and (not names or name in names) and (not wanted or status in wanted)
    )
    return ec2_answer("DescribeRegions", f"<regionInfo>{items}</regionInfo>")


def _filter(call: Call, name: str) -> Sequence[str]:
    for key, value in call.params.items():
        if key.endswith(".Name") and key.startswith("Filter.") and value == name:
            prefix = key.removesuffix("Name") + "Value."
            return [text for other, text in call.params.items() if other.startswith(prefix)]
    return ()
