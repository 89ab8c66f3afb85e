"""The jobs ledger: queueing, claiming, holding and finishing runs. The row is the truth; a broker only wakes workers.

A job's handler takes a `Lease` and returns an `Outcome`. It calls `lease.hold()` before it commits anything, holds no
transaction open while it waits for somebody else (AWS), and may be begun again from the start at any time.
"""

from app.services.runs.claim import MAX_ATTEMPTS, claim
from app.services.runs.enqueue import enqueue
from app.services.runs.finish import cancel_run, finish, hand_back
from app.services.runs.heartbeat import Heartbeat
from app.services.runs.lease import Lease
from app.services.runs.listing import count_runs, find_active_run, get_run, list_runs
from app.services.runs.outcome import Outcome
from app.services.runs.reap import find_urgent_run, reap
from app.services.runs.wakes import Wake

__all__ = [
    "MAX_ATTEMPTS",
    "Heartbeat",
    "Lease",
    "Outcome",
    "Wake",
    "cancel_run",
    "claim",
    "count_runs",
    "enqueue",
    "find_active_run",
    "find_urgent_run",
    "finish",
    "get_run",
    "hand_back",
    "list_runs",
    "reap",
]
