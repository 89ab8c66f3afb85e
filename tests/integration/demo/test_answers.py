"""What the simulated AWS answers: instances by pages, prices, and faults on request."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from demo.aws.server import AwsServer
from tests.integration.demo.conftest import CUSTOMER

LINUX = {
    "regionCode": "us-west-2",
    "instanceType": "m5.xlarge",
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
    "operation": "RunInstances",
    "marketoption": "OnDemand",
}


@pytest.fixture
def ec2(assume, boto):
    return boto(assume(), "ec2")


def instances(answer):
    return [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]


class TestPages:
    def test_they_count_instances_and_cut_reservations(self, simulated_aws, ec2):
        made = simulated_aws.run_instances(CUSTOMER, "us-east-1", 7)
        made += simulated_aws.run_instances(CUSTOMER, "us-east-1", 5)
        pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
        assert [len(instances(page)) for page in pages] == [5, 5, 2]
        assert [len(page["Reservations"]) for page in pages] == [1, 2, 1]
        assert [one["InstanceId"] for page in pages for one in instances(page)] == [one.id for one in made]

    def test_a_token_gives_the_same_page_again_whatever_has_changed(self, simulated_aws, ec2):
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 8)
        token = ec2.describe_instances(MaxResults=5)["NextToken"]
        before = instances(ec2.describe_instances(MaxResults=5, NextToken=token))
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 8)
        assert instances(ec2.describe_instances(MaxResults=5, NextToken=token)) == before
        assert len(before) == 3

    def test_foreign_and_old_tokens_are_refused(self, simulated_aws, assume, boto, ec2, refusal):
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 8)
        token = ec2.describe_instances(MaxResults=5)["NextToken"]
        elsewhere = boto(assume(), "ec2", "eu-west-1")
        assert refusal(elsewhere.describe_instances, NextToken=token)[0] == "InvalidNextToken"
        assert refusal(ec2.describe_instances, NextToken="made-up")[0] == "InvalidParameterValue"
        simulated_aws.expire_page_tokens()
        assert refusal(ec2.describe_instances, NextToken=token)[0] == "InvalidNextToken"

    @pytest.mark.parametrize("size", [4, 1001])
    def test_a_size_out_of_bounds_is_refused(self, ec2, refusal, size):
        assert refusal(ec2.describe_instances, MaxResults=size)[0] == "InvalidParameterValue"

    def test_a_page_size_does_not_go_with_ids(self, simulated_aws, ec2, refusal):
        [made] = simulated_aws.run_instances(CUSTOMER, "us-east-1")
        assert len(instances(ec2.describe_instances(InstanceIds=[made.id]))) == 1
        asked = {"InstanceIds": [made.id], "MaxResults": 5}
        assert refusal(ec2.describe_instances, **asked)[0] == "InvalidParameterCombination"


class TestInstances:
    def test_they_say_what_moto_leaves_out(self, simulated_aws, ec2):
        simulated_aws.run_instances(
            CUSTOMER, "us-east-1", lifecycle="spot", platform="Windows", has_public_ip=True, instance_type="m5.xlarge"
        )
        [found] = instances(ec2.describe_instances())
        assert found["InstanceLifecycle"] == "spot"
        assert found["SpotInstanceRequestId"].startswith("sir-")
        assert (found["PlatformDetails"], found["UsageOperation"]) == ("Windows", "RunInstances:0002")
        assert found["Placement"]["AvailabilityZoneId"].startswith("use1-az")
        assert found["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 2}
        assert found["PublicIpAddress"]
        assert "StateReason" not in found

    def test_tags_come_through_as_they_were_written(self, simulated_aws, ec2):
        tags = {"Name": '<script>alert("1")</script> & \'', "f": "=1+1", "e": "", "l": "one\ntwo", "u": "🚀" * 256}
        simulated_aws.run_instances(CUSTOMER, "us-east-1", tags=tags)
        [found] = instances(ec2.describe_instances())
        assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == tags

    def test_changes_through_the_api_are_seen(self, simulated_aws, boto, ec2):
        owner = boto(simulated_aws.create_admin_keys(CUSTOMER), "ec2")
        made = owner.run_instances(ImageId="ami-0c7e5f1a2b3d4e5f6", MinCount=2, MaxCount=2, InstanceType="c5.large")
        stopped, ended = [one["InstanceId"] for one in made["Instances"]]
        owner.stop_instances(InstanceIds=[stopped])
        owner.terminate_instances(InstanceIds=[ended])
        owner.create_tags(Resources=[stopped], Tags=[{"Key": "Name", "Value": "late"}])
        found = {one["InstanceId"]: one for one in instances(ec2.describe_instances())}
        assert [found[one]["State"]["Name"] for one in (stopped, ended)] == ["stopped", "terminated"]
        assert found[stopped]["Tags"] == [{"Key": "Name", "Value": "late"}]
        assert found[stopped]["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
        assert found[stopped]["StateTransitionReason"].endswith(" GMT)")

    def test_an_ended_instance_can_go_from_the_list(self, simulated_aws, ec2):
        gone, stays = simulated_aws.run_instances(CUSTOMER, "us-east-1", 2)
        simulated_aws.forget_instance(CUSTOMER, "us-east-1", gone.id)
        assert [one["InstanceId"] for one in instances(ec2.describe_instances())] == [stays.id]

    def test_accounts_and_regions_do_not_see_each_other(self, simulated_aws, assume, boto, ec2):
        simulated_aws.run_instances("210987654321", "us-east-1")
        simulated_aws.run_instances(CUSTOMER, "eu-west-1")
        assert instances(ec2.describe_instances()) == []
        assert len(instances(boto(assume(), "ec2", "eu-west-1").describe_instances())) == 1


class TestPrices:
    def products(self, app_keys, boto, **wanted):
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        answer = boto(app_keys, "pricing").get_products(ServiceCode="AmazonEC2", Filters=filters)
        return [json.loads(text) for text in answer["PriceList"]]

    def test_the_full_set_of_filters_leads_to_one_price(self, app_keys, boto):
        [product] = self.products(app_keys, boto, **LINUX)
        [term] = product["terms"]["OnDemand"].values()
        [dimension] = term["priceDimensions"].values()
        assert dimension["unit"] == "Hrs"
        assert Decimal(dimension["pricePerUnit"]["USD"]) == Decimal("0.192")

    def test_fewer_filters_lead_to_several(self, app_keys, boto):
        fewer = {name: value for name, value in LINUX.items() if name not in ("preInstalledSw", "operation", "tenancy")}
        assert len(self.products(app_keys, boto, **fewer)) > 1

    def test_each_operation_has_a_price_of_its_own(self, app_keys, boto):
        shared = {"regionCode": "us-west-2", "instanceType": "m5.xlarge", "tenancy": "Shared", "capacitystatus": "Used"}
        operations = [
            product["product"]["attributes"]["operation"] for product in self.products(app_keys, boto, **shared)
        ]
        assert len(operations) == len(set(operations)) >= 7

    def test_spot_prices_change_and_the_one_in_force_at_the_start_is_there(self, ec2):
        start = datetime.now(UTC) - timedelta(days=20)
        answer = ec2.describe_spot_price_history(
            InstanceTypes=["m5.xlarge"],
            ProductDescriptions=["Linux/UNIX"],
            AvailabilityZone="us-east-1a",
            StartTime=start,
        )
        history = answer["SpotPriceHistory"]
        times = [entry["Timestamp"] for entry in history]
        assert times == sorted(times, reverse=True)
        assert times[-1] <= start < times[-2]
        prices = {entry["SpotPrice"] for entry in history}
        assert len(prices) > 5
        assert all(Decimal("0.03") < Decimal(price) < Decimal("0.192") for price in prices)
        assert {entry["AvailabilityZoneId"] for entry in history} == {"use1-az6"}

    def test_now_gives_one_price_a_zone(self, ec2):
        now = datetime.now(UTC)
        asked = {"InstanceTypes": ["m5.large"], "ProductDescriptions": ["Linux/UNIX"], "StartTime": now, "EndTime": now}
        zones = [entry["AvailabilityZone"] for entry in ec2.describe_spot_price_history(**asked)["SpotPriceHistory"]]
        assert len(zones) == len(set(zones)) == 6

    def test_a_long_history_comes_in_pages(self, ec2):
        pages = list(
            ec2.get_paginator("describe_spot_price_history").paginate(
                InstanceTypes=["m5.large"], ProductDescriptions=["Linux/UNIX"], PaginationConfig={"PageSize": 500}
            )
        )
        entries = [
            (entry["AvailabilityZone"], entry["Timestamp"]) for page in pages for entry in page["SpotPriceHistory"]
        ]
        assert len(pages) > 1
        assert len(entries) == len(set(entries))


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "code", "status"),
        [
            ("throttle", "RequestLimitExceeded", 503),
            ("server_error", "InternalError", 500),
            ("expired_token", "RequestExpired", 400),
            ("denied", "UnauthorizedOperation", 403),
        ],
    )
    def test_errors_come_as_aws_words_them_and_only_where_asked(self, simulated_aws, ec2, refusal, kind, code, status):
        simulated_aws.faults.add(kind, action="DescribeInstances", times=1)
        assert refusal(ec2.describe_instances)[:2] == (code, status)
        assert ec2.describe_instances()["Reservations"] == []

    def test_a_fault_keeps_to_its_account_region_and_turn(self, simulated_aws, assume, boto, ec2, refusal):
        simulated_aws.faults.add("throttle", account_id=CUSTOMER, region="us-east-1", action="DescribeInstances", nth=2)
        simulated_aws.faults.add("throttle", account_id="210987654321")
        elsewhere = boto(assume(), "ec2", "eu-west-1")
        ec2.describe_instances()
        elsewhere.describe_instances()
        elsewhere.describe_instances()
        assert refusal(ec2.describe_instances)[0] == "RequestLimitExceeded"

    def test_assuming_a_role_counts_to_the_roles_account(self, simulated_aws, assume):
        simulated_aws.faults.add("throttle", account_id=CUSTOMER, action="AssumeRole")
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            assume()

    def test_the_second_page_alone_fails(self, simulated_aws, ec2, refusal):
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 12)
        simulated_aws.faults.add("server_error", action="DescribeInstances", page=2)
        token = ec2.describe_instances(MaxResults=5)["NextToken"]
        assert refusal(ec2.describe_instances, MaxResults=5, NextToken=token)[1] == 500
        assert len(instances(ec2.describe_instances(MaxResults=5))) == 5

    def test_a_loop_of_tokens_never_ends(self, simulated_aws, ec2):
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 6)
        simulated_aws.faults.add("token_loop", action="DescribeInstances")
        first = ec2.describe_instances(MaxResults=5)
        second = ec2.describe_instances(MaxResults=5, NextToken=first["NextToken"])
        assert second["NextToken"] == first["NextToken"]
        assert instances(second) == instances(first)

    @pytest.mark.parametrize("kind", ["html", "wrong_root"])
    def test_what_is_no_answer_looks_empty_to_an_unguarded_client(self, simulated_aws, ec2, kind):
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 2)
        simulated_aws.faults.add(kind)
        assert "Reservations" not in ec2.describe_instances()

    @pytest.mark.parametrize("kind", ["empty", "truncated"])
    def test_an_empty_and_a_cut_answer_are_no_xml(self, simulated_aws, ec2, kind):
        simulated_aws.run_instances(CUSTOMER, "us-east-1", 2)
        simulated_aws.faults.add(kind)
        with pytest.raises(ResponseParserError):
            ec2.describe_instances()

    def test_a_connection_can_be_cut(self, simulated_aws, ec2):
        simulated_aws.faults.add("reset")
        with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
            ec2.describe_instances()

    @pytest.mark.parametrize("kind", ["hang", "drip"])
    def test_an_answer_can_be_late(self, simulated_aws, assume, boto, kind):
        hasty = boto(assume(), "ec2", read_timeout=0.3)
        simulated_aws.faults.add(kind, seconds=1)
        with pytest.raises((ReadTimeoutError, ConnectionClosedError)):
            hasty.describe_instances()


class TestServer:
    def test_a_taken_port_is_an_error_and_no_exit(self, aws_server):
        with pytest.raises(OSError, match="in use"):
            AwsServer(port=aws_server.port)


class TestControl:
    def ask(self, url, method, name, body=None):
        request = urllib.request.Request(f"{url}/_simulation/{name}", method=method)
        request.data = json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def test_another_process_can_order_faults_and_read_the_log(self, aws_server, simulated_aws, ec2, refusal):
        self.ask(aws_server.url, "POST", "faults", {"kind": "throttle", "region": "us-east-1"})
        assert refusal(ec2.describe_instances)[0] == "RequestLimitExceeded"
        self.ask(aws_server.url, "DELETE", "faults")
        ec2.describe_instances()
        log = self.ask(aws_server.url, "GET", "calls?action=DescribeInstances")
        assert [(call["fault"], call["status"], call["account_id"]) for call in log] == [
            ("throttle", 503, CUSTOMER),
            (None, 200, CUSTOMER),
        ]

    def test_another_process_can_play_the_customer(self, aws_server, app_keys, assume):
        asked = {"account_id": "210987654321", "role_name": "New", "principal_account": app_keys.account_id}
        made = self.ask(aws_server.url, "POST", "roles", asked | {"external_id": "told-later"})
        assert assume(RoleArn=made["role_arn"], ExternalId="told-later").arn.endswith(":assumed-role/New/reading")

    def test_the_log_says_which_external_id_was_sent(self, simulated_aws, assume):
        assume()
        [call] = simulated_aws.calls_to("AssumeRole", CUSTOMER)
        assert (call.external_id, call.caller_account_id, call.status) == ("right-one", "555500001111", 200)
