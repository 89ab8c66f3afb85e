"""Answers that no AWS should give, and that something between us and AWS may: damaged, endless, or meant to do harm."""

import gzip
import re
from collections.abc import Callable
from functools import cache

from demo.aws.answers import EC2_NAMESPACE, Answer, RefusalError, ec2_answer, json_answer, sts_answer

MEGABYTE = 1024 * 1024
#: More than any client should keep in memory for one page.
HUGE = 64 * MEGABYTE
DEPTH = 200_000
MANY_TAGS = 5_000

#: Where redirections lead: the address at which a machine's own credentials are handed out.
METADATA_URL = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"

_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_ROOT = f'<DescribeInstancesResponse xmlns="{EC2_NAMESPACE}">'.encode()
_END = b"</DescribeInstancesResponse>"


def _html(status: int) -> Answer:
    page = b"<!DOCTYPE html><html><body>Please sign in to the network.</body></html>"
    return Answer(page, status, "text/html")


@cache
def _huge() -> Answer:
    return Answer(_HEAD + _ROOT + b"<reservationSet>" + b"<item/>" * (HUGE // 7) + b"</reservationSet>" + _END)


@cache
def _gzip_bomb() -> Answer:
    packed = gzip.compress(_HEAD + _ROOT + b" " * (2 * HUGE), 9)
    return Answer(packed, headers=(("Content-Encoding", "gzip"),))


def _entity_bomb() -> Answer:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return Answer(_HEAD + f"<!DOCTYPE lol [{entities}]>".encode() + _ROOT + b"<x>&a9;</x>" + _END)


def _external_entity() -> Answer:
    doctype = b'<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    return Answer(_HEAD + doctype + _ROOT + b"<reservationSet/><requestId>&x;</requestId>" + _END)


def _stale_signature() -> Answer:
    raise RefusalError(
        "SignatureDoesNotMatch",
        "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z (20260101T001000Z - 5 min.)",
        403,
    )


#: What is answered instead of AWS.
INSTEAD: dict[str, Callable[[], Answer]] = {
    "html": lambda: _html(200),  # a page with status 200, as a proxy sends
    "error_page": lambda: _html(503),  # a balancer's
    "empty": lambda: Answer(b""),  # no body, status 200
    "json": lambda: json_answer({"reservations": []}),
    "wrong_root": lambda: Answer(_HEAD + f'<DescribeKeyPairsResponse xmlns="{EC2_NAMESPACE}"/>'.encode()),
    "ill_formed": lambda: Answer(_HEAD + _ROOT + b"<reservationSet><item></reservationSet>" + _END),
    "no_list": lambda: ec2_answer("DescribeInstances", ""),  # the right root, and nothing in it
    "huge": _huge,  # 64 MB
    "gzip_bomb": _gzip_bomb,  # 128 MB in 128 kB
    "deep": lambda: Answer(_HEAD + _ROOT + b"<a>" * DEPTH + b"</a>" * DEPTH + _END),
    "entity_bomb": _entity_bomb,  # a billion laughs
    "external_entity": _external_entity,  # a file of ours, please
    "redirect": lambda: Answer(b"", 302, "text/html", (("Location", METADATA_URL),)),
    "stale_signature": _stale_signature,  # our clock is ten minutes behind
    "no_regions": lambda: ec2_answer("DescribeRegions", "<regionInfo/>"),
    "odd_region": lambda: ec2_answer(
        "DescribeRegions", "<regionInfo><item><regionName>x.evil.example#</regionName></item></regionInfo>"
    ),
    "no_credentials": lambda: sts_answer("AssumeRole", ""),
}


def _bad_utf8(body: bytes) -> bytes:
    return body.replace(b"<instanceType>", b"<instanceType>\xff\xfe", 1)


def _unnamed(body: bytes) -> bytes:
    return re.sub(rb"<instanceId>[^<]*</instanceId>", b"", body, count=1)


def _many_tags(body: bytes) -> bytes:
    tags = b"".join(b"<item><key>k%d</key><value>%s</value></item>" % (n, b"v" * 200) for n in range(MANY_TAGS))
    return body.replace(b"<tagSet>", b"<tagSet>" + tags, 1)


def first_reservation(body: bytes) -> bytes:
    """The first item of a page's list; empty where there is none."""
    found = re.search(rb"<reservationSet>(<item>.*?</instancesSet></item>)", body, re.DOTALL)
    return found[1] if found else b""


def with_reservation(body: bytes, reservation: bytes) -> bytes:
    """The page with one more item at the end of its list."""
    return body.replace(b"</reservationSet>", reservation + b"</reservationSet>")


def _another_account(body: bytes) -> bytes:
    return re.sub(rb"\b[0-9]{12}\b", b"999999999999", body)


#: What becomes of the true answer.
CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda body: body[: len(body) // 2],  # cut in the middle
    "bad_utf8": _bad_utf8,
    "unnamed": _unnamed,  # an instance without its id
    "many_tags": _many_tags,  # true but for 5,000 tags of one instance
    "another_account": _another_account,  # GetCallerIdentity names a stranger
}
