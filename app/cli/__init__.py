"""The shell door: `flask` commands, one module a noun."""

from flask import Flask

from app.cli import database, discover, inventory, rules, secrets, users, worker


def register_commands(app: Flask) -> None:
    """Add every command group to the application."""
    app.cli.add_command(database.group)
    app.cli.add_command(discover.discover)
    app.cli.add_command(inventory.group)
    app.cli.add_command(rules.group)
    app.cli.add_command(secrets.group)
    app.cli.add_command(users.group)
    worker.register(app)
