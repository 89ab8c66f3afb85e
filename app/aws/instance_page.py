"""Takes a page of DescribeInstances apart into its instances' bytes, without parsing them; imports lxml.

Nearly all of a discovery's time goes into parsing XML, and nearly all of what is parsed was the same the last time. So
a page is cut at the marks between its instances, and an instance whose bytes have a known hash is not looked at
further. What is left of the page when the instances are taken out (its skeleton) is parsed, and so is each instance
that is new or different: together they are the whole page, so that nothing damaged passes for an answer.

A page that cannot be cut that way (comments, CDATA, other ways to write the same XML) is parsed as a whole; it gives
the same instances, more slowly.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from app.aws.records import Reservation

#: Enters the hash of an instance's bytes: with another number everything is read anew. Raise it whenever the same bytes
#: would make another record.
READER_VERSION = 1

#: More exclamation and question marks than this in one page are not counted out; the page is parsed as a whole.
MAX_MARKS = 20_000

_MARK = b"<instanceId>"
_OPEN, _CLOSE = b"<item>", b"</item>"
_SET_CLOSE = b"</instancesSet>"
_EMPTY = b"<item/>"
#: AWS's have 19 characters at most, `instances.instance_id` 32.
_ID = re.compile(rb"i-[0-9A-Za-z-]{1,30}")
#: An instance begins with its id, in every answer that AWS documents.
_ID_FIRST = re.compile(rb"<item>\s*<instanceId>([^<]*)</instanceId>")
_NAMESPACE = re.compile(rb"\sxmlns=(?:\"[^\"]*\"|'[^']*')")


class PageError(ValueError):
    """The page is not a page of DescribeInstances, or not all of one; the message is fit to be shown."""


class RawInstance(NamedTuple):
    """One instance as AWS sent it."""

    instance_id: str
    raw_hash: str
    """128 bits of SHA-256 in hex, over the reader's version, the reservation and the bytes."""

    xml: bytes | memoryview
    """`<item>...</item>`, without a namespace; part of the page, which stays in memory as long as this is used."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list."""

    instances: tuple[RawInstance, ...]
    next_token: str | None
    request_id: str | None


def parser() -> etree.XMLParser:
    """No entities, no network, no comments, and libxml2's own limits on depth and size."""
    return etree.XMLParser(
        # Whatever a page says of itself: so botocore reads it, and a part of one says nothing.
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        collect_ids=False,
        # AWS indents: without the spaces there is half as much to build.
        remove_blank_text=True,
        remove_comments=True,
        remove_pis=True,
    )


def read_page(body: bytes) -> Page:
    """The instances of an answer to DescribeInstances with status 200.

    Raises:
        PageError: not well-formed, another document, or without the list of reservations.
    """
    try:
        cut = _cut(body)
        if cut is not None:
            skeleton, chunks = cut
            # What does not fit together was cut at the wrong marks, or is damaged: the whole tells.
            with suppress(etree.XMLSyntaxError, PageError):
                return _assemble(etree.fromstring(skeleton, parser()), chunks)
        return _whole(body)
    except (etree.XMLSyntaxError, UnicodeDecodeError):
        raise PageError("The answer to DescribeInstances is damaged.") from None


def _cut(body: bytes) -> tuple[bytes, list[memoryview]] | None:
    """The page without its instances, and the instances; None where the marks do not stand as AWS writes them.

    Nothing is copied but the skeleton: a page has megabytes.
    """
    if _has_markup(body):
        return None
    starts = []
    mark = body.find(_MARK)
    while mark >= 0:
        start = body.rfind(_OPEN, 0, mark)
        if start < 0 or body[start + len(_OPEN) : mark].strip():
            return None
        starts.append(start)
        mark = body.find(_MARK, mark + len(_MARK))
    skeleton: list[bytes] = []
    chunks: list[memoryview] = []
    view, end = memoryview(body), 0
    for start, following in zip(starts, [*starts[1:], len(body)], strict=False):
        skeleton += (body[end:start], _EMPTY)
        end = _end_of_instance(body, start, following)
        if end < 0:
            return None
        chunks.append(view[start:end])
    skeleton.append(body[end:])
    skeleton[0] = _NAMESPACE.sub(b"", skeleton[0], count=1)
    return b"".join(skeleton), chunks


