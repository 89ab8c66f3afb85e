"""When a request has come is known by its bytes alone, however they are cut."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from app import flask_settings
from serving.request import BODY_BYTES, HEAD_BYTES, Coming
from tests.databases import make_config

HEAD = b"POST /x HTTP/1.1\r\nHost: spot.example\r\n"

WHOLE = {
    "without a body": b"GET /x HTTP/1.1\r\nHost: spot.example\r\n\r\n",
    "without headers": b"GET /x HTTP/1.0\r\n\r\n",
    "after an empty line": b"\r\nGET /x HTTP/1.1\r\nHost: spot.example\r\n\r\n",
    "with a body": HEAD + b"content-LENGTH: 5 \r\n\r\nhello",
    "with an empty body": HEAD + b"Content-Length: 0\r\n\r\n",
    "with chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nB\r\n0\r\n\r\nhello!\r\n0\r\n\r\n",
    "with a trailer": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\nDigest: y\r\n\r\n",
    "with chunks, whatever its length": HEAD + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


def coming(data: bytes) -> Coming:
    request = Coming(0)
    request.data += data
    return request


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_a_request_is_whole_with_its_last_byte_and_not_before(data: bytes) -> None:
    request = Coming(0)
    for place in range(len(data)):
        assert not request.is_whole(), data[:place]
        request.data += data[place : place + 1]
    assert request.is_whole()
    assert coming(data + b"GET /next").is_whole()
    assert not request.is_too_large


def test_what_is_no_head_is_waited_for_and_not_served() -> None:
    """A thread that read it would wait."""
    assert not coming(b"\r\n\r\n").is_whole()
    assert not coming(b"GET /x HTTP/1.1\n\n").is_whole()


def test_what_only_a_parser_can_refuse_goes_to_it() -> None:
    assert coming(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n").is_whole()


def test_a_head_has_its_limit() -> None:
    assert not coming(b"x" * HEAD_BYTES).is_too_long
    assert coming(b"x" * (HEAD_BYTES + 1)).is_too_long


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (2 * BODY_BYTES) + b"x" * BODY_BYTES,
    ],
    ids=["as announced", "as it comes"],
)
def test_what_is_refused_for_its_size_is_not_waited_for(data: bytes) -> None:
    request = coming(data)
    assert request.is_whole()
    assert request.is_too_large


def test_a_client_that_waits_for_a_word_is_known() -> None:
    request = coming(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert not request.is_whole()
    assert request.expects_word


def test_a_body_may_be_as_large_as_the_application_takes_it(tmp_path: Path) -> None:
    config = make_config(f"sqlite:///{tmp_path}/x.db", tmp_path)
    assert flask_settings(config)["MAX_CONTENT_LENGTH"] == BODY_BYTES


@pytest.mark.parametrize(("files", "connections"), [(64, 20), (1024, 980), (1_000_000, 1000), (32, 9)])
def test_there_are_fewer_connections_than_files(files: int, connections: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    spec = spec_from_file_location("settings", Path(__file__).parents[3] / "gunicorn.conf.py")
    assert spec is not None
    assert spec.loader is not None
    settings = module_from_spec(spec)
    spec.loader.exec_module(settings)
    assert settings.worker_connections == connections
