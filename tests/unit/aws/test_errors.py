"""Every way a call to AWS fails has one of our codes, and no words that should stay secret."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from app.aws.errors import aws_faults, is_throttle, own_fault, translate
from app.aws.transport import CallTimeoutError, MalformedAnswerError
from app.errors import AwsFault, FaultCode

URL = "https://ec2.us-east-1.amazonaws.com"
TOKEN = "FwoGZXIvYXdzEBYaDK0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH/+=="


def answered(code, message="no", *, operation="DescribeInstances", status=400, headers=None):
    metadata = {"RequestId": "req-1", "HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return translate(
        boto.ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, operation)
    )


class TestWhatAwsAnswers:
    @pytest.mark.parametrize(
        ("aws_code", "code"),
        [
            ("UnauthorizedOperation", FaultCode.DENIED_IAM),
            ("AccessDenied", FaultCode.DENIED_IAM),
            ("AccessDeniedException", FaultCode.DENIED_IAM),
            ("AuthFailure", FaultCode.INVALID_ACCESS_KEY),
            ("InvalidClientTokenId", FaultCode.INVALID_ACCESS_KEY),
            ("UnrecognizedClientException", FaultCode.INVALID_ACCESS_KEY),
            ("SignatureDoesNotMatch", FaultCode.BAD_SECRET_KEY),
            ("IncompleteSignature", FaultCode.BAD_SECRET_KEY),
            ("ExpiredToken", FaultCode.EXPIRED_CREDENTIALS),
            ("RequestExpired", FaultCode.EXPIRED_CREDENTIALS),
            ("OptInRequired", FaultCode.NOT_OPTED_IN),
            ("RegionDisabledException", FaultCode.NOT_OPTED_IN),
            ("RequestLimitExceeded", FaultCode.THROTTLED),
            ("Client.RequestLimitExceeded", FaultCode.THROTTLED),
            ("Throttling", FaultCode.THROTTLED),
            ("RequestTimeTooSkewed", FaultCode.CLOCK_SKEW),
            ("PendingVerification", FaultCode.ACCESS_DENIED),
            ("InternalError", FaultCode.AWS_ERROR),
            ("SomethingNew", FaultCode.AWS_ERROR),
            ("", FaultCode.AWS_ERROR),
        ],
    )
    def test_each_code_has_ours(self, aws_code, code):
        fault = answered(aws_code)
        assert (fault.code, fault.aws_code, fault.request_id) == (code, aws_code or None, "req-1")

    def test_a_refused_role_is_not_a_refused_action(self):
        assert answered("AccessDenied", operation="AssumeRole").code is FaultCode.ACCESS_DENIED

    def test_a_service_control_policy_is_named(self):
        message = "You are not authorized ... with an explicit deny in a Service Control Policy"
        assert answered("UnauthorizedOperation", message).code is FaultCode.DENIED_SCP

    def test_too_many_requests_in_any_words_is_a_throttle(self):
        assert answered("Whatever", status=429).code is FaultCode.THROTTLED
        assert is_throttle("ThrottlingException")
        assert not is_throttle("UnauthorizedOperation")
        assert not is_throttle(None)


class TestClocks:
    @pytest.mark.parametrize(
        ("message", "words"),
        [
            (
                "Signature expired: 20261122T200000Z is now earlier than 20261122T202200Z (20261122T203700Z - 15 min.)",
                "37 minutes behind",
            ),
            (
                "Signature not yet current: 20261122T210000Z is still later than "
                "20261122T205500Z (20261122T205000Z + 5 min.)",
                "10 minutes ahead of",
            ),
        ],
    )
    def test_the_size_is_taken_from_the_message(self, message, words):
        fault = answered("SignatureDoesNotMatch", message, status=403)
        assert fault.code is FaultCode.CLOCK_SKEW
        assert words in str(fault)

    @pytest.mark.parametrize("aws_code", ["RequestExpired", "SignatureDoesNotMatch", "RequestTimeTooSkewed"])
    def test_the_size_is_taken_from_the_answers_date(self, aws_code):
        date = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
        fault = answered(aws_code, headers={"date": date})
        assert fault.code is FaultCode.CLOCK_SKEW
        assert "30 minutes behind" in str(fault)

    @pytest.mark.parametrize("date", [None, "never", "now"])
    def test_a_right_clock_is_not_blamed(self, date):
        if date == "now":
            date = format_datetime(datetime.now(UTC), usegmt=True)
        headers = {"date": date} if date else {}
        assert answered("SignatureDoesNotMatch", headers=headers).code is FaultCode.BAD_SECRET_KEY
        assert answered("RequestExpired", headers=headers).code is FaultCode.EXPIRED_CREDENTIALS

    def test_a_skew_of_unknown_size_is_still_one(self):
        assert "clock" in str(answered("RequestTimeTooSkewed"))


class TestWhatNeverArrived:
    @pytest.mark.parametrize(
        ("exc", "code"),
        [
            (boto.EndpointConnectionError(endpoint_url=URL), FaultCode.UNREACHABLE),
            (boto.ConnectTimeoutError(endpoint_url=URL), FaultCode.UNREACHABLE),
            (boto.ReadTimeoutError(endpoint_url=URL), FaultCode.UNREACHABLE),
            (boto.ConnectionClosedError(endpoint_url=URL), FaultCode.UNREACHABLE),
            (boto.ProxyConnectionError(proxy_url="http://proxy"), FaultCode.UNREACHABLE),
            (boto.SSLError(endpoint_url=URL, error="self-signed"), FaultCode.UNREACHABLE),
            (boto.HTTPClientError(error="broken"), FaultCode.UNREACHABLE),
            (CallTimeoutError(endpoint_url=URL, seconds=40), FaultCode.UNREACHABLE),
            (OSError("too many open files"), FaultCode.UNREACHABLE),
            (boto.NoCredentialsError(), FaultCode.NO_APP_IDENTITY),
            (boto.PartialCredentialsError(provider="env", cred_var="X"), FaultCode.NO_APP_IDENTITY),
            (boto.CredentialRetrievalError(provider="p", error_msg="m"), FaultCode.NO_APP_IDENTITY),
            (boto.ProfileNotFound(profile="ops"), FaultCode.NO_APP_IDENTITY),
            (ResponseParserError("<html>"), FaultCode.MALFORMED),
            (MalformedAnswerError(operation="DescribeInstances", reason="an HTML page"), FaultCode.MALFORMED),
            (ValueError("invalid timestamp"), FaultCode.MALFORMED),
            (KeyError("GetCallerIdentityResult"), FaultCode.MALFORMED),
            (boto.ParamValidationError(report="x"), FaultCode.INTERNAL),
            (boto.NoRegionError(), FaultCode.INTERNAL),
            (RuntimeError("ours"), FaultCode.INTERNAL),
        ],
    )
    def test_each_has_a_code(self, exc, code):
        assert translate(exc).code is code

    def test_a_fault_stays_itself(self):
        fault = AwsFault(FaultCode.THROTTLED)
        assert translate(fault) is fault

    def test_a_mistake_of_ours_is_not_passed_off_as_awss(self):
        with pytest.raises(RuntimeError), aws_faults():
            raise RuntimeError("a bug")


class TestSecrets:
    MESSAGE = (
        "The request signature we calculated does not match. The Canonical String for this request should have "
        f"been 'POST\n/\n\nhost:sts.amazonaws.com\nx-amz-security-token:{TOKEN}\n'"
    )

    @pytest.mark.parametrize("aws_code", ["SignatureDoesNotMatch", "InvalidSignatureException", "Other"])
    def test_a_signed_request_is_not_repeated(self, aws_code):
        assert TOKEN[:12] not in str(answered(aws_code, self.MESSAGE))

    def test_keys_and_tokens_are_cut_out_of_awss_words(self):
        fault = answered("Other", f"key AKIAIOSFODNN7EXAMPLE token {TOKEN}\x1b[31m\r\nnext line")
        assert str(fault) == "key AKIA…MPLE token … [31m next line"

    def test_who_was_refused_what_stays_readable(self):
        words = (
            "User: arn:aws:sts::123456789012:assumed-role/SpotkeeperReadOnly/spotkeeper-7 is not authorized "
            "to perform: ec2:DescribeInstances"
        )
        assert str(answered("UnauthorizedOperation", words)) == words

    def test_the_original_does_not_travel_along(self):
        with pytest.raises(AwsFault) as caught, aws_faults():
            raise ResponseParserError(f"invalid XML received:\n<Credentials>{TOKEN}")
        assert caught.value.__suppress_context__
        assert caught.value.__cause__ is None
        assert TOKEN not in str(caught.value)


class TestOurOwnCredentials:
    @pytest.mark.parametrize("aws_code", ["InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"])
    def test_their_refusal_is_not_the_accounts_fault(self, aws_code):
        fault = own_fault(answered(aws_code, operation="AssumeRole"))
        assert (fault.code, fault.aws_code) == (FaultCode.NO_APP_IDENTITY, aws_code)

    def test_anything_else_stays(self):
        fault = answered("AccessDenied", operation="AssumeRole")
        assert own_fault(fault) is fault
