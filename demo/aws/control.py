"""The simulation's own endpoints under /_simulation/, for processes that are not the one it runs in.

GET calls[?action=...], GET fleet, POST faults {kind, ...}, DELETE faults, POST roles {account_id, role_name,
principal_account, external_id} or {account_id, role_name, trust_policy, permissions (optional)}, POST keys
{account_id, user_name}.
"""

import json
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from demo.aws.answers import Answer
from demo.aws.policies import READ_INSTANCES

if TYPE_CHECKING:
    from demo.aws.cloud import SimulatedAws


class Control:
    """Answers in JSON; 400 with `error` for what cannot be done."""

    def __init__(self, cloud: "SimulatedAws") -> None:
        self._cloud = cloud

    def answer(self, environ: dict[str, Any]) -> Answer:
        method, name = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/_simulation/")
        handler = getattr(self, f"_{method.lower()}_{name}", None)
        if handler is None:
            return _json({"error": f"There is no {method} {name}."}, 404)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        try:
            asked = json.loads(environ["wsgi.input"].read(length)) if length else {}
            asked |= dict(parse_qsl(environ.get("QUERY_STRING", "")))
            return _json(handler(asked))
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _get_calls(self, asked: dict[str, Any]) -> Any:
        wanted = asked.get("action")
        return [asdict(call) for call in list(self._cloud.calls) if wanted in (None, call.action)]

    def _get_fleet(self, _asked: dict[str, Any]) -> Any:
        fleet = self._cloud.fleet
        return asdict(fleet) if is_dataclass(fleet) and not isinstance(fleet, type) else None

    def _post_faults(self, asked: dict[str, Any]) -> Any:
        return asdict(self._cloud.faults.add(asked.pop("kind"), **asked))

    def _delete_faults(self, _asked: dict[str, Any]) -> Any:
        self._cloud.faults.clear()
        return {}

    def _post_roles(self, asked: dict[str, Any]) -> Any:
        account_id, name = asked["account_id"], asked["role_name"]
        if "trust_policy" in asked:
            permissions = asked.get("permissions", READ_INSTANCES)
            return {"role_arn": self._cloud.create_role(account_id, name, asked["trust_policy"], permissions)}
        arn = self._cloud.set_role_trust(account_id, name, asked["principal_account"], asked["external_id"])
        return {"role_arn": arn}

    def _post_keys(self, asked: dict[str, Any]) -> Any:
        return asdict(self._cloud.create_user_keys(asked["account_id"], asked.get("user_name", "spotkeeper")))


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(value, default=str).encode(), status, "application/json")
