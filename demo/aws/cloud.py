"""The simulated AWS as a WSGI application: who asks, whether they may, and who answers - this layer, or moto.

moto answers most calls; this layer adds what moto leaves out and a check of Spotkeeper depends on: signatures, trust
policies with External IDs, permissions, service control policies, pages, prices, and faults on request.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from moto.core.base_backend import BackendDict, backend_lock
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

from demo.aws.answers import Answer, RefusalError, ec2_answer, element, refusal_answer
from demo.aws.calls import Call, LoggedCall, read_call
from demo.aws.control import Control
from demo.aws.customers import Customers
from demo.aws.faults import LOOP_TOKEN, Fault, Faults
from demo.aws.instances import complete_instances
from demo.aws.paging import Listings, instance_items, page_size, reservation_set
from demo.aws.price_list import get_products
from demo.aws.principals import Principal, Sessions, authorize
from demo.aws.regions import AccountRegions, describe_regions
from demo.aws.sessions import assume_role, caller_identity
from demo.aws.signatures import unknown_key
from demo.aws.spot_history import describe_spot_price_history

#: Calls remembered for `calls`.
LOG_LENGTH = 20_000


class SimulatedAws(Customers):
    """AWS on one address. Make one in a process: moto keeps its accounts in module globals.

    `faults` and the switches below are for tests; what customers do (roles, users, instances) is in `Customers`.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.calls: deque[LoggedCall] = deque(maxlen=LOG_LENGTH)
        self.sessions = Sessions()
        self.listings = Listings()
        self.session_seconds: float | None = None
        """Sessions end after so many seconds, whatever was asked for."""

        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.fleet: Any = None
        """What the seeder made, told at `GET /_simulation/fleet`."""

        self.default_regions = AccountRegions()
        """What every account has that `set_regions` says nothing about."""

        self._regions: dict[str, AccountRegions] = {}
        self._denied_regions: dict[str, set[str]] = {}
        # 1,300 images in each region of each account, at 70 ms, of which nobody asks for one.
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._control = Control(self)
        # moto is not made for threads; the waiting of faults happens outside.
        self._lock = threading.RLock()

    # --- what tests and the demo set up --------------------------------------------------------------------

    def reset(self) -> None:
        """An empty AWS again: no accounts, sessions, faults, or log."""
        with self._lock:
            with backend_lock:
                # Dropped, not reset: moto's own reset builds every network anew, at 50 ms a region.
                used: list[Any] = BackendDict._instances  # type: ignore[misc]
                for backends in used:
                    backends.clear()
                used.clear()
            reset_model_data()
            self.sessions.clear()
            self.listings.clear()
            self.faults.clear()
            self.calls.clear()
            self._regions.clear()
            self._denied_regions.clear()
            self.session_seconds = None
            self.clock = lambda: datetime.now(UTC)
            self.fleet = None
            self.default_regions = AccountRegions()

    def set_regions(
        self,
        account_id: str,
        *enabled: str,
        opted_in: Iterable[str] = (),
        not_opted_in: Iterable[str] = (),
    ) -> None:
        """Give an account exactly these regions. Without this it has `default_regions`."""
        self._regions[account_id] = AccountRegions(tuple(enabled), tuple(opted_in), tuple(not_opted_in))

    def deny_region(self, account_id: str, region: str) -> None:
        """As if the organization's service control policy denied the account everything in a region."""
        self._denied_regions.setdefault(account_id, set()).add(region)

    def allow_region(self, account_id: str, region: str) -> None:
        self._denied_regions.get(account_id, set()).discard(region)

    def end_sessions(self, account_id: str | None = None) -> None:
        """All sessions of roles (of one account) have ended just now."""
        self.sessions.end(self.clock(), account_id)

    def expire_page_tokens(self) -> None:
        """All tokens of pages given out so far are too old."""
        self.listings.expire()

    def calls_to(self, action: str, account_id: str | None = None, region: str | None = None) -> list[LoggedCall]:
        """The log's entries for an action, oldest first."""
        return [
            call
            for call in list(self.calls)
            if call.action == action and account_id in (None, call.account_id) and region in (None, call.region)
        ]

    # --- the application -----------------------------------------------------------------------------------

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        fault: Fault | None = None
        if path.startswith("/_simulation/"):
            answer = self._control.answer(environ)
        elif path.startswith("/moto-api"):
            answer = Answer(b"", 404)
        else:
            answer, fault = self._answer(read_call(environ), environ)
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(self.faults.promised_length(fault, answer.body))),
            *answer.headers,
        ]
        start_response(f"{answer.status} -", headers)
        return self.faults.send(fault, answer.body)

    def _answer(self, call: Call, environ: dict[str, Any]) -> tuple[Answer, Fault | None]:
        principal: Principal | None = None
        refused: RefusalError | None = None
        page = self.listings.page_number(call.params.get("NextToken"))
        try:
            with self._lock:
                principal = self.sessions.identify(call, self.clock())
        except RefusalError as refusal:
            refused = refusal
        account_id = call.role_account_id or (principal.caller.account_id if principal else None)
        fault = self.faults.find(call, account_id, page)
        status = 0
        try:
            answer = self.faults.before(fault, call, environ) if fault else None
            if answer is None:
                if refused is not None or principal is None:
                    raise refused or unknown_key(call.service)
                with self._lock:
                    answer = self._permitted(call, principal, environ, fault)
            answer = self.faults.after(fault, answer) if fault else answer
            status = answer.status
            return answer, fault
        except RefusalError as refusal:
            status = refusal.status
            return refusal_answer(refusal, call.service, is_json=call.is_json), fault
        finally:
            self._log(call, principal, account_id, page, status, fault)

    def _permitted(self, call: Call, principal: Principal, environ: dict[str, Any], fault: Fault | None) -> Answer:
        account_id = principal.caller.account_id
        regions = self._regions.get(account_id, self.default_regions)
        if call.region in regions.not_opted_in:
            raise unknown_key(call.service)  # as AWS answers there
        resource = call.params.get("RoleArn", "*") if call.action == "AssumeRole" else "*"
        authorize(principal, call, resource, self._denied_regions.get(account_id, ()))
        if call.service == "ec2" and call.params.get("DryRun", "").lower() == "true":
            raise RefusalError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        match (call.service, call.action):
            case ("sts", "AssumeRole"):
                return assume_role(principal, call, self.sessions, self.clock(), self.session_seconds)
            case ("sts", "GetCallerIdentity"):
                return caller_identity(principal)
            case ("ec2", "DescribeRegions"):
                return describe_regions(call, regions)
            case ("ec2", "DescribeInstances"):
                return self._describe_instances(call, account_id, environ, is_looping=_is_loop(fault))
            case ("ec2", "DescribeSpotPriceHistory"):
                return describe_spot_price_history(call, account_id, self.listings, self.clock())
            case ("pricing", "GetProducts"):
                return get_products(call, account_id, self.listings)
        return self._ask_moto(environ, call.body)

    def _describe_instances(self, call: Call, account_id: str, environ: dict[str, Any], *, is_looping: bool) -> Answer:
        token = call.params.get("NextToken")
        if is_looping and token == LOOP_TOKEN:
            token = None
        if "MaxResults" in call.params and "InstanceId.1" in call.params:
            raise RefusalError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        size = page_size(call.params.get("MaxResults"), 5, 1000)
        unpaged = {name: value for name, value in call.params.items() if name not in ("MaxResults", "NextToken")}
        owner = (account_id, call.region, urlencode(sorted(unpaged.items())))
        if token:
            items, following = self.listings.next(owner, token, size)
        else:
            complete_instances(account_id, call.region)
            if "InstanceId.1" not in unpaged:
                unpaged["MaxResults"] = "1000000"
            whole = self._ask_moto(environ, urlencode(unpaged).encode())
            if whole.status != 200:
                return whole
            items, following = self.listings.first(owner, instance_items(whole.body), size)
        following = LOOP_TOKEN if is_looping else following
        inside = reservation_set(items) + (element("nextToken", following) if following else "")
        return ec2_answer("DescribeInstances", inside)

    def _ask_moto(self, environ: dict[str, Any], body: bytes) -> Answer:
        asked = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        chunks, status, headers = run_wsgi_app(self._moto, asked, buffered=True)
        dropped = ("content-length", "content-type", "date")
        kept = tuple((name, value) for name, value in headers if name.lower() not in dropped)
        return Answer(b"".join(chunks), int(status[:3]), headers.get("Content-Type", "text/xml"), kept)

    def _log(
        self,
        call: Call,
        principal: Principal | None,
        account_id: str | None,
        page: int,
        status: int,
        fault: Fault | None,
    ) -> None:
        self.calls.append(
            LoggedCall(
                time=self.clock(),
                service=call.service,
                action=call.action,
                region=call.region,
                account_id=account_id,
                caller_account_id=principal.caller.account_id if principal else None,
                access_key_id=call.signature.access_key_id if call.signature else None,
                external_id=call.params.get("ExternalId"),
                page=page,
                status=status,
                fault=fault.kind if fault else None,
            )
        )


def _is_loop(fault: Fault | None) -> bool:
    return fault is not None and fault.kind == "token_loop"
