"""What a job's handler says at its end."""

from dataclasses import dataclass, field
from typing import Any

from app.errors import FaultCode
from app.models.types import RunState


@dataclass(frozen=True, slots=True)
class Outcome:
    """Made by `succeeded`, `failed` or `again`; `summary` is stored as JSON beside the run."""

    state: RunState
    summary: dict[str, Any] = field(default_factory=dict)
    code: FaultCode | None = None
    message: str = ""
    in_seconds: float = 0
    is_attempt: bool = True
    """Whether the run's attempt is used up by an `again`."""

    @classmethod
    def succeeded(cls, summary: dict[str, Any] | None = None) -> "Outcome":
        return cls(RunState.SUCCEEDED, summary or {})

    @classmethod
    def failed(cls, code: FaultCode, message: str, summary: dict[str, Any] | None = None) -> "Outcome":
        return cls(RunState.FAILED, summary or {}, code, message)

    @classmethod
    def again(cls, *, in_seconds: float, text: str = "", summary: dict[str, Any] | None = None) -> "Outcome":
        """Queue the same run once more: nothing is wrong, it is too early. It is no attempt, so the handler decides
        when to stop asking (by the run's age)."""
        return cls(RunState.QUEUED, summary or {}, message=text, in_seconds=in_seconds, is_attempt=False)

    @classmethod
    def broken(cls, attempt: int, text: str) -> "Outcome":
        """Queue once more after a fault of ours, waiting twice as long each time; the attempt counts."""
        return cls(RunState.QUEUED, message=text, in_seconds=2**attempt)
