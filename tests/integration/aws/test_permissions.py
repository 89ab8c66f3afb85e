"""What an account allows is asked by dry runs, each once: over real HTTP, from an endpoint that misbehaves."""

import time

from app.aws.credentials import FixedCredentials
from app.aws.grants import read_actions
from app.aws.meter import CallMeter
from app.aws.permissions import Permission, probe_permissions
from app.errors import FaultCode
from tests.fakes.rogue_aws import Answer, error
from tests.integration.aws.conftest import SOON
from tests.integration.discovery.fault_runs import hasty

READ_ACTIONS = read_actions()

ALLOWED = error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
DENIED = error("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
FORBIDDEN = error("UnauthorizedOperation", "... with an explicit deny in a service control policy", 403)


def probe(tenant, *regions, seconds=30.0, meter=None):
    found = probe_permissions(
        FixedCredentials(tenant), regions, READ_ACTIONS, threads=4, deadline=time.monotonic() + seconds, meter=meter
    )
    return {(permission.region, permission.action): permission for told in found for permission in told}


def by_action(answers):
    return lambda form, number: answers.get(form["Action"], ALLOWED)


class TestProbing:
    def test_every_read_action_is_asked_for_in_every_region_by_a_dry_run(self, rogue, tenant):
        rogue.answer = by_action({})
        found = probe(tenant, "eu-west-1", "us-east-1")
        assert set(found) == {(region, action) for region in ("eu-west-1", "us-east-1") for action in READ_ACTIONS}
        assert {permission.fault for permission in found.values()} == {None}
        assert {request["DryRun"] for request in rogue.requests} == {"true"}

    def test_a_denial_is_asked_for_once_and_told_apart_from_an_organization_s(self, rogue, tenant):
        rogue.answer = by_action({"DescribeInstances": DENIED, "DescribeInstanceTypes": FORBIDDEN})
        meter = CallMeter()
        found = probe(tenant, "eu-west-1", meter=meter)
        assert found["eu-west-1", "ec2:DescribeInstances"] == Permission(
            "eu-west-1",
            "ec2:DescribeInstances",
            FaultCode.DENIED_IAM,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        )
        assert found["eu-west-1", "ec2:DescribeInstanceTypes"].fault is FaultCode.DENIED_SCP
        assert found["eu-west-1", "ec2:DescribeInstanceStatus"].fault is None
        assert set(meter.take().values()) == {1}

    def test_throttling_settles_nothing_and_the_region_is_asked_no_more(self, rogue, tenant):
        rogue.answer = by_action({"DescribeInstances": error("RequestLimitExceeded", status=503)})
        found = probe(tenant, "eu-west-1")
        faults = [found["eu-west-1", action].fault for action in READ_ACTIONS]
        assert faults == [None, *[FaultCode.THROTTLED] * (len(READ_ACTIONS) - 1)]
        assert len(rogue.requests) == 1 + 4, "botocore repeats a throttled call, and we no other"

    def test_a_silent_region_holds_up_no_other(self, rogue, tenant, stopwatch):
        rogue.answer = lambda form, number: (
            Answer(manner="silent") if "/eu-west-1/" in form["authorization"] else ALLOWED
        )
        with hasty(["eu-west-1"]):
            found = probe(tenant, "eu-west-1", "us-east-1")
        assert {permission.fault for (region, _), permission in found.items() if region == "us-east-1"} == {None}
        assert found["eu-west-1", READ_ACTIONS[-1]].fault is FaultCode.UNREACHABLE
        assert stopwatch() < SOON

    def test_a_region_that_our_library_does_not_know_is_told_as_unsettled(self, rogue, tenant):
        rogue.answer = by_action({})
        found = probe(tenant, "xx-north-9", "us-east-1")
        assert found["xx-north-9", READ_ACTIONS[0]].fault is FaultCode.INTERNAL
        assert found["us-east-1", READ_ACTIONS[0]].fault is None
