"""`flask users`: the first super admin, and what to do when nobody can sign in. No password is ever an argument."""

from collections.abc import Callable
from typing import TypeVar

import click
from flask.cli import AppGroup

from app.database import db
from app.errors import SpotkeeperError
from app.models import User
from app.models.types import Role
from app.services import users

T = TypeVar("T")

group = AppGroup("users", help="Look after the people who may sign in.")


@group.command("create")
@click.argument("username")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.CLIENT.value,
    show_default=True,
    help="What the user may do.",
)
@click.option("--ask-password", is_flag=True, help="Ask for a password instead of making a random one.")
def create(username: str, email: str, role: str, ask_password: bool) -> None:
    """Add a user. Prints a random password once, to be changed at the first sign-in within 72 hours."""
    chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True) if ask_password else None
    try:
        user, password = users.create_user(username, email=email, role=Role(role), password=chosen)
    except SpotkeeperError as error:
        raise click.ClickException(str(error)) from error
    db.session.commit()
    click.echo(f"Added {user.username} ({user.role.value}).")
    if chosen is None:
        click.echo(f"Password, shown once: {password}")


@group.command("list")
def list_() -> None:
    """Print name, address, role and whether the user may sign in."""
    for user, _ in users.list_users():
        status = "enabled" if user.is_enabled else "disabled"
        click.echo(f"{user.username}\t{user.email}\t{user.role.value}\t{status}")


@group.command("disable")
@click.argument("username")
def disable(username: str) -> None:
    """End the user's sessions and refuse new ones."""
    _change(username, lambda user: users.set_enabled(user.id, False, actor=None))
    click.echo(f"{username} can no longer sign in.")


@group.command("enable")
@click.argument("username")
def enable(username: str) -> None:
    """Let the user sign in again."""
    _change(username, lambda user: users.set_enabled(user.id, True, actor=None))
    click.echo(f"{username} can sign in again.")


@group.command("reset-password")
@click.argument("username")
def reset_password(username: str) -> None:
    """Print a new random password once; the old one and every session end."""
    _, password = _change(username, lambda user: users.reset_password(user.id, actor=None))
    click.echo(f"Password of {username}, shown once: {password}")


def _change(username: str, act: Callable[[User], T]) -> T:
    """Do it and commit; a refusal becomes one line and exit code 1."""
    try:
        result = act(users.get_user_by_name(username))
    except SpotkeeperError as error:
        raise click.ClickException(str(error)) from error
    db.session.commit()
    return result
