"""`flask secrets`: make a key, move every secret to the newest one, and see what does not open."""

import base64
import secrets as random
from collections import Counter

import click
from flask.cli import AppGroup

from app.crypto import keyring
from app.database import db
from app.services.secrets import SECRET_COLUMNS, examine_secrets, rotate_batch

group = AppGroup("secrets", help="Look after the encrypted AWS keys. Prints no secret.")


@group.command("new-key")
@click.argument("key_id")
def new_key(key_id: str) -> None:
    """Print a fresh key named KEY_ID, to put before the others in ENCRYPTION_KEYS."""
    if not (0 < len(key_id) <= 16 and key_id.replace("-", "").replace("_", "").isalnum() and key_id.isascii()):
        raise click.BadParameter("1 to 16 letters, digits, _ or -", param_hint="KEY_ID")
    click.echo(f"{key_id}:{base64.b64encode(random.token_bytes(32)).decode()}")


@group.command("rotate")
@click.option(
    "--batch-size", default=100, type=click.IntRange(1, 10_000), show_default=True, help="Rows a transaction."
)
def rotate(batch_size: int) -> None:
    """Re-encrypt every secret with the first key of ENCRYPTION_KEYS, while the application runs.

    May be stopped and run again at any time. Exits with 1 when a secret does not open: it is left as it was.
    """
    total: Counter[str] = Counter()
    for column in SECRET_COLUMNS:
        name = f"{column.table.name}.{column.name}"
        last, done = 0, 0
        while result := rotate_batch(column, after_row_id=last, batch_size=batch_size):
            db.session.commit()
            last, done = result.last_row_id, done + result.examined
            total.update(rotated=result.rotated, overtaken=result.overtaken, unreadable=result.unreadable)
            click.echo(f"{name}: {done} examined, {total['rotated']} re-encrypted so far")
        db.session.rollback()
    click.echo(
        f"Done: {total['rotated']} secrets re-encrypted with key {keyring.writing_id!r}, "
        f"{total['overtaken']} changed by others meanwhile, {total['unreadable']} do not open."
    )
    if total["unreadable"]:
        click.echo("`flask secrets doctor` says which; their accounts need new access keys, or the old key back.")
        raise SystemExit(1)


@group.command("doctor")
@click.option("--all", "show_all", is_flag=True, help="Show every secret's key id, not only those that need attention.")
def doctor(show_all: bool) -> None:
    """Say for each secret by which key it was written and whether it opens.

    Exits with 1 when one does not open, with 2 when all open but some wait for `flask secrets rotate`.
    """
    by_key: Counter[str] = Counter()
    broken = waiting = 0
    for secret in examine_secrets():
        by_key[secret.key_id or "none"] += 1
        broken += bool(secret.problem)
        waiting += not secret.problem and not secret.is_current
        if show_all or not secret.is_current:
            place = f"{secret.place.table}.{secret.place.column} of row {secret.place.row_id}"
            click.echo(f"{place}: key {secret.key_id or 'none'}: {secret.problem or 'opens'}")
    db.session.rollback()
    for key_id, count in sorted(by_key.items()):
        click.echo(f"key {key_id}: {count} secrets{' (writes now)' if key_id == keyring.writing_id else ''}")
    click.echo(f"{sum(by_key.values())} secrets: {broken} do not open, {waiting} wait for `flask secrets rotate`.")
    if broken or waiting:
        raise SystemExit(1 if broken else 2)
