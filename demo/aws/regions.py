"""Which regions a simulated account has."""

from collections.abc import Mapping

from demo.aws.answers import Answer, ec2

ENABLED = "opt-in-not-required"
CLOSED = "not-opted-in"

DEFAULT: Mapping[str, str] = {
    "ap-southeast-1": ENABLED,
    "eu-central-1": ENABLED,
    "eu-west-1": ENABLED,
    "us-east-1": ENABLED,
    "us-west-2": ENABLED,
    "af-south-1": CLOSED,
    "me-south-1": CLOSED,
}


def describe(regions: Mapping[str, str], *, everything: bool) -> Answer:
    """DescribeRegions: the enabled ones, or with AllRegions all of them."""
    items = "".join(
        f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>"
        f"<optInStatus>{status}</optInStatus></item>"
        for name, status in sorted(regions.items())
        if everything or status != CLOSED
    )
    return ec2("DescribeRegions", f"<regionInfo>{items}</regionInfo>")
