"""Wakes workers through the broker once a transaction that queued runs has been committed."""

from flask import Flask

from app.config import Config


def configure_doorbell(app: Flask, config: Config) -> None:
    """Ring after each commit that queued something."""
