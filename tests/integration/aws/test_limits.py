"""What a client sends is counted, and its calls end in time: over real HTTP, from an endpoint that misbehaves."""

import threading
import time
from contextlib import closing

import pytest

from app.aws.errors import aws_faults
from app.aws.identity import get_caller_identity
from app.aws.meter import CallMeter
from app.aws.regions import list_regions
from app.aws.session import SIGN_IN_SECONDS, client
from app.errors import AwsFault, FaultCode
from tests.fakes.rogue_aws import Answer, error, xml
from tests.integration.aws.conftest import SOON

NO_REGIONS = xml("DescribeRegionsResponse", "<regionInfo/>")
NO_ZONES = xml("DescribeAvailabilityZonesResponse", "<availabilityZoneInfo/>")


class TestMeter:
    def test_every_attempt_counts_with_its_region_and_action(self, rogue, tenant):
        rogue.answer = lambda form, number: error("RequestLimitExceeded", status=503) if number < 3 else NO_ZONES
        meter = CallMeter()
        with closing(client("ec2", tenant, "eu-west-1", meter=meter)) as ec2:
            ec2.describe_availability_zones()
        assert len(rogue.requests) == 3
        assert meter.take() == {("eu-west-1", "ec2:DescribeAvailabilityZones"): 3}

    def test_the_identity_and_the_regions_are_counted_too(self, rogue, tenant):
        rogue.answer = lambda form, number: error("AccessDenied", status=403)
        meter = CallMeter()
        for ask in (get_caller_identity, list_regions):
            with pytest.raises(AwsFault):
                ask(tenant, "us-east-1", meter=meter)
        assert meter.take() == {("us-east-1", "sts:GetCallerIdentity"): 1, ("us-east-1", "ec2:DescribeRegions"): 1}

    def test_what_was_not_sent_is_not_counted(self, rogue, tenant):
        meter = CallMeter()
        ec2 = client("ec2", tenant, "eu-west-1", meter=meter, deadline=time.monotonic())
        with pytest.raises(AwsFault), closing(ec2), aws_faults():
            ec2.describe_regions()
        assert (meter.total, rogue.requests) == (0, [])

    def test_many_threads_lose_no_count(self):
        meter = CallMeter()

        def work():
            for _ in range(1000):
                meter.count("eu-west-1", "ec2:DescribeInstances")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert meter.total == meter.take()["eu-west-1", "ec2:DescribeInstances"] == 8000

    def test_what_is_taken_is_taken_once_and_may_be_given_back(self):
        meter = CallMeter()
        meter.count("eu-west-1", "ec2:DescribeInstances")
        taken = meter.take()
        assert meter.take() == {}
        meter.give_back(taken)
        meter.count("eu-west-1", "ec2:DescribeInstances")
        assert meter.take() == {("eu-west-1", "ec2:DescribeInstances"): 2}
        assert meter.total == 2


class TestDeadline:
    def test_no_call_outlives_the_end_of_all_calls(self, rogue, tenant, stopwatch):
        rogue.answer = lambda form, number: Answer(manner="silent")
        ec2 = client("ec2", tenant, "eu-west-1", deadline=time.monotonic() + 1)
        with pytest.raises(AwsFault) as caught, closing(ec2), aws_faults():
            ec2.describe_regions()
        assert caught.value.code is FaultCode.UNREACHABLE
        assert stopwatch() < SOON
        assert len(rogue.requests) == 1

    def test_an_answer_that_drips_ends_with_it_too(self, rogue, tenant, stopwatch):
        rogue.answer = lambda form, number: Answer(NO_REGIONS.body, manner="drip")
        ec2 = client("ec2", tenant, "eu-west-1", deadline=time.monotonic() + 1)
        with pytest.raises(AwsFault), closing(ec2), aws_faults():
            ec2.describe_regions()
        assert stopwatch() < SOON

    def test_a_call_still_has_its_own_limit(self, rogue, tenant, stopwatch):
        rogue.answer = lambda form, number: Answer(manner="silent")
        ec2 = client("ec2", tenant, "eu-west-1", call_seconds=0.3, deadline=time.monotonic() + 60)
        with pytest.raises(AwsFault), closing(ec2), aws_faults():
            ec2.describe_regions()
        assert stopwatch() < SOON

    @pytest.mark.parametrize("ask", [get_caller_identity, list_regions])
    def test_the_calls_that_a_job_begins_with_are_given_up_sooner(self, rogue, tenant, stopwatch, monkeypatch, ask):
        assert SIGN_IN_SECONDS <= 10
        monkeypatch.setattr(f"{ask.__module__}.SIGN_IN_SECONDS", 0.4)
        rogue.answer = lambda form, number: Answer(manner="silent")
        with pytest.raises(AwsFault, match="did not answer in time"):
            ask(tenant, "us-east-1")
        assert stopwatch() < SOON
