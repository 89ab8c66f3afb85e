"""The simulated AWS: moto's server behind a thin layer that does what moto does not.

It checks signatures and whether keys exist, enforces trust and permission policies, denies regions as a service
control policy would, pages by instances, answers prices, and fails on order. It keeps a log of calls.
"""

import io
import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from demo.aws import answers, prices, regions
from demo.aws.answers import Answer, AwsError
from demo.aws.callers import Caller, Callers
from demo.aws.faults import ConnectionDropped, Faults
from demo.aws.listing import Listing
from demo.aws.policies import allows, load, trusts
from demo.aws.signing import MAX_SKEW, Signature, is_signed_by, parse_authorization, skew_of

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

DENIED = "You are not authorized to perform this operation. User: {arn} is not authorized to perform: {action}"
BY_SCP = " with an explicit deny in a service control policy"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in, for tests to look at; never a secret."""

    service: str
    action: str
    region: str
    account_id: str
    access_key_id: str
    external_id: str | None = None
    role_arn: str = ""


@dataclass(slots=True)
class _Request:
    environ: Environ
    body: bytes
    params: dict[str, str]
    signature: Signature

    @property
    def action(self) -> str:
        target = self.environ.get("HTTP_X_AMZ_TARGET", "")
        return self.params.get("Action") or target.rpartition(".")[2]


class SimulatedAws:
    """A WSGI application; also the hands by which tests and the demo play AWS's customers."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._moto_lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if made anew."""
        reset_model_data()
        BackendDict.reset()
        self.callers = Callers()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.denied_regions: set[tuple[str, str]] = set()
        self.regions = dict(regions.DEFAULT)
        self.session_lifetime: timedelta | None = None
        self._listing = Listing()

    # --- the customer's side ---------------------------------------------------------------------------------

    def create_user_keys(self, account_id: str, name: str = "spotkeeper", **options: Any) -> Caller:
        """Long-term keys of a user in the account, who may do everything unless `policies` says otherwise."""
        return self.callers.add_user(account_id, name, **options)

    def create_root_keys(self, account_id: str) -> Caller:
        return self.callers.add_user(account_id, "root")

    def create_role(
        self, account_id: str, name: str, trust_policy: Mapping[str, Any], permissions: Mapping[str, Any]
    ) -> str:
        """Make a role, or make it anew; its ARN."""
        backend = iam_backends[account_id]["aws"]
        for role in list(backend.roles.values()):
            if role.name == name:
                backend.roles.pop(role.id)
        role = backend.create_role(
            role_name=name,
            assume_role_policy_document=json.dumps(trust_policy),
            path="/",
            permissions_boundary=None,
            description="",
            tags=[],
            max_session_duration="3600",
        )
        role.put_policy("permissions", json.dumps(permissions))
        return str(role.arn)

    def deny_region(self, account_id: str, region: str) -> None:
        """Deny the region as an organization's service control policy would."""
        self.denied_regions.add((account_id, region))

    def launch(
        self,
        account_id: str,
        region: str,
        count: int,
        *,
        instance_type: str = "m5.large",
        lifecycle: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[Any]:
        """Run instances; moto's own objects, to be changed as one likes."""
        return (
            ec2_backends[account_id][region]
            .run_instances(
                "ami-12345678",
                count,
                None,
                [],
                instance_type=instance_type,
                is_instance_type_default=False,
                region_name=region,
                placement=f"{region}a",
                lifecycle=lifecycle,
                tags={"instance": dict(tags or {})},
                nics=[],
                security_group_ids=[],
            )
            .instances
        )

    def instance(self, account_id: str, region: str, instance_id: str) -> Any:
        """moto's object of an instance."""
        return ec2_backends[account_id][region].get_instance(instance_id)

    def forget_instance(self, account_id: str, region: str, instance_id: str) -> Any:
        """Show the instance no more, as AWS does an hour after it ended; returns it."""
        instance = self.instance(account_id, region, instance_id)
        for reservation in ec2_backends[account_id][region].reservations.values():
            if instance in reservation.instances:
                reservation.instances.remove(instance)
        return instance

    def remember_instance(self, account_id: str, region: str, instance: Any) -> None:
        """Show an instance again that had been forgotten."""
        reservation = next(iter(ec2_backends[account_id][region].reservations.values()))
        reservation.instances.append(instance)

    # --- AWS's side --------------------------------------------------------------------------------------------

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/_simulation/"):
            answer = self._control(environ)
        else:
            service = "ec2"
            try:
                request = _read(environ)
                service = request.signature.service
                answer = self._answer(request)
            except AwsError as problem:
                answer = answers.error(service, problem)
            except ConnectionDropped:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
        start_response(f"{answer.status} -", [*answer.headers.items(), ("Content-Length", str(len(answer.body)))])
        return [answer.body]

    def _answer(self, request: _Request) -> Answer:
        caller = self._authenticate(request)
        service, region, action = request.signature.service, request.signature.region, request.action
        self.calls.append(
            Call(
                service,
                action,
                region,
                caller.account_id,
                caller.access_key_id,
                request.params.get("ExternalId"),
                request.params.get("RoleArn", ""),
            )
        )
        page = self._listing.page_number(request.params.get("NextToken", ""))
        struck = self.faults.strike(action=action, account_id=caller.account_id, region=region, page=page)
        if struck is not None:
            return struck
        if service == "sts":
            return self._sts(caller, action, request.params)
        if service == "pricing":
            return prices.get_products(json.loads(request.body or b"{}"))
        self._authorize(caller, f"{service}:{action}", region)
        if service != "ec2":
            return self._forward(request, caller.account_id)
        if request.params.get("DryRun", "").lower() == "true":
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        if action == "DescribeInstances":
            return self._listing.page(
                lambda params: self._forward(request, caller.account_id, params).body,
                request.params,
                account_id=caller.account_id,
                region=region,
            )
        if action == "DescribeRegions":
            return regions.describe(self.regions, everything=request.params.get("AllRegions", "").lower() == "true")
        if action == "DescribeSpotPriceHistory":
            return prices.spot_history(request.params, region)
        return self._forward(request, caller.account_id)

    def _authenticate(self, request: _Request) -> Caller:
        signature, environ = request.signature, request.environ
        caller = self.callers.find(signature.access_key_id)
        is_ec2 = signature.service == "ec2"
        if caller is None:
            if is_ec2:
                raise AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
        headers = _headers(environ)
        skew = skew_of(headers.get("x-amz-date", ""))
        if abs(skew) > MAX_SKEW:
            word = "Signature not yet current" if skew > timedelta(0) else "Signature expired"
            raise AwsError("SignatureDoesNotMatch", f"{word}: {headers.get('x-amz-date')} is too far off.")
        is_right = is_signed_by(
            caller.secret_access_key,
            signature,
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            query=environ.get("QUERY_STRING", ""),
            headers=headers,
            body=request.body,
        )
        if not is_right or headers.get("x-amz-security-token", "") != caller.session_token:
            code = "AuthFailure" if is_ec2 else "SignatureDoesNotMatch"
            raise AwsError(code, "The request signature we calculated does not match the signature you provided.")
        if caller.is_expired:
            if is_ec2:
                raise AwsError("RequestExpired", "Request has expired.", 400)
            raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
        return caller

    def _authorize(self, caller: Caller, action: str, region: str) -> None:
        words = DENIED.format(arn=caller.arn, action=action)
        if (caller.account_id, region) in self.denied_regions:
            raise AwsError("UnauthorizedOperation", words + BY_SCP)
        context = {"aws:RequestedRegion": region}
        layers = [caller.policies, *([(caller.session_policy,)] if caller.session_policy else [])]
        if not all(allows(layer, action, context) for layer in layers):
            raise AwsError("UnauthorizedOperation", words)

    def _sts(self, caller: Caller, action: str, params: dict[str, str]) -> Answer:
        if action == "GetCallerIdentity":
            return answers.sts(
                action,
                f"<Arn>{caller.arn}</Arn><UserId>{caller.user_id}</UserId><Account>{caller.account_id}</Account>",
            )
        if action != "AssumeRole":
            raise AwsError("InvalidAction", f"The simulation's STS does not know {action}", 400)
        session = self._assume(caller, params)
        assert session.expires_at is not None
        return answers.sts(
            action,
            f"<Credentials><AccessKeyId>{session.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{session.secret_access_key}</SecretAccessKey>"
            f"<SessionToken>{session.session_token}</SessionToken>"
            f"<Expiration>{session.expires_at:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{session.arn}</Arn><AssumedRoleId>{session.user_id}</AssumedRoleId></AssumedRoleUser>",
        )

    def _assume(self, caller: Caller, params: dict[str, str]) -> Caller:
        arn = params.get("RoleArn", "")
        denied = AwsError(
            "AccessDenied", f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        )
        account_id = arn.split(":")[4] if arn.count(":") >= 5 else ""
        if not account_id.isdigit():
            raise denied
        role = next((role for role in iam_backends[account_id]["aws"].roles.values() if role.arn == arn), None)
        if role is None or not trusts(
            load(role.assume_role_policy_document),
            caller_arn=caller.arn,
            caller_account=caller.account_id,
            external_id=params.get("ExternalId"),
        ):
            raise denied
        attached = [policy.document for policy in role.managed_policies.values()]
        return self.callers.add_session(
            account_id,
            role.name,
            params.get("RoleSessionName", ""),
            policies=[load(document) for document in [*role.policies.values(), *attached]],
            session_policy=load(params["Policy"]) if params.get("Policy") else None,
            lifetime=self.session_lifetime or timedelta(seconds=int(params.get("DurationSeconds", "3600"))),
        )

    def _forward(self, request: _Request, account_id: str, params: dict[str, str] | None = None) -> Answer:
        """Let moto answer, as the caller's account."""
        body = urlencode(params).encode() if params is not None else request.body
        environ = {
            **request.environ,
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_X_MOTO_ACCOUNT_ID": account_id,
        }
        status: list[Any] = []
        # moto's backends are plain dictionaries: one request at a time.
        with self._moto_lock:
            chunks = self._moto(environ, lambda *start: status.extend(start[:2]))
            content = b"".join(chunks)
        headers = {name: value for name, value in status[1] if name.lower() == "content-type"}
        return Answer(content, int(status[0].split()[0]), headers)

    # --- the control side, for processes that cannot call Python -----------------------------------------------

    def _control(self, environ: Environ) -> Answer:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        asked = json.loads(environ["wsgi.input"].read(size) or b"{}")
        result: object = {}
        match environ["PATH_INFO"].removeprefix("/_simulation/"):
            case "roles":
                result = {"arn": self.create_role(**asked)}
            case "faults":
                self.faults.clear()
                for fault in asked:
                    self.faults.add(**fault)
            case "calls":
                result = [asdict(call) for call in self.calls]
            case _:
                return Answer(b"{}", 404, {"Content-Type": "application/json"})
        return Answer(json.dumps(result).encode(), 200, {"Content-Type": "application/json"})


def _headers(environ: Environ) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return headers | {
        "content-type": environ.get("CONTENT_TYPE", ""),
        "content-length": environ.get("CONTENT_LENGTH", ""),
    }


def _read(environ: Environ) -> _Request:
    signature = parse_authorization(environ.get("HTTP_AUTHORIZATION", ""))
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if signature is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    params = dict(parse_qsl(body.decode(), keep_blank_values=True)) if is_form else {}
    return _Request(environ, body, params, signature)
