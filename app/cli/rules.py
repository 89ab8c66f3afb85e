"""`flask rules`: which rules of authorization there are, and whether the instances are as they say."""

import click
from flask.cli import AppGroup

from app.database import db
from app.models.types import AuthStatus
from app.services.instances.examine import list_account_keys
from app.services.rules.check import check_account, survey_rules
from app.services.rules.listing import describe_conditions

group = AppGroup("rules", help="Rules of authorization.")


@group.command("list")
def list_() -> None:
    """Every rule: its state, last day, owner, what it covers, and how many instances it allows."""
    surveyed = survey_rules()
    for rule, count in surveyed:
        until = rule.expires_on.isoformat() if rule.expires_on else "no end"
        click.echo(f"{rule.name}: {rule.state.value}, {until}, owner {rule.owner_name}, allows {count:,}")
        click.echo(f"  {describe_conditions(rule.conditions)}")
    if not surveyed:
        click.echo("There are no rules.")


@group.command("check")
@click.option("--apply", "is_applied", is_flag=True, help="Give the instances what the rules say, where that differs.")
@click.option(
    "--batch-size", default=500, type=click.IntRange(1, 10_000), show_default=True, help="Instances at a time."
)
def check(is_applied: bool, batch_size: int) -> None:
    """Hold every instance that nobody decided by hand against the rules, while the application runs.

    Says for each account what differs. Exits with 1 where something did, applied or not.
    """
    accounts = list_account_keys()
    db.session.rollback()
    examined = total = 0
    for account_pk, account_id in accounts:
        authorized = unauthorized = written = 0
        for batch in check_account(account_pk, batch_size=batch_size):
            if is_applied:
                db.session.commit()
            else:
                db.session.rollback()
            examined += batch.examined
            authorized += batch.decided.count(AuthStatus.AUTHORIZED)
            unauthorized += batch.decided.count(AuthStatus.UNAUTHORIZED)
            written += batch.decided.written
        db.session.rollback()
        total += written
        if written:
            others = written - authorized - unauthorized
            click.echo(
                f"{account_id}: {authorized:,} to be authorized, {unauthorized:,} no longer, {others:,} by another rule"
            )
    words = "all as the rules say" if not total else f"{total:,} differ{', and were put right' if is_applied else ''}"
    click.echo(f"{len(accounts)} accounts, {examined:,} instances that rules decide: {words}.")
    if total:
        if not is_applied:
            click.echo("`flask rules check --apply` puts them right.")
        raise SystemExit(1)
