"""Who is who in AWS, and whose credentials are used for what: over real HTTP."""

import logging
from contextlib import closing

import pytest

from app.aws import session
from app.aws.credentials import Credentials
from app.aws.grants import read_actions
from app.aws.identity import (
    assume_role,
    get_app_identity,
    get_caller_identity,
    prove_external_id,
    verify_keys,
    verify_role,
)
from app.aws.regions import list_regions
from app.aws.session import app_client, client
from app.errors import AwsFault, FaultCode
from tests.fakes.rogue_aws import Answer, error, xml

READ_ACTIONS = read_actions()

ROLE = "arn:aws:iam::123456789012:role/SpotkeeperReadOnly"
TEMPORARY_SECRET = "temporarySECRETtemporarySECRETtemporaryS"


def given_session(key="ASIAGIVENGIVENGIVEN0"):
    return xml(
        "AssumeRoleResponse",
        f"<AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>"
        f"<SecretAccessKey>{TEMPORARY_SECRET}</SecretAccessKey><SessionToken>tokenTOKENtoken</SessionToken>"
        "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>",
    )


def caller(account="123456789012", arn=None):
    arn = arn or f"arn:aws:sts::{account}:assumed-role/SpotkeeperReadOnly/run"
    return xml(
        "GetCallerIdentityResponse",
        f"<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AROA:run</UserId><Account>{account}</Account>"
        "</GetCallerIdentityResult>",
    )


def role_with(external_id="right", *, wrong=None, absent=None, identity=None):
    """A role that wants `external_id`; `wrong` and `absent` are what it answers to anything else."""
    refused = error("AccessDenied", "not authorized to perform: sts:AssumeRole", 403)

    def answer(form, number):
        if form["Action"] == "GetCallerIdentity":
            return identity or caller()
        given = form.get("ExternalId")
        if given == external_id:
            return given_session()
        return (absent or refused) if given is None else (wrong or refused)

    return answer


class TestVerifyingARole:
    def test_a_good_role_passes_every_proof(self, rogue):
        rogue.answer = role_with()
        found = verify_role(ROLE, "right", "123456789012", "run 7/é")
        assert found.identity.account_id == "123456789012"
        assert found.identity.is_assumed_role
        assert found.credentials.session_token == "tokenTOKENtoken"
        asked = [request.get("ExternalId") for request in rogue.requests if request["Action"] == "AssumeRole"]
        assert asked[0] == "right"
        assert len(asked[1]) == 32
        assert asked[2] is None

    def test_its_session_can_only_read_whatever_the_role_grants(self, rogue):
        rogue.answer = role_with()
        assume_role(ROLE, "right", "run")
        (request,) = rogue.requests
        assert all(action in request["Policy"] for action in READ_ACTIONS)
        assert request["DurationSeconds"] == "3600"

    def test_what_a_probe_obtains_is_worth_nothing(self, rogue):
        rogue.answer = role_with(wrong=given_session())
        with pytest.raises(AwsFault):
            prove_external_id(ROLE, "run")
        assert '"Effect":"Deny","Action":"*"' in rogue.requests[0]["Policy"]

    @pytest.mark.parametrize("open_to", ["wrong", "absent"])
    def test_a_role_that_lets_anyone_in_is_refused(self, rogue, open_to):
        rogue.answer = role_with(**{open_to: given_session()})
        with pytest.raises(AwsFault) as caught:
            verify_role(ROLE, "right", "123456789012", "run")
        assert caught.value.code is FaultCode.EXTERNAL_ID_NOT_ENFORCED

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (error("Throttling", status=400), FaultCode.THROTTLED),
            (error("ServiceUnavailable", status=503), FaultCode.AWS_ERROR),
            (Answer(manner="reset"), FaultCode.UNREACHABLE),
            (Answer(b"<html></html>"), FaultCode.MALFORMED),
            (error("InvalidClientTokenId", status=403), FaultCode.NO_APP_IDENTITY),
        ],
    )
    def test_no_answer_to_a_probe_proves_nothing(self, rogue, answer, code):
        rogue.answer = role_with(absent=answer)
        with pytest.raises(AwsFault) as caught:
            prove_external_id(ROLE, "run")
        assert caught.value.code is code

    def test_no_session_is_longer_than_the_hour_that_chained_roles_have(self, rogue):
        rogue.answer = role_with()
        verify_role(ROLE, "right", "123456789012", "run")
        assert {int(form["DurationSeconds"]) for form in rogue.requests if form["Action"] == "AssumeRole"} == {
            3600,
            900,
        }

    def test_a_role_that_refuses_us_is_called_with_its_own_external_id_only(self, rogue):
        rogue.answer = role_with("another")
        with pytest.raises(AwsFault) as caught:
            verify_role(ROLE, "right", "123456789012", "run")
        assert caught.value.code is FaultCode.ACCESS_DENIED
        assert [request["ExternalId"] for request in rogue.requests] == ["right"]

    def test_another_accounts_role_is_not_even_called(self, rogue):
        with pytest.raises(AwsFault) as caught:
            verify_role(ROLE, "right", "999999999999", "run")
        assert caught.value.code is FaultCode.ACCOUNT_MISMATCH
        assert rogue.requests == []

    def test_an_account_that_turns_out_another_is_refused_and_masked(self, rogue):
        rogue.answer = role_with(identity=caller("555566667777"))
        with pytest.raises(AwsFault) as caught:
            verify_role(ROLE, "right", "123456789012", "run")
        assert caught.value.code is FaultCode.ACCOUNT_MISMATCH
        assert "…7777" in str(caught.value)
        assert "555566667777" not in str(caught.value)


