"""The worker: Celery's pool of processes round our one task, and how it stops."""

import logging
import os
import signal
import threading
import time
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown, worker_shutting_down
from flask import Flask

from app.aws.instance_xml import prepare
from app.config import Config
from app.services.runs import hand_back
from app.services.system_log_handler import flush_logs
from app.tasks.celery_app import TASK, make_celery, queue_names
from app.tasks.handlers import import_handlers
from app.tasks.memory import tune_memory
from app.tasks.work import answer

logger = logging.getLogger(__name__)

#: After SIGTERM, how long runs under way may still take, in seconds; what is not done then is handed back.
GRACE_SECONDS = 20

#: They tell of each message; what was done is in the ledger.
CHATTY_LOGGERS = ("celery.app.trace", "celery.worker.strategy")


def run_worker(flask_app: Flask, *, name: str, concurrency: int) -> None:
    """Work until told to stop. `name` is the worker's own: what a stopping worker hands back is found by it."""
    config: Config = flask_app.extensions["spotkeeper"]
    if os.environ.get("C_FORCE_ROOT"):
        # Celery's own word for "I know": otherwise it warns of root, and docs/operations.md says whom to run as.
        warnings.simplefilter("ignore", SecurityWarning)
    # Said at each lost connection, of a setting that is chosen knowingly (make_celery).
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    for chatty in CHATTY_LOGGERS:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    celery = make_worker(flask_app, processes=concurrency)
    # Before the pool forks, so that its processes share the memory.
    import_handlers()
    prepare()
    tune_memory()
    arguments = ["--quiet", "worker", f"--hostname={name}@%h", f"--concurrency={concurrency}"]
    arguments += [f"--queues={','.join(queue_names(config))}", "--loglevel=INFO"]
    # Workers have nothing to tell each other: the ledger knows.
    arguments += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    celery.start(argv=arguments)


def make_worker(flask_app: Flask, *, processes: int = 0) -> Celery:
    """Celery with the one task, for the given application; `processes` is how many runs it will do at once."""
    config: Config = flask_app.extensions["spotkeeper"]
    celery = make_celery(config, for_worker=True)

    @celery.task(name=TASK, bind=True)
    def work(task: Any, run_id: int) -> None:
        with flask_app.app_context():
            answer(int(run_id), worker=task.request.hostname, lease_seconds=config.lease_seconds, processes=processes)

    def give_grace(sender: str, **_: Any) -> None:
        threading.Thread(target=_end_after_grace, args=(flask_app, sender), name="grace", daemon=True).start()

    worker_shutting_down.connect(give_grace, weak=False)
    return celery


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Listening is enough: Celery then leaves the logging alone that `create_app()` set up."""


@worker_process_init.connect
def _leave_stopping_to_the_parent(**_: Any) -> None:
    # Whoever stops a service often signals all of its processes; a run must not die of it half done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@worker_process_shutdown.connect
def _keep_the_last_lines(**_: Any) -> None:
    # The pool's processes end without Python's own exit, which would do this.
    flush_logs(2)


def _end_after_grace(flask_app: Flask, worker: str) -> None:
    """Hand back what is still running, then end at once: the pool's processes end with this one."""
    time.sleep(GRACE_SECONDS)
    try:
        with flask_app.app_context():
            count = hand_back(worker)
        logger.warning("Told to stop: %s runs were handed back to other workers", count)
        flush_logs(2)
    finally:
        os._exit(0)
