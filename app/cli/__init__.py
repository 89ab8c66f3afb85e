"""The shell door: `flask` commands, one module a noun."""

from flask import Flask


def register_commands(app: Flask) -> None:
    """Add every command group to the application."""
