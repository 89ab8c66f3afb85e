"""Trust policies as the simulated AWS reads them."""

import pytest

from demo.aws.policies import Decision, decide
from demo.aws.trust import Caller, is_trusted, trust_policy

ACCOUNT = "555500001111"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
USER = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/app", f"arn:aws:iam::{ACCOUNT}:user/app", "AIDA1")
SESSION = Caller(
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/App/one",
    f"arn:aws:iam::{ACCOUNT}:role/tools/App",
    "AROA1:one",
)
STRANGER = Caller("999900001111", "arn:aws:iam::999900001111:user/app", "arn:aws:iam::999900001111:user/app", "AIDA2")


def allow(principal, condition=None, effect="Allow"):
    statement = {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Statement": [statement | ({"Condition": condition} if condition else {})]}


class TestPrincipal:
    @pytest.mark.parametrize(
        "name", ["*", ROOT, ACCOUNT, SESSION.arn, SESSION.principal_arn, "AROA1"], ids=lambda name: name[-12:]
    )
    def test_it_is_matched_by_account_session_role_and_unique_id(self, name):
        assert is_trusted(allow({"AWS": ["arn:aws:iam::000000000000:root", name]}), SESSION, None)

    @pytest.mark.parametrize("name", [STRANGER.arn, "arn:aws:iam::999900001111:root", f"arn:aws:iam::{ACCOUNT}:user/*"])
    def test_it_is_not_matched_by_others_nor_by_a_pattern(self, name):
        assert not is_trusted(allow({"AWS": name}), USER, None)

    def test_a_service_is_nobody_here(self):
        assert not is_trusted(allow({"Service": "ec2.amazonaws.com"}), USER, None)

    def test_a_bare_star_is_everybody(self):
        assert is_trusted(allow("*"), STRANGER, None)


class TestExternalId:
    policy = trust_policy(ROOT, "right")

    def test_the_right_one_is_let_in(self):
        assert is_trusted(self.policy, USER, "right")

    @pytest.mark.parametrize("given", ["wrong", "Right", "", None])
    def test_another_an_empty_and_an_absent_one_are_not(self, given):
        assert not is_trusted(self.policy, USER, given)

    def test_a_stranger_with_the_right_one_is_not(self):
        assert not is_trusted(self.policy, STRANGER, "right")

    def test_without_the_condition_any_is_let_in(self):
        assert is_trusted(trust_policy(ROOT, None), USER, "anything")
        assert is_trusted(trust_policy(ROOT, None), USER, None)

    def test_if_exists_lets_an_absent_one_in(self):
        policy = allow({"AWS": ROOT}, {"StringEqualsIfExists": {"sts:ExternalId": "right"}})
        assert is_trusted(policy, USER, None)
        assert not is_trusted(policy, USER, "wrong")

    def test_patterns_hold_where_the_operator_is_like(self):
        policy = allow({"AWS": ROOT}, {"StringLike": {"sts:ExternalId": ["x-*", "ri?ht"]}})
        assert is_trusted(policy, USER, "right")
        assert not is_trusted(allow({"AWS": ROOT}, {"StringEquals": {"sts:ExternalId": "ri*"}}), USER, "right")


class TestPrincipalArnCondition:
    def test_a_session_counts_as_its_role(self):
        policy = trust_policy(ROOT, "right", f"arn:aws:iam::{ACCOUNT}:role/*/App")
        assert is_trusted(policy, SESSION, "right")
        assert not is_trusted(policy, USER, "right")

    def test_a_star_does_not_reach_over_a_colon(self):
        assert not is_trusted(trust_policy(ROOT, None, "arn:*:role/tools/App"), SESSION, None)


class TestDeny:
    def test_it_wins_over_an_allow(self):
        statements = [*allow("*")["Statement"], *allow({"AWS": ROOT}, effect="Deny")["Statement"]]
        assert not is_trusted({"Statement": statements}, USER, None)
        assert is_trusted({"Statement": statements}, STRANGER, None)


class TestPermissions:
    def document(self, **statement):
        return {"Statement": {"Effect": "Allow", "Resource": "*", **statement}}

    def test_wildcards_match_an_action_in_any_case(self):
        document = self.document(Action="ec2:describe*")
        assert decide([document], "ec2:DescribeInstances", "*", {}) is Decision.ALLOWED
        assert decide([document], "ec2:RunInstances", "*", {}) is Decision.SILENT

    def test_a_region_may_be_denied(self):
        denied = self.document(
            Effect="Deny", NotAction="iam:*", Condition={"StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]}}
        )
        documents = [self.document(Action="*"), denied]
        assert decide(documents, "ec2:DescribeInstances", "*", {"aws:requestedregion": "us-east-1"}) is Decision.ALLOWED
        assert decide(documents, "ec2:DescribeInstances", "*", {"aws:requestedregion": "eu-west-1"}) is Decision.DENIED

    def test_an_unknown_operator_is_an_error_and_no_guess(self):
        document = self.document(Action="*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
        with pytest.raises(ValueError, match="IpAddress"):
            decide([document], "ec2:DescribeInstances", "*", {})