def _end_of_instance(body: bytes, start: int, following: int) -> int:
    """Where the instance that begins at `start` ends: before the next one of its reservation, which begins at
    `following`, or before its reservation's list does; -1 where it is neither."""
    close = body.rfind(_CLOSE, start, following)
    end = close + len(_CLOSE)
    if close < 0 or body[end:following].strip():
        close = body.rfind(_CLOSE, start, max(body.rfind(_SET_CLOSE, start, following), start))
        end = close + len(_CLOSE)
    return end if close >= 0 else -1


def _has_markup(body: bytes) -> bool:
    """Whether there is a comment, a CDATA section or an instruction, within which marks would mean nothing."""
    prologue = body.find(b"?>") + 2 if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml") else 0
    for mark in (b"!", b"?"):
        # One byte is searched for many times faster than two.
        at, count = body.find(mark, prologue), 0
        while at >= 0:
            count += 1
            if body[at - 1 : at] == b"<" or count > MAX_MARKS:
                return True
            at = body.find(mark, at + 1)
    return False


def _assemble(root: etree._Element, chunks: Sequence[memoryview]) -> Page:
    instances: list[RawInstance] = []
    for reservation, items in _reservations(root):
        for item in items:
            if len(item) or (item.text and item.text.strip()) or len(instances) >= len(chunks):
                raise PageError("An instance came without an instance id.")
            xml = chunks[len(instances)]
            # It stands first, for so the page was cut.
            instance_id = _ID_FIRST.match(xml)
            instances.append(_raw_instance(instance_id[1] if instance_id else b"", xml, reservation))
    if len(instances) != len(chunks):
        raise PageError("The answer to DescribeInstances is damaged.")
    return _page(root, instances)


def _whole(body: bytes) -> Page:
    root = etree.fromstring(body, parser())
    drop_namespaces(root)
    instances = []
    for reservation, items in _reservations(root):
        for item in items:
            xml = etree.tostring(item, encoding="utf-8", with_tail=False)
            instances.append(_raw_instance((item.findtext("instanceId") or "").encode(), xml, reservation))
    return _page(root, instances)


def drop_namespaces(root: etree._Element) -> None:
    """Leave every element its name alone, as botocore does."""
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)


def _page(root: etree._Element, instances: list[RawInstance]) -> Page:
    return Page(tuple(instances), root.findtext("nextToken") or None, root.findtext("requestId") or None)


def _reservations(root: etree._Element) -> Iterator[tuple[Reservation, etree._Element]]:
    listed = root.find("reservationSet")
    if root.tag != "DescribeInstancesResponse" or listed is None:
        # A page without the list is no page without instances.
        raise PageError("The answer to DescribeInstances has no list of reservations.")
    for item in listed:
        instances = item.find("instancesSet")
        if instances is None:
            raise PageError("A reservation came without its instances.")
        names = ("reservationId", "ownerId", "requesterId")
        yield Reservation(*(item.findtext(name) or "" for name in names)), instances


def _raw_instance(instance_id: bytes, xml: bytes | memoryview, reservation: Reservation) -> RawInstance:
    if not _ID.fullmatch(instance_id):
        raise PageError("An instance came without an instance id.")
    head = f"{READER_VERSION}\n{reservation.reservation_id}\n{reservation.owner_id}\n{reservation.requester_id}\n"
    digest = hashlib.sha256(head.encode(errors="surrogatepass"))
    digest.update(xml)
    return RawInstance(instance_id.decode(), digest.hexdigest()[:32], xml, reservation)
