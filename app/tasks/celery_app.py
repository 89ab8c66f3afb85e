"""Makes Celery from our settings: it carries run ids to workers, and nothing else.

It keeps no results, no schedule and no promises: what a message says is in the ledger too (services/runs).
"""

import hashlib
import hmac
from typing import Any

from celery import Celery
from kombu import Queue

from app.config import Config
from app.services.runs.heartbeat import MAX_SECONDS
from app.services.runs.wakes import Wake

TASK = "spotkeeper.work"

#: How long a web request may wait for a broker that does not answer, in seconds (connecting, and each answer).
RINGING_TIMEOUT = 0.5


def queue_names(config: Config) -> tuple[str, str]:
    """The queue of runs that people wait for, and that of the schedule's.

    The names hang on the installation's secret key, so that two installations on one broker never take each other's
    messages; all processes of one installation share that key.
    """
    mark = hmac.new(config.secret_key.encode(), b"queue names", hashlib.sha256).hexdigest()[:8]
    return f"spotkeeper-{mark}-interactive", f"spotkeeper-{mark}-scheduled"


def queue_of(config: Config, wake: Wake) -> str:
    interactive, scheduled = queue_names(config)
    return interactive if wake.is_interactive else scheduled


def make_celery(config: Config, *, for_worker: bool) -> Celery:
    """Celery for a worker, which waits for its broker patiently, or for ringing, which gives up at once."""
    interactive, scheduled = queue_names(config)
    celery = Celery("spotkeeper", set_as_current=for_worker)
    celery.conf.update(
        broker_url=config.broker_url,
        broker_connection_timeout=5 if for_worker else RINGING_TIMEOUT,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(interactive), Queue(scheduled)],
        task_default_queue=scheduled,
        task_create_missing_queues=False,
        # A message is acknowledged when its run is over; what a dead worker held, the ledger knows.
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        # The lease ends first; this ends the process that hangs, whatever it hangs in (a message may mean two runs).
        task_time_limit=2 * MAX_SECONDS + 60,
        worker_pool="app.tasks.pool:SturdyTaskPool",
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_proc_alive_timeout=60,
        # Workers are stopped by signals and watched through the ledger, so nothing listens for remote orders.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    _choose_transport(celery, config, for_worker=for_worker)
    return celery


def _choose_transport(celery: Celery, config: Config, *, for_worker: bool) -> None:
    options: dict[str, Any] = {}
    if config.broker_url.startswith("filesystem:"):
        from app.tasks.folder_broker import folder_options

        celery.conf.update(
            broker_url="filesystem://localhost/",  # kombu warns of an address without a host
            broker_transport="app.tasks.folder_broker:Transport",
        )
        options = folder_options(config.instance_path / "broker")
    elif config.broker_url.startswith(("redis", "sentinel")):
        options = {"queue_order_strategy": "priority", "socket_keepalive": True}
        if not for_worker:
            options |= {"socket_connect_timeout": RINGING_TIMEOUT, "socket_timeout": RINGING_TIMEOUT}
    elif not for_worker:
        options = {"read_timeout": RINGING_TIMEOUT, "write_timeout": RINGING_TIMEOUT}
    celery.conf.broker_transport_options = options
