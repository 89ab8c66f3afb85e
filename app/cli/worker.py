"""`flask worker` and `flask scheduler`: the two processes beside the web server."""

import secrets
import signal
import threading

import click
from flask import Flask, current_app
from flask.cli import with_appcontext


def register(app: Flask) -> None:
    """Add both commands."""
    app.cli.add_command(worker)
    app.cli.add_command(scheduler)


@click.command("worker")
@click.option("--concurrency", default=2, show_default=True, help="How many jobs at once, each in its own process.")
@with_appcontext
def worker(concurrency: int) -> None:
    """Do jobs: verify and discover accounts. SIGTERM hands back within 30 seconds what is not done."""
    from app.tasks.schedule import ring_for_left_behind
    from app.tasks.worker import run_worker

    ring_for_left_behind()
    run_worker(_app(), name=f"spotkeeper-{secrets.token_hex(4)}", concurrency=concurrency)


@click.command("scheduler")
@click.option("--every", default=5.0, show_default=True, help="Seconds between two turns.")
@with_appcontext
def scheduler(every: float) -> None:
    """Queue what is due, and ring again for jobs that nobody took up. One is enough; several do no harm."""
    from app.tasks.schedule import run_scheduler

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_scheduler(_app(), every_seconds=every, stop=stop)


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app
