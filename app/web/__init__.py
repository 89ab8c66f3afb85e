"""The HTML door: pages, forms, errors and headers."""

from flask import Flask


def register_pages(app: Flask) -> None:
    """Add every page to the application, with access control, headers and error pages."""
