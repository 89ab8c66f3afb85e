"""A whole connection against moto's server: install the template, assume its role, list regions, read instances."""

import json
import urllib.request

import boto3
import pytest
from moto.server import ThreadedMotoServer

from app.aws.cloudformation import role_template
from app.aws.ec2 import read_region
from app.aws.event_template import EventTarget
from app.aws.identity import assume_role, get_app_identity, get_caller_identity
from app.aws.instance_xml import read_instance
from app.aws.records import RegionRead
from app.aws.regions import list_regions
from app.services.events.parse import KINDS
from app.services.events.tokens import TOKEN_HEADER
from tests.fakes.event_stacks import teach_moto

ACCOUNT = "123456789012"  # moto's own


@pytest.fixture(scope="module")
def moto():
    teach_moto()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto, monkeypatch):
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 40)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def client(service):
        return boto3.client(service, region_name="us-east-1")

    return client


TOKEN = "t" * 43
EVENTS = EventTarget("https://spot.example/api/v1/events", TOKEN_HEADER, KINDS)


class TestAnAccount:
    @pytest.mark.parametrize("events", [None, EVENTS], ids=["the role alone", "with events to be switched on"])
    def test_the_template_installs_a_role_through_which_instances_are_read(self, aws, events):
        cloudformation, ec2 = aws("cloudformation"), aws("ec2")
        stack = cloudformation.create_stack(
            StackName="spotkeeper-access",
            TemplateBody=role_template(ACCOUNT, get_app_identity().arn, events=events),
            Parameters=[{"ParameterKey": "ExternalId", "ParameterValue": "0123456789abcdef"}],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (output,) = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["Outputs"]
        tags = [{"Key": "Name", "Value": "=1+1 <script> 🦊"}, {"Key": "long", "Value": "x" * 256}]
        made = ec2.run_instances(
            ImageId="ami-0c7e5f1a2b3d4e5f6",
            InstanceType="t3.micro",
            MinCount=12,
            MaxCount=12,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        ids = {instance["InstanceId"] for instance in made["Instances"]}

        credentials = assume_role(output["OutputValue"], "0123456789abcdef", "run-1")
        identity = get_caller_identity(credentials, "us-east-1")
        regions = list_regions(credentials, "us-east-1")
        records = []
        read = read_region(
            credentials,
            "us-east-1",
            on_page=lambda page: records.extend(read_instance(raw, page.region) for raw in page.instances),
        )

        assert output["OutputValue"] == f"arn:aws:iam::{ACCOUNT}:role/SpotkeeperReadOnly"
        assert (identity.account_id, identity.is_assumed_role) == (ACCOUNT, True)
        assert "us-east-1" in {region.name for region in regions if region.is_enabled}
        assert isinstance(read, RegionRead)
        assert {record.instance_id for record in records} == ids
        assert {record.name for record in records} == {"=1+1 <script> 🦊"}
        assert {record.lifecycle for record in records} == {"on-demand"}
        assert read_region(credentials, "us-east-1") == read
        assert read_region(credentials, "eu-west-1") == RegionRead("eu-west-1", 0, 1, 1)
        made = cloudformation.list_stack_resources(StackName=stack["StackId"])["StackResourceSummaries"]
        assert [resource["ResourceType"] for resource in made if resource["ResourceType"]] == ["AWS::IAM::Role"]

    def test_given_its_token_the_same_stack_sends_events_too(self, aws):
        """Up to the rule's target and its secret; the simulation sends nothing to it."""
        cloudformation, events = aws("cloudformation"), aws("events")
        stack = cloudformation.create_stack(
            StackName="spotkeeper-access",
            TemplateBody=role_template(ACCOUNT, get_app_identity().arn, events=EVENTS),
            Parameters=[
                {"ParameterKey": "ExternalId", "ParameterValue": "0123456789abcdef"},
                {"ParameterKey": "EventToken", "ParameterValue": TOKEN},
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (output,) = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["Outputs"]
        credentials = assume_role(output["OutputValue"], "0123456789abcdef", "run-1")
        assert get_caller_identity(credentials, "us-east-1").account_id == ACCOUNT

        (rule,) = events.list_rules()["Rules"]
        pattern = json.loads(rule["EventPattern"])
        (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        (destination,) = events.list_api_destinations()["ApiDestinations"]
        (connection,) = events.list_connections()["Connections"]
        sender = aws("iam").get_role(RoleName=target["RoleArn"].rpartition("/")[2])["Role"]
        assert (pattern["source"], set(pattern["detail-type"])) == (["aws.ec2"], set(KINDS))
        assert target["Arn"] == destination["ApiDestinationArn"]
        assert destination["InvocationEndpoint"] == EVENTS.endpoint
        assert destination["ConnectionArn"] == connection["ConnectionArn"]
        assert sender["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "events.amazonaws.com"}

        secret = events.describe_connection(Name=connection["Name"])["SecretArn"]
        stored = json.loads(aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        assert (stored["api_key_name"], stored["api_key_value"]) == (TOKEN_HEADER, TOKEN)
