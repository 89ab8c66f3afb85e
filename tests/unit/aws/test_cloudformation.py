"""The policies and the template, as a customer would install them."""

import json
import re
import secrets
import shlex
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from app.aws.cloudformation import (
    as_json,
    cli_command,
    permission_policy,
    principal_patterns,
    quick_create_url,
    role_template,
    trust_policy,
)
from app.aws.event_template import REGIONS_WITHOUT, EventTarget, event_template
from app.aws.formats import PARTITIONS
from app.aws.grants import ALL_GRANTS, INVENTORY_ACTIONS, Grant, ec2_actions, parse_grants, read_actions
from app.aws.terraform import role_configuration
from app.services.events.parse import KINDS
from app.services.events.tokens import TOKEN_BYTES, TOKEN_HEADER

EXTERNAL_ID = "0123456789abcdef0123456789abcdef"
TARGET = EventTarget("https://spot.example/api/v1/events", TOKEN_HEADER, KINDS)
SESSION = "arn:aws:sts::111122223333:assumed-role/spotkeeper-app/i-0abc"


class _Template(yaml.SafeLoader):
    """Reads !Ref, !Sub and the like as {tag: value}."""


def _tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    return {suffix: loader.construct_sequence(node, deep=True)}


_Template.add_multi_constructor("!", _tag)


def read(template):
    return yaml.load(template, _Template)


class TestTrust:
    def test_it_asks_for_the_external_id_and_for_this_installation(self):
        policy = trust_policy("111122223333", SESSION, EXTERNAL_ID)
        (statement,) = policy["Statement"]
        assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
        assert statement["Action"] == "sts:AssumeRole"
        assert statement["Condition"] == {
            "StringEquals": {"sts:ExternalId": EXTERNAL_ID},
            "ArnLike": {
                "aws:PrincipalArn": [
                    "arn:aws:iam::111122223333:role/spotkeeper-app",
                    "arn:aws:iam::111122223333:role/*/spotkeeper-app",
                ]
            },
        }

    @pytest.mark.parametrize(
        ("arn", "patterns"),
        [
            (None, ()),
            ("arn:aws:iam::111122223333:root", ()),
            ("arn:aws:sts::111122223333:federated-user/x", ()),
            ("arn:aws:iam::111122223333:user/ops/keeper", ("arn:aws:iam::111122223333:user/ops/keeper",)),
            ("arn:aws:iam::111122223333:user/x'\n  - '*", ()),
        ],
    )
    def test_it_names_only_principals_that_can_be_named(self, arn, patterns):
        assert principal_patterns(arn) == patterns

    @pytest.mark.parametrize(
        ("account", "external_id", "partition"),
        [
            ("11112222333", EXTERNAL_ID, "aws"),
            ("111122223333", "a b", "aws"),
            ("111122223333", EXTERNAL_ID, "mars"),
        ],
    )
    def test_nothing_of_a_wrong_shape_gets_in(self, account, external_id, partition):
        with pytest.raises(ValueError):
            trust_policy(account, None, external_id, partition)


class TestPermissions:
    def test_it_can_only_read(self):
        (statement,) = permission_policy(grants=ALL_GRANTS)["Statement"]
        verbs = {action.split(":")[1] for action in statement["Action"]}
        assert all(verb.startswith(("Describe", "Get", "List")) for verb in verbs)
        assert not any("*" in action for action in statement["Action"])

    @pytest.mark.parametrize(
        ("grants", "more"),
        [
            ((), []),
            ((Grant.PRICES,), ["ec2:DescribeSpotPriceHistory"]),
            ((Grant.EVENTS,), []),
            ((Grant.ORGANIZATION, Grant.PRICES), ["ec2:DescribeSpotPriceHistory", "organizations:ListAccounts"]),
        ],
    )
    def test_it_follows_the_owner_s_choice(self, grants, more):
        (statement,) = permission_policy(grants=grants)["Statement"]
        assert statement["Action"] == [*INVENTORY_ACTIONS, *more]

    def test_only_ec2_is_asked_in_each_region(self):
        assert ec2_actions(ALL_GRANTS) == read_actions([Grant.PRICES])

    def test_what_is_not_known_cannot_be_granted(self):
        assert parse_grants(["prices", "ec2:TerminateInstances", "everything"]) == {Grant.PRICES}

    def test_it_fits_a_session_policy(self):
        assert len(as_json(permission_policy(grants=ALL_GRANTS), indent=None)) <= 2048


