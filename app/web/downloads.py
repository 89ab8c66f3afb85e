"""Files that are made while they are sent."""

from collections.abc import Iterable, Iterator

from flask import Response, stream_with_context

from app.database import expect_reads_only
from app.models.mixins import utc_now


def stream_file(chunks: Iterable[bytes], name: str, ending: str, media_type: str) -> Response:
    """The answer that sends the chunks as a file, named with the time in UTC. Commit before: from here on the request
    only reads."""
    response = Response(stream_with_context(_read_only(chunks)), mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{utc_now():%Y-%m-%d-%H%M}.{ending}"'
    return response


def _read_only(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # SQLite would else lock out every writer for as long as it is sent.
    expect_reads_only(True)
    yield from chunks
