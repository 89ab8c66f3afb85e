"""Sends lists compressed: fifty rows are a seventh of their size then.

Only pages of the blueprints named here. What they hold that is secret is the token of their forms, which stands in no
answer as it is (`csrf`); pages that show other secrets (keys, external ids, recovery codes) are sent as they are,
because how well a page compresses tells what stands in it twice.
"""

import gzip

from flask import Flask, Response, request

COMPRESSED = frozenset({"dashboard", "instances", "runs", "experiments", "downtime", "system_logs"})

#: Below this the head of the answer is most of it.
LEAST_BYTES = 1000

#: Of 1 to 9; more makes pages hardly smaller, and takes longer than the network saves.
LEVEL = 4


def register_compression(app: Flask) -> None:
    """Compress the answers of some blueprints for browsers that take it."""
    app.after_request(compress)


def compress(response: Response) -> Response:
    """The answer, as it is or compressed."""
    if request.blueprint not in COMPRESSED or response.mimetype != "text/html" or response.is_streamed:
        return response
    response.vary.add("Accept-Encoding")
    if not request.accept_encodings["gzip"] or "Content-Encoding" in response.headers:
        return response
    content = response.get_data()
    if len(content) >= LEAST_BYTES:
        # Without the moment, which would make every answer another.
        response.set_data(gzip.compress(content, LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