class TestVerifyingKeys:
    def check(self, rogue, arn, account="123456789012", key="AKIATENANTTENANT0000"):
        rogue.answer = lambda form, number: caller(account, arn)
        return verify_keys(Credentials(key, "s" * 40), "123456789012", "us-east-1")

    def test_a_users_keys_pass(self, rogue):
        found = self.check(rogue, "arn:aws:iam::123456789012:user/ops/keeper")
        assert found.identity.is_user
        assert "AKIATENANTTENANT0000" in rogue.requests[0]["authorization"]

    @pytest.mark.parametrize(
        ("arn", "account", "code"),
        [
            ("arn:aws:iam::123456789012:root", "123456789012", FaultCode.ROOT_CREDENTIALS),
            ("arn:aws:sts::123456789012:assumed-role/R/s", "123456789012", FaultCode.TEMPORARY_CREDENTIALS),
            ("arn:aws:sts::123456789012:federated-user/x", "123456789012", FaultCode.TEMPORARY_CREDENTIALS),
            ("arn:aws:iam::555566667777:user/keeper", "555566667777", FaultCode.ACCOUNT_MISMATCH),
        ],
    )
    def test_others_are_refused(self, rogue, arn, account, code):
        with pytest.raises(AwsFault) as caught:
            self.check(rogue, arn, account)
        assert caught.value.code is code

    def test_temporary_keys_are_never_sent(self, rogue):
        with pytest.raises(AwsFault) as caught:
            self.check(rogue, "", key="ASIATENANTTENANT0000")
        assert caught.value.code is FaultCode.TEMPORARY_CREDENTIALS
        assert rogue.requests == []

    @pytest.mark.parametrize(
        ("aws_code", "code"),
        [
            ("InvalidClientTokenId", FaultCode.INVALID_ACCESS_KEY),
            ("SignatureDoesNotMatch", FaultCode.BAD_SECRET_KEY),
        ],
    )
    def test_bad_keys_are_the_accounts_own_matter(self, rogue, tenant, aws_code, code):
        rogue.answer = lambda form, number: error(aws_code, status=403)
        with pytest.raises(AwsFault) as caught:
            verify_keys(tenant, "123456789012", "us-east-1")
        assert caught.value.code is code

    @pytest.mark.parametrize("answer", [Answer(b"<html></html>"), Answer(b""), caller(arn="me"), caller("12")])
    def test_an_answer_that_names_nobody_is_no_proof(self, rogue, tenant, answer):
        rogue.answer = lambda form, number: answer
        with pytest.raises(AwsFault) as caught:
            get_caller_identity(tenant, "us-east-1")
        assert caught.value.code is FaultCode.MALFORMED


class TestTheInstallationItself:
    def test_it_knows_who_it_is(self, rogue):
        rogue.answer = lambda form, number: caller("111122223333", "arn:aws:iam::111122223333:user/spotkeeper")
        assert get_app_identity().account_id == "111122223333"
        assert "AKIAAMBIENTAMBIENT00" in rogue.requests[0]["authorization"]

    def test_without_credentials_it_says_so(self, rogue, monkeypatch, tmp_path):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        for call in (get_app_identity, lambda: assume_role(ROLE, "right", "run")):
            with pytest.raises(AwsFault) as caught:
                call()
            assert caught.value.code is FaultCode.NO_APP_IDENTITY
        assert rogue.requests == []

    @pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    def test_a_profile_that_is_not_there_is_our_own_trouble_only(self, rogue, tenant, monkeypatch, variable):
        monkeypatch.setenv(variable, "missing")
        rogue.answer = lambda form, number: caller()
        with pytest.raises(AwsFault) as caught:
            get_app_identity()
        assert caught.value.code is FaultCode.NO_APP_IDENTITY
        assert get_caller_identity(tenant, "us-east-1").account_id == "123456789012"

    def test_its_identity_is_for_nothing_but_sts(self, rogue):
        with pytest.raises(ValueError, match="not for ec2"):
            app_client("ec2", "us-east-1")


