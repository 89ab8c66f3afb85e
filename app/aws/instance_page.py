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
from dataclasses import dataclass

from lxml import etree

#: Enters the hash of an instance's bytes: with another number everything is read anew. Raise it whenever the same bytes
#: would make another record.
READER_VERSION = 1

INSTANCE_ID = re.compile(r"i-[0-9A-Za-z-]{1,62}")

#: More exclamation and question marks than this in one page are not counted out; the page is parsed as a whole.
MAX_MARKS = 20_000

_MARK = b"<instanceId>"
_ID_END = b"</instanceId>"
_OPEN, _CLOSE = b"<item>", b"</item>"
_SET_OPEN, _SET_CLOSE = b"<instancesSet>", b"</instancesSet>"
_EMPTY = b"<item/>"
_NAMESPACE = re.compile(rb"\sxmlns=(?:\"[^\"]*\"|'[^']*')")


class PageError(ValueError):
    """The page is not a page of DescribeInstances, or not all of one; the message is fit to be shown."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What several instances were started by; empty where AWS does not say."""

    reservation_id: str
    owner_id: str
    requester_id: str


@dataclass(frozen=True, slots=True)
class RawInstance:
    """One instance as AWS sent it."""

    instance_id: str
    raw_hash: str
    """128 bits of SHA-256 in hex, over the reader's version, the reservation and the bytes."""

    xml: bytes
    """`<item>...</item>`, without a namespace."""

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
        if cut is None:
            return _whole(body)
        skeleton, chunks = cut
        return _assemble(etree.fromstring(skeleton, parser()), chunks)
    except (etree.XMLSyntaxError, UnicodeDecodeError):
        raise PageError("The answer to DescribeInstances is damaged.") from None


def _cut(body: bytes) -> tuple[bytes, list[bytes]] | None:
    """The page without its instances, and the instances; None where the marks do not stand as AWS writes them."""
    if _has_markup(body):
        return None
    start, *pieces = body.split(_MARK)
    head = start.rstrip()
    if not pieces:
        return _NAMESPACE.sub(b"", head, count=1), []
    if not head.endswith(_OPEN):
        return None
    skeleton = [_NAMESPACE.sub(b"", head[: -len(_OPEN)], count=1)]
    chunks = []
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        rest = piece.rstrip()
        if number < last:
            if not rest.endswith(_OPEN):
                return None
            rest = rest[: -len(_OPEN)].rstrip()
        if number == last or rest.endswith(_SET_OPEN):
            end = rest.rfind(_SET_CLOSE)
            content, glue = rest[: max(end, 0)].rstrip(), rest[max(end, 0) :]
        else:
            content, glue = rest, b""
        if not content.endswith(_CLOSE):
            return None
        skeleton += (_EMPTY, glue)
        chunks.append(_OPEN + _MARK + content)
    return b"".join(skeleton), chunks


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


def _assemble(root: etree._Element, chunks: Sequence[bytes]) -> Page:
    instances: list[RawInstance] = []
    for reservation, items in _reservations(root):
        for item in items:
            if len(item) or (item.text and item.text.strip()) or len(instances) >= len(chunks):
                raise PageError("An instance came without an instance id.")
            instances.append(_raw_instance(chunks[len(instances)], reservation))
    if len(instances) != len(chunks):
        raise PageError("The answer to DescribeInstances is damaged.")
    return _page(root, instances)


def _whole(body: bytes) -> Page:
    root = etree.fromstring(body, parser())
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)
    instances = []
    for reservation, items in _reservations(root):
        xml = (etree.tostring(item, encoding="utf-8", with_tail=False) for item in items)
        instances += [_raw_instance(text, reservation) for text in xml]
    return _page(root, instances)


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


def _raw_instance(xml: bytes, reservation: Reservation) -> RawInstance:
    start = xml.find(_MARK) + len(_MARK)
    instance_id = xml[start : xml.find(_ID_END, start)].decode("ascii", "replace")
    if start < len(_MARK) or not INSTANCE_ID.fullmatch(instance_id):
        raise PageError("An instance came without an instance id.")
    head = f"{READER_VERSION}\n{reservation.reservation_id}\n{reservation.owner_id}\n{reservation.requester_id}\n"
    digest = hashlib.sha256(head.encode(errors="surrogatepass"))
    digest.update(xml)
    return RawInstance(instance_id, digest.hexdigest()[:32], xml, reservation)
