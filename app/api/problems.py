"""Refusals as JSON (RFC 9457), each with a code that a program can go by."""

from flask import Response, jsonify


def problem(status: int, code: str, title: str, detail: str) -> Response:
    """`application/problem+json`; `code` stays the same when the words change."""
    response = jsonify({"type": "about:blank", "status": status, "code": code, "title": title, "detail": detail})
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response
