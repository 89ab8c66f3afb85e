"""Which runs a transaction made due, kept beside its session until the commit; the doorbell reads it then."""

from typing import NamedTuple

from sqlalchemy.orm import Session

#: Where in `session.info` they wait.
WAKES = "spotkeeper_wakes"


class Wake(NamedTuple):
    """A run that some worker should look at."""

    run_id: int
    is_interactive: bool
    """Whether a person waits for it: such runs go before those of the schedule."""


def wake_after_commit(session: Session, wake: Wake) -> None:
    """Ring for this run once the session's transaction is committed, and not at all if it is rolled back."""
    session.info.setdefault(WAKES, {})[wake] = None


def take_wakes(session: Session) -> list[Wake]:
    """What is to be rung now; asking empties it."""
    return list(session.info.pop(WAKES, {}))