class TestTenantsStandAlone:
    @pytest.mark.parametrize("blank", [("", "s" * 40), ("AKIATENANTTENANT0000", ""), ("AKIA\r\nX-Evil: 1", "s" * 40)])
    def test_our_identity_never_steps_in_for_theirs(self, rogue, blank):
        with pytest.raises(AwsFault) as caught:
            client("ec2", Credentials(*blank), "us-east-1")
        assert caught.value.code is FaultCode.INVALID_ACCESS_KEY
        assert rogue.requests == []

    def test_a_refused_tenant_is_not_asked_for_again_as_ourselves(self, rogue, tenant):
        rogue.answer = lambda form, number: error("AuthFailure", status=401)
        with pytest.raises(AwsFault):
            list_regions(tenant, "us-east-1")
        assert not any("AMBIENT" in request["authorization"] for request in rogue.requests)

    def test_shared_files_are_not_read_for_them(self, rogue, tenant, monkeypatch, tmp_path):
        config = tmp_path / "config"
        config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\nregion = eu-west-3\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        session._tenant_session.cache_clear()
        with closing(client("sts", tenant, "us-east-1")) as sts:
            assert sts.meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"

    def test_there_is_nothing_their_session_could_fall_back_to(self, rogue):
        assert session._app_session().get_credentials().access_key == "AKIAAMBIENTAMBIENT00"
        assert session._tenant_session().get_credentials() is None

    @pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "us-gov-west-1"])
    def test_sts_is_asked_in_the_region_whatever_the_environment_prefers(self, rogue, tenant, monkeypatch, region):
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
        with closing(client("sts", tenant, region)) as theirs, closing(app_client("sts", region)) as ours:
            assert {theirs.meta.endpoint_url, ours.meta.endpoint_url} == {f"https://sts.{region}.amazonaws.com"}

    @pytest.mark.parametrize(
        "region",
        [
            "",
            "x.evil.example#",
            "us-east-1.evil.example",
            "us-east-1/../",
            "169.254.169.254",
            "localhost:80",
            "us-east-1 ",
        ],
    )
    def test_no_name_of_a_region_leads_elsewhere(self, rogue, tenant, region):
        for make in (lambda: client("ec2", tenant, region), lambda: app_client("sts", region)):
            with pytest.raises(AwsFault) as caught:
                make()
            assert caught.value.code is FaultCode.INTERNAL
        assert rogue.requests == []

    def test_debug_logs_hold_no_secret(self, rogue, caplog):
        loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
        before = [(logger, logger.level) for logger in loggers]
        rogue.answer = role_with()
        try:
            for logger in loggers:
                logger.setLevel(logging.DEBUG)
            credentials = assume_role(ROLE, "right", "run")
            get_caller_identity(credentials, "us-east-1")
        finally:
            for logger, level in before:
                logger.setLevel(level)
        assert caplog.records
        for secret in (TEMPORARY_SECRET, "tokenTOKENtoken", "ambientAMBIENT"):
            assert secret not in caplog.text


class TestRegions:
    def answer(self, *regions):
        items = "".join(
            f"<item><regionName>{name}</regionName><optInStatus>{status}</optInStatus></item>"
            for name, status in regions
        )
        return lambda form, number: xml("DescribeRegionsResponse", f"<regionInfo>{items}</regionInfo>")

    def test_each_is_told_with_its_standing(self, rogue, tenant):
        rogue.answer = self.answer(
            ("us-east-1", "opt-in-not-required"),
            ("af-south-1", "opted-in"),
            ("me-south-1", "not-opted-in"),
            ("ap-moon-1", "opted-in"),
        )
        found = {region.name: (region.is_enabled, region.is_known) for region in list_regions(tenant, "us-east-1")}
        assert found == {
            "af-south-1": (True, True),
            "ap-moon-1": (True, False),
            "me-south-1": (False, True),
            "us-east-1": (True, True),
        }
        assert rogue.requests[0]["AllRegions"] == "true"

    @pytest.mark.parametrize(
        "regions", [[], [("us-east-1", "not-opted-in")], [("x.evil.example#", "opted-in"), ("us-east-1", "opted-in")]]
    )
    def test_a_list_that_cannot_be_true_is_refused(self, rogue, tenant, regions):
        rogue.answer = self.answer(*regions)
        with pytest.raises(AwsFault) as caught:
            list_regions(tenant, "us-east-1")
        assert caught.value.code is FaultCode.MALFORMED


def test_every_client_is_boto3s(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOURSOURSOURSOURS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 40)
    tenants = client("ec2", Credentials("AKIATENANTTENANTTENA", "s" * 40), "us-east-1")
    with closing(tenants), closing(app_client("sts", "us-east-1")) as ours:
        for made in (tenants, ours):
            assert made.meta.config.user_agent.startswith("Boto3/")
            assert "spotkeeper" in made.meta.config.user_agent
