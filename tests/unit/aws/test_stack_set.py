"""One template for many accounts, each with an External ID of its own."""

import shlex

import pytest
import yaml

from app.aws.cloudformation import permission_policy
from app.aws.formats import parse_role_arn
from app.aws.grants import ALL_GRANTS
from app.aws.stack_set import MOST_ACCOUNTS, WantedRole, roles_template, stack_set_commands

SESSION = "arn:aws:sts::111122223333:assumed-role/spotkeeper-app/i-0abc"


def wanted(*arns):
    return [WantedRole(parse_role_arn(arn), f"{number:032x}") for number, arn in enumerate(arns)]


def many(count):
    return wanted(*(f"arn:aws:iam::{number:012d}:role/SpotkeeperReadOnly" for number in range(count)))


class _Template(yaml.SafeLoader):
    """Reads !Ref, !Sub and the like as {tag: value}."""


def _tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    return {suffix: loader.construct_sequence(node, deep=True)}


_Template.add_multi_constructor("!", _tag)


class TestTheTemplate:
    def test_each_account_looks_its_own_external_id_up(self):
        template = yaml.load(roles_template("111122223333", SESSION, many(3), grants=ALL_GRANTS), _Template)
        assert template["Mappings"] == {
            "ExternalIds": {f"{number:012d}": {"Is": f"{number:032x}"} for number in range(3)}
        }
        role = template["Resources"]["Role"]["Properties"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"]["StringEquals"] == {
            "sts:ExternalId": {"FindInMap": ["ExternalIds", {"Ref": "AWS::AccountId"}, "Is"]}
        }
        assert (role["RoleName"], role["Path"]) == ("SpotkeeperReadOnly", "/")
        assert role["Policies"][0]["PolicyDocument"] == permission_policy(grants=ALL_GRANTS)

    def test_names_and_paths_that_differ_are_looked_up_too(self):
        arns = ["arn:aws:iam::000000000001:role/ops/A", "arn:aws:iam::000000000002:role/B"]
        template = yaml.load(roles_template("111122223333", None, wanted(*arns)), _Template)
        assert template["Mappings"]["RoleNames"] == {"000000000001": {"Is": "A"}, "000000000002": {"Is": "B"}}
        assert template["Mappings"]["RolePaths"] == {"000000000001": {"Is": "/ops/"}, "000000000002": {"Is": "/"}}

    @pytest.mark.parametrize("count", [1, MOST_ACCOUNTS])
    def test_the_linter_of_cloudformation_agrees_and_it_is_no_larger_than_aws_takes(self, count):
        from cfnlint.api import lint_all

        text = roles_template("111122223333", SESSION, many(count), grants=ALL_GRANTS)
        assert len(text.encode()) <= 51_200
        found = lint_all(text)
        assert [str(match) for match in found if match.rule.severity in {"error", "warning"}] == []

    @pytest.mark.parametrize("count", [0, MOST_ACCOUNTS + 1])
    def test_more_than_a_mapping_holds_is_refused(self, count):
        with pytest.raises(ValueError, match="200"):
            roles_template("111122223333", None, many(count))


class TestTheCommands:
    def test_everything_is_filled_in(self):
        text = stack_set_commands("us-east-1", "spotkeeper-access-000001", ["000000000001", "000000000002"])
        first, second = (shlex.split(line.replace("\\\n", "")) for line in text.strip().split("\naws "))
        assert first[:3] == ["aws", "cloudformation", "create-stack-set"]
        assert "CAPABILITY_NAMED_IAM" in first
        targets = second[second.index("--deployment-targets") + 1]
        assert targets.endswith(",Accounts=000000000001,000000000002,AccountFilterType=INTERSECTION")
        assert "list-roots" in targets

    def test_nothing_of_a_wrong_shape_gets_in(self):
        with pytest.raises(ValueError):
            stack_set_commands("us-east-1", "x", ["000000000001; rm -rf /"])
        assert "'x; y'" in stack_set_commands("us-east-1", "x; y", [])