class TestTemplate:
    def test_it_says_the_same_as_the_policies(self):
        role = read(role_template("111122223333", SESSION, EXTERNAL_ID))["Resources"]["Role"]["Properties"]
        trust = json.loads(
            json.dumps(role["AssumeRolePolicyDocument"])
            .replace('{"Ref": "ExternalId"}', f'"{EXTERNAL_ID}"')
            .replace('{"Sub": "arn:${AWS::Partition}:iam::111122223333:root"}', '"arn:aws:iam::111122223333:root"')
        )
        assert trust == trust_policy("111122223333", SESSION, EXTERNAL_ID)
        assert role["Policies"][0]["PolicyDocument"] == permission_policy()

    def test_it_follows_the_owner_s_choice(self):
        for grants in ((), ALL_GRANTS):
            role = read(role_template("111122223333", None, EXTERNAL_ID, grants=grants))["Resources"]["Role"]
            assert role["Properties"]["Policies"][0]["PolicyDocument"] == permission_policy(grants=grants)

    def test_it_asks_for_one_thing_and_tells_one(self):
        template = read(role_template("111122223333", SESSION))
        assert list(template["Parameters"]) == ["ExternalId"]
        assert "NoEcho" not in template["Parameters"]["ExternalId"]
        assert "Default" not in template["Parameters"]["ExternalId"]
        assert list(template["Outputs"]) == ["RoleArn"]

    def test_a_second_installation_takes_another_name(self):
        template = read(role_template("111122223333", None, EXTERNAL_ID, role_name="SpotkeeperTwo"))
        assert template["Mappings"]["Settings"]["Role"]["Name"] == "SpotkeeperTwo"
        assert template["Parameters"]["ExternalId"]["Default"] == EXTERNAL_ID

    def test_digits_stay_text(self):
        template = read(role_template("000000000012", None, "00000000000000000000000000000012"))
        assert template["Parameters"]["ExternalId"]["Default"] == "00000000000000000000000000000012"

    def test_it_sends_events_only_when_it_is_given_their_token(self):
        template = read(role_template("111122223333", SESSION, EXTERNAL_ID, events=TARGET))
        assert list(template["Parameters"]) == ["ExternalId", "EventToken"]
        assert template["Parameters"]["EventToken"]["NoEcho"] is True
        assert template["Parameters"]["EventToken"]["Default"] == ""
        assert re.fullmatch(template["Parameters"]["EventToken"]["AllowedPattern"], secrets.token_urlsafe(TOKEN_BYTES))
        assert template["Conditions"] == {"SendsEvents": {"Not": [{"Equals": [{"Ref": "EventToken"}, ""]}]}}
        resources = template["Resources"]
        assert "Condition" not in resources.pop("Role")
        assert {made.pop("Condition") for made in resources.values()} == {"SendsEvents"}
        assert resources == read(event_template(TARGET))["Resources"], "the same as in the stack for other regions"

    @pytest.mark.parametrize("events", [None, TARGET])
    @pytest.mark.parametrize("principal", [None, SESSION])
    def test_the_linter_of_cloudformation_agrees(self, principal, events):
        from cfnlint.api import lint_all

        found = lint_all(role_template("111122223333", principal, EXTERNAL_ID, events=events))
        # Said of regions alone for which it is not made: see EventTarget.
        found = [match for match in found if not any(f"'{region}'" in match.message for region in REGIONS_WITHOUT)]
        assert [str(match) for match in found if match.rule.severity in {"error", "warning"}] == []

    @pytest.mark.parametrize("name", ["", "two words", "x'\n  Evil: '", "a" * 65])
    def test_no_name_can_add_a_line(self, name):
        with pytest.raises(ValueError):
            role_template("111122223333", None, EXTERNAL_ID, role_name=name)


class TestTerraform:
    def test_it_says_the_same_as_the_policies(self):
        trust, permissions = trust_policy("111122223333", SESSION, EXTERNAL_ID), permission_policy(grants=ALL_GRANTS)
        text = role_configuration("SpotkeeperReadOnly", trust, permissions)
        found = [json.loads(part.split("\n}\n", 1)[0].rpartition(")")[0]) for part in text.split("jsonencode(")[1:]]
        assert found == [trust, permissions]
        assert 'name                 = "SpotkeeperReadOnly"' in text

    def test_nothing_in_it_is_taken_for_a_template(self):
        text = role_configuration("R", trust_policy("111122223333", SESSION, EXTERNAL_ID), permission_policy())
        assert "${" not in text
        assert "%{" not in text


class TestLinks:
    URL = "https://bucket.s3.amazonaws.com/spotkeeper role&1.yaml"

    def test_it_fills_the_consoles_page(self):
        link = quick_create_url(self.URL, "eu-central-1", "spotkeeper-access", EXTERNAL_ID)
        parts = urlsplit(link)
        assert (parts.hostname, parts.query) == ("eu-central-1.console.aws.amazon.com", "region=eu-central-1")
        route, _, query = parts.fragment.partition("?")
        assert route == "/stacks/quickcreate"
        assert parse_qs(query) == {
            "templateURL": [self.URL],
            "stackName": ["spotkeeper-access"],
            "param_ExternalId": [EXTERNAL_ID],
        }

    def test_each_partition_has_its_console_or_no_link(self):
        hosts = {
            name: quick_create_url(self.URL, partition.default_region, "s", EXTERNAL_ID, name)
            for name, partition in PARTITIONS.items()
        }
        assert hosts["aws-cn"].startswith("https://cn-north-1.console.amazonaws.cn/")
        assert hosts["aws-iso"] is None

    @pytest.mark.parametrize("url", ["http://bucket/x", "javascript:alert(1)", "https://b/" + "x" * 1024])
    def test_aws_would_not_take_other_addresses(self, url):
        with pytest.raises(ValueError, match="https"):
            quick_create_url(url, "us-east-1", "s", EXTERNAL_ID)


class TestCommandLine:
    def test_it_survives_a_shell(self):
        words = shlex.split(cli_command("us-east-1", "a'b; rm -rf /"))
        assert words[:3] == ["aws", "cloudformation", "create-stack"]
        assert "ParameterKey=ExternalId,ParameterValue=a'b; rm -rf /" in words
        assert words[-2:] == ["--capabilities", "CAPABILITY_NAMED_IAM"]
