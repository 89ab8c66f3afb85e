"""The simulated AWS as boto3 sees it: who is let in, and what may be done."""

import hashlib
import json
import subprocess
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.aws.accounts import Fleet
from demo.aws.fleet import EPOCH, seed
from tests.fakes.aws import TWO_REGIONS
from tests.integration.demo.conftest import CUSTOMER

ROOT = Path(__file__).parents[3]
READER = f"arn:aws:iam::{CUSTOMER}:role/Reader"
ADMIN_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class TestKeys:
    def test_a_user_is_who_it_is(self, simulated_aws, boto):
        keys = simulated_aws.create_user_keys(CUSTOMER, "reader")
        answer = boto(keys, "sts").get_caller_identity()
        assert (answer["Account"], answer["Arn"]) == (CUSTOMER, f"arn:aws:iam::{CUSTOMER}:user/reader")

    def test_a_root_user_is_root(self, simulated_aws, boto):
        answer = boto(simulated_aws.create_root_keys(CUSTOMER), "sts").get_caller_identity()
        assert answer["Arn"] == f"arn:aws:iam::{CUSTOMER}:root"

    def test_an_unknown_key_is_refused_in_each_services_words(self, simulated_aws, boto, refusal):
        keys = replace(simulated_aws.create_user_keys(CUSTOMER), access_key_id="AKIAUNKNOWNUNKNOWN00")
        assert refusal(boto(keys, "sts").get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
        assert refusal(boto(keys, "ec2").describe_instances)[:2] == ("AuthFailure", 401)

    def test_a_wrong_secret_is_refused(self, simulated_aws, boto, refusal):
        keys = replace(simulated_aws.create_user_keys(CUSTOMER), secret_access_key="x" * 40)
        assert refusal(boto(keys, "sts").get_caller_identity)[:2] == ("SignatureDoesNotMatch", 403)
        assert refusal(boto(keys, "ec2").describe_instances)[:2] == ("AuthFailure", 401)

    def test_an_inactive_key_is_refused(self, simulated_aws, boto, refusal):
        keys = simulated_aws.create_user_keys(CUSTOMER)
        simulated_aws.revoke_keys(keys)
        assert refusal(boto(keys, "sts").get_caller_identity)[0] == "InvalidClientTokenId"

    @pytest.mark.parametrize(("minutes", "words"), [(7, "Signature expired"), (-7, "Signature not yet current")])
    def test_a_wrong_clock_is_refused_with_both_times(self, simulated_aws, boto, refusal, minutes, words):
        keys = simulated_aws.create_user_keys(CUSTOMER)
        simulated_aws.clock = lambda: datetime.now(UTC) + timedelta(minutes=minutes)
        code, status, message = refusal(boto(keys, "sts").get_caller_identity)
        assert (code, status) == ("SignatureDoesNotMatch", 403)
        assert message.startswith(words)

    def test_keys_made_through_iam_itself_work(self, simulated_aws, boto):
        iam = boto(simulated_aws.create_admin_keys(CUSTOMER), "iam")
        iam.create_user(UserName="made")
        made = iam.create_access_key(UserName="made")["AccessKey"]
        keys = replace(
            simulated_aws.create_user_keys(CUSTOMER, "other"),
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
        )
        assert boto(keys, "sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{CUSTOMER}:user/made"


class TestAssumeRole:
    def test_the_right_external_id_gives_a_session_of_the_customers_account(self, assume, boto):
        keys = assume()
        answer = boto(keys, "sts").get_caller_identity()
        assert answer["Account"] == CUSTOMER
        assert answer["Arn"] == keys.arn == f"arn:aws:sts::{CUSTOMER}:assumed-role/Reader/reading"

    @pytest.mark.parametrize(
        "change",
        [{"ExternalId": "wrong-one"}, {"ExternalId": None}, {"RoleArn": f"arn:aws:iam::{CUSTOMER}:role/Missing"}],
        ids=["wrong", "absent", "no such role"],
    )
    def test_all_else_is_refused_in_the_same_words(self, app_keys, role_arn, boto, refusal, change):
        asked = {"RoleArn": role_arn, "RoleSessionName": "reading", "ExternalId": "right-one"} | change
        asked = {name: value for name, value in asked.items() if value is not None}
        code, status, message = refusal(boto(app_keys, "sts").assume_role, **asked)
        assert (code, status) == ("AccessDenied", 403)
        assert message == (
            f"User: {app_keys.arn} is not authorized to perform: sts:AssumeRole on resource: {asked['RoleArn']}"
        )

    def test_another_account_is_refused(self, simulated_aws, role_arn, boto, refusal):
        stranger = simulated_aws.create_admin_keys("999900001111")
        asked = {"RoleArn": role_arn, "RoleSessionName": "reading", "ExternalId": "right-one"}
        assert refusal(boto(stranger, "sts").assume_role, **asked)[0] == "AccessDenied"

    def test_root_may_not(self, simulated_aws, boto, refusal):
        keys = simulated_aws.create_root_keys(CUSTOMER)
        asked = {"RoleArn": READER, "RoleSessionName": "reading"}
        assert "root accounts" in refusal(boto(keys, "sts").assume_role, **asked)[2]

    def test_a_session_ends(self, simulated_aws, assume, boto, refusal):
        keys = assume()
        simulated_aws.end_sessions(CUSTOMER)
        assert refusal(boto(keys, "sts").get_caller_identity)[:2] == ("ExpiredToken", 403)
        assert refusal(boto(keys, "ec2").describe_instances)[:2] == ("RequestExpired", 400)

    def test_a_session_may_be_made_short(self, simulated_aws, app_keys, role_arn, boto):
        simulated_aws.session_seconds = 2
        asked = {"RoleArn": role_arn, "RoleSessionName": "reading", "ExternalId": "right-one"}
        ends = boto(app_keys, "sts").assume_role(**asked)["Credentials"]["Expiration"]
        # They last for an hour otherwise.
        assert ends < datetime.now(UTC) + timedelta(minutes=1)

    def test_a_session_without_its_token_is_nobody(self, assume, boto, refusal):
        keys = replace(assume(), session_token=None)
        assert refusal(boto(keys, "sts").get_caller_identity)[0] == "InvalidClientTokenId"

    def test_a_session_longer_than_the_role_allows_is_refused(self, app_keys, role_arn, boto, refusal):
        asked = {"RoleArn": role_arn, "RoleSessionName": "reading", "ExternalId": "right-one"}
        assert refusal(boto(app_keys, "sts").assume_role, **asked, DurationSeconds=3601)[0] == "ValidationError"

    def test_a_role_made_by_a_stack_can_be_assumed(self, simulated_aws, app_keys, boto, assume, refusal):
        from app.aws.cloudformation import role_template

        owner = boto(simulated_aws.create_admin_keys("210987654321"), "cloudformation", "eu-west-1")
        owner.create_stack(
            StackName="spotkeeper-access",
            TemplateBody=role_template(app_keys.account_id, app_keys.arn),
            Parameters=[{"ParameterKey": "ExternalId", "ParameterValue": "from-stack"}],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        [output] = owner.describe_stacks(StackName="spotkeeper-access")["Stacks"][0]["Outputs"]
        keys = assume(RoleArn=output["OutputValue"], ExternalId="from-stack")
        assert boto(keys, "sts").get_caller_identity()["Account"] == "210987654321"
        assert boto(keys, "ec2").describe_instances()["Reservations"] == []
        asked = {"RoleArn": output["OutputValue"], "RoleSessionName": "reading", "ExternalId": "another"}
        assert refusal(boto(app_keys, "sts").assume_role, **asked)[0] == "AccessDenied"


class TestPermissions:
    def test_what_no_policy_allows_is_refused(self, assume, boto, refusal):
        code, status, message = refusal(boto(assume(), "ec2").start_instances, InstanceIds=["i-0123456789abcdef0"])
        assert (code, status) == ("UnauthorizedOperation", 403)
        assert message.endswith("because no identity-based policy allows the ec2:StartInstances action")

    def test_a_session_policy_narrows(self, assume, boto, refusal):
        nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        ec2 = boto(assume(Policy=json.dumps(nothing)), "ec2")
        assert "explicit deny in a session policy" in refusal(ec2.describe_instances)[2]

    def test_a_session_policy_widens_nothing(self, assume, boto, refusal):
        ec2 = boto(assume(Policy=json.dumps(ADMIN_POLICY)), "ec2")
        assert refusal(ec2.stop_instances, InstanceIds=["i-0123456789abcdef0"])[0] == "UnauthorizedOperation"

    def test_a_region_denied_by_the_organization_says_so(self, simulated_aws, assume, boto, refusal):
        simulated_aws.deny_region(CUSTOMER, "eu-west-1")
        keys = assume()
        code, status, message = refusal(boto(keys, "ec2", "eu-west-1").describe_instances)
        assert (code, status) == ("UnauthorizedOperation", 403)
        assert message.endswith("with an explicit deny in a service control policy")
        assert boto(keys, "ec2", "us-east-1").describe_instances()["Reservations"] == []

    def test_a_dry_run_tells_allowed_from_not(self, assume, boto, refusal):
        ec2 = boto(assume(), "ec2")
        assert refusal(ec2.describe_instances, DryRun=True)[:2] == ("DryRunOperation", 412)
        asked = {"InstanceIds": ["i-0123456789abcdef0"], "DryRun": True}
        assert refusal(ec2.stop_instances, **asked)[0] == "UnauthorizedOperation"

    def test_a_region_that_is_not_opted_in_knows_no_keys(self, assume, boto, refusal):
        assert refusal(boto(assume(), "ec2", "me-south-1").describe_instances)[0] == "AuthFailure"


class TestRegions:
    def test_only_enabled_ones_are_listed_unless_all_are_asked_for(self, simulated_aws, assume, boto):
        simulated_aws.set_regions(CUSTOMER, "us-east-1", opted_in=["af-south-1"], not_opted_in=["me-south-1"])
        ec2 = boto(assume(), "ec2")

        def listed(**asked):
            return {region["RegionName"]: region["OptInStatus"] for region in ec2.describe_regions(**asked)["Regions"]}

        enabled = {"us-east-1": "opt-in-not-required", "af-south-1": "opted-in"}
        assert listed() == enabled
        assert listed(AllRegions=True) == enabled | {"me-south-1": "not-opted-in"}


#: Prints how many instances were seeded, and a digest of all that the application could store of them.
def digest(cloud, fleet):
    """The number of instances, and all that could differ between two processes that made them, as one hash."""
    found = [repr(fleet)]
    for account in fleet.accounts:
        for region in fleet.regions:
            for made in cloud.instances(account.account_id, region):
                facts = (made.id, made.private_ip, made.public_ip, made.launch_time, made.state, made._reason)
                interface = made.nics[0]
                disks = [(name, disk.volume_id, disk.attach_time) for name, disk in made.get_block_device_mapping]
                tags = [(tag["key"], tag["value"]) for tag in made.get_tags()]
                found.append(repr((facts, interface.id, interface.mac_address, interface.attach_time, disks, tags)))
    return len(found) - 1, hashlib.sha256("|".join(found).encode()).hexdigest()


ELSEWHERE = """
from demo.aws.cloud import SimulatedAws
from demo.aws.fleet import seed
from tests.integration.demo.test_cloud import digest

cloud = SimulatedAws()
print(*digest(cloud, seed(cloud)))
"""


class TestSeed:
    def test_it_is_the_same_in_every_process(self, simulated_aws):
        count, here = digest(simulated_aws, seed(simulated_aws))
        assert count >= 420
        done = subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            cwd=ROOT,
            env={"PYTHONHASHSEED": "1", "AWS_DEFAULT_REGION": "us-east-1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [str(count), here]

    def test_another_process_is_told_the_same_fleet(self, aws_server, simulated_aws):
        fleet = seed(simulated_aws)
        with urllib.request.urlopen(f"{aws_server.url}/_simulation/fleet") as told:
            assert Fleet.from_json(json.load(told)) == fleet

    def test_nothing_was_started_in_the_future(self, simulated_aws):
        fleet = seed(simulated_aws)
        started = [
            made.launch_time.replace(tzinfo=UTC)
            for account in fleet.accounts
            for region in fleet.regions
            for made in simulated_aws.instances(account.account_id, region)
        ]
        assert len(started) == fleet.instance_count
        assert max(started) < EPOCH < datetime.now(UTC)

    def test_revoked_keys_are_refused_as_unknown(self, simulated_aws, boto, refusal):
        [account] = seed(simulated_aws).with_purpose("revoked_keys")
        assert refusal(boto(account.keys, "sts").get_caller_identity)[0] == "InvalidClientTokenId"


class TestDefaultRegions:
    def test_they_are_every_accounts_that_has_none_of_its_own(self, simulated_aws, assume, boto):
        simulated_aws.default_regions = TWO_REGIONS
        simulated_aws.set_regions("210987654321", "us-west-2")
        answer = boto(assume(), "ec2").describe_regions(AllRegions=True)
        assert {region["RegionName"] for region in answer["Regions"]} == {"us-east-1", "eu-west-1", "me-south-1"}
