"""Whether a request is signed with the secret of its key, and recently (AWS Signature Version 4).

The signature is computed anew by botocore's own signer, so that this cannot drift from what clients send.
"""

import hmac
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from demo.aws.answers import RefusalError
from demo.aws.calls import Call, Signature

#: How far a client's clock may be off.
TOLERANCE = timedelta(minutes=5)
STAMP = "%Y%m%dT%H%M%SZ"


def check_signature(call: Call, signature: Signature, secret: str, token: str | None, now: datetime) -> None:
    """Raises RefusalError as the call's service words it: for another secret, and for a wrong clock."""
    _check_clock(call, now)
    request = AWSRequest(
        method=call.method,
        url=f"http://{call.headers.get('host', '')}{call.path}" + (f"?{call.query}" if call.query else ""),
        data=call.body,
        headers={name: call.headers.get(name, "") for name in signature.signed_headers},
    )
    request.context["timestamp"] = call.headers.get("x-amz-date", "")
    signer = SigV4Auth(Credentials("-", secret, token), signature.service, signature.region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected, signature.value):
        raise wrong_signature(call.service)


def wrong_signature(service: str) -> RefusalError:
    """EC2 says the same for a wrong secret as for an unknown key."""
    if service == "ec2":
        return unknown_key(service)
    return RefusalError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
        403,
    )


def unknown_key(service: str) -> RefusalError:
    if service == "ec2":
        return RefusalError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if service == "pricing":
        return RefusalError("UnrecognizedClientException", "The security token included in the request is invalid.")
    return RefusalError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


def expired_session(service: str) -> RefusalError:
    if service == "ec2":
        return RefusalError("RequestExpired", "Request has expired.")
    if service == "pricing":
        return RefusalError("ExpiredTokenException", "The security token included in the request is expired")
    return RefusalError("ExpiredToken", "The security token included in the request is expired", 403)


def _check_clock(call: Call, now: datetime) -> None:
    stamp = call.headers.get("x-amz-date", "")
    try:
        signed = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise RefusalError("IncompleteSignature", f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.") from None
    if abs(now - signed) <= TOLERANCE:
        return
    if call.service == "ec2":
        raise RefusalError("RequestExpired", "Request has expired.")
    here = f"({now.strftime(STAMP)} {{}} 5 min.)"
    if signed < now:
        edge, message = (now - TOLERANCE).strftime(STAMP), "Signature expired: {} is now earlier than {} {}"
    else:
        edge, message = (now + TOLERANCE).strftime(STAMP), "Signature not yet current: {} is still later than {} {}"
    raise RefusalError(
        "SignatureDoesNotMatch", message.format(stamp, edge, here.format("-" if signed < now else "+")), 403
    )
