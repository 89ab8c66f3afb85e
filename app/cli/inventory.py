"""`flask inventory`: prove what is kept beside the instances, and mend it."""

import sys
from collections.abc import Iterator

import click
from flask.cli import AppGroup

from app.database import db
from app.services.instances.examine import examine_counts, examine_tags, list_account_keys

group = AppGroup("inventory", help="Look after the inventory.")


@group.command("doctor")
@click.option("--mend", is_flag=True, help="Count anew, and write the tags anew, where they differ.")
@click.option(
    "--batch-size", default=500, type=click.IntRange(1, 10_000), show_default=True, help="Instances at a time."
)
def doctor(mend: bool, batch_size: int) -> None:
    """Prove that counts and searchable tags say what the instances say, while the application runs.

    Compares the tallies by which lists and the overview count, what is counted of each day, the counts of accounts
    and regions, and the tags that instances are found by. Prints each difference. Exits with 1 when there was one,
    mended or not.
    """
    accounts = list_account_keys()
    db.session.rollback()
    total = instances = 0
    with click.progressbar(accounts, label="Examining", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        for account_pk, account_id in bar:
            for examined, wrong in _examine(account_pk, mend=mend, batch_size=batch_size):
                instances += examined
                total += len(wrong)
                for line in wrong:
                    click.echo(f"{account_id}: {line}")
    words = "all as the instances say" if not total else f"{total} differences{', mended' if mend else ''}"
    click.echo(f"{len(accounts)} accounts, {instances:,} instances: {words}.")
    if total:
        if not mend:
            click.echo("`flask inventory doctor --mend` puts them right.")
        raise SystemExit(1)


def _examine(account_pk: int, *, mend: bool, batch_size: int) -> Iterator[tuple[int, list[str]]]:
    """(instances examined, differences), one step and one transaction after the other."""
    wrong = examine_counts(account_pk, mend=mend)
    _end(mend=mend)
    yield 0, wrong
    last = 0
    while batch := examine_tags(account_pk, after=last, batch_size=batch_size, mend=mend):
        _end(mend=mend)
        last = batch.last_pk
        yield batch.examined, list(batch.wrong)
    db.session.rollback()


def _end(*, mend: bool) -> None:
    if mend:
        db.session.commit()
    else:
        db.session.rollback()
