"""A region is read to its last page, or is unread with a reason: over real HTTP, from an endpoint that misbehaves."""

import threading

import pytest

from app.aws.assumed_role import AssumedRole
from app.aws.credentials import Credentials
from app.aws.ec2 import MAX_BARREN_PAGES, PAGE_SIZE, read_region
from app.aws.instance_page import PageError
from app.aws.instance_xml import read_instance
from app.aws.records import RegionRead, RegionUnread
from app.errors import FaultCode
from tests.fakes.rogue_aws import Answer, error, page, xml
from tests.integration.aws.conftest import SOON

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome to our Wi-Fi</body></html>"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"&lol;" * 10) for n in range(10))
    + b"]><DescribeInstancesResponse><reservationSet>&l9;</reservationSet></DescribeInstancesResponse>"
)
XXE = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<DescribeInstancesResponse><reservationSet>&x;</reservationSet></DescribeInstancesResponse>"
)
WHOLE = page("i-1", "i-2").body


def always(answer):
    return lambda form, number: answer


def in_turn(*answers):
    return lambda form, number: answers[min(number, len(answers)) - 1]


def read_ids(provider):
    """How the reading ended, and the instances that it met on the way."""
    found = []
    end = read_region(
        provider, "eu-west-1", on_page=lambda page: found.extend(raw.instance_id for raw in page.instances)
    )
    return end, found


class TestReadToTheEnd:
    def test_it_follows_every_token(self, rogue, tenant):
        rogue.answer = in_turn(page("i-1", "i-2", token="a"), page("i-3", token="b"), page("i-4"))
        heard = []
        read = read_region(tenant, "eu-west-1", on_page=heard.append)
        assert read == RegionRead("eu-west-1", instances=4, pages=3, calls=3)
        assert [request.get("NextToken") for request in rogue.requests] == [None, "a", "b"]
        assert {request["MaxResults"] for request in rogue.requests} == {str(PAGE_SIZE)}
        assert [(page.pages, [raw.instance_id for raw in page.instances]) for page in heard] == [
            (1, ["i-1", "i-2"]),
            (2, ["i-3"]),
            (3, ["i-4"]),
        ]

    def test_an_empty_region_is_read(self, rogue, tenant):
        rogue.answer = always(page())
        assert read_region(tenant, "eu-west-1") == RegionRead("eu-west-1", instances=0, pages=1, calls=1)

    def test_an_empty_page_in_the_middle_is_not_the_end(self, rogue, tenant):
        rogue.answer = in_turn(page("i-1", token="a"), page(token="b"), page("i-2"))
        assert read_ids(tenant) == (RegionRead("eu-west-1", instances=2, pages=3, calls=3), ["i-1", "i-2"])

    def test_an_instance_on_two_pages_counts_once(self, rogue, tenant):
        rogue.answer = in_turn(page("i-1", "i-2", token="a"), page("i-2", "i-3"))
        assert read_ids(tenant) == (RegionRead("eu-west-1", instances=3, pages=2, calls=2), ["i-1", "i-2", "i-3"])

    def test_a_stumble_is_tried_again(self, rogue, tenant):
        rogue.answer = in_turn(
            error("InternalError", status=500), Answer(HTML, 503), Answer(manner="reset"), page("i-1")
        )
        read = read_region(tenant, "eu-west-1")
        assert isinstance(read, RegionRead)
        assert read.calls == 4

    def test_a_body_cut_short_is_tried_again(self, rogue, tenant):
        cut = Answer(WHOLE[:90], manner="short", length=len(WHOLE))
        rogue.answer = in_turn(cut, Answer(WHOLE))
        assert isinstance(read_region(tenant, "eu-west-1"), RegionRead)

    def test_who_listens_may_stop_it(self, rogue, tenant):
        rogue.answer = always(page("i-1", token="a"))

        def lost(page):
            raise RuntimeError("the lease is gone")

        with pytest.raises(RuntimeError, match="lease"):
            read_region(tenant, "eu-west-1", on_page=lost)


class TestWhatIsNoAnswer:
    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(Answer(HTML), id="html"),
            pytest.param(Answer(b""), id="empty"),
            pytest.param(Answer(b"   \n"), id="blank"),
            pytest.param(Answer(WHOLE[:-40]), id="truncated"),
            pytest.param(Answer(WHOLE[: len(WHOLE) // 2]), id="half"),
            pytest.param(xml("DescribeVolumesResponse", "<volumeSet/>"), id="another operation"),
            pytest.param(xml("DescribeInstancesResponse"), id="no reservations"),
            pytest.param(xml("DescribeInstancesResponseOfMine", "<reservationSet/>"), id="longer name"),
            pytest.param(Answer(b'{"Reservations": []}'), id="json"),
            pytest.param(Answer(b"\x00\xff" * 500), id="noise"),
            pytest.param(Answer(XXE), id="external entity"),
            pytest.param(Answer(LAUGHS), id="billion laughs"),
            pytest.param(Answer(LAUGHS, 400), id="billion laughs as an error"),
            pytest.param(Answer(HTML, 403), id="html refusal"),
            pytest.param(Answer(b"", 302, headers={"Location": "http://169.254.169.254/"}), id="redirect"),
            pytest.param(page("i-1 "), id="strange id"),
            pytest.param(
                xml("DescribeInstancesResponse", "<reservationSet><item/></reservationSet>"), id="bare reservation"
            ),
        ],
    )
    def test_it_leaves_the_region_unread(self, rogue, tenant, stopwatch, answer):
        rogue.answer = always(answer)
        unread = read_region(tenant, "eu-west-1")
        assert isinstance(unread, RegionUnread)
        assert unread.code is FaultCode.MALFORMED
        assert (unread.pages, unread.calls) == (0, 1)
        assert "Wi-Fi" not in unread.message
        assert stopwatch() < SOON

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(WHOLE.replace(b"<code>16<", b"<code>sixteen<"), id="a word where a number belongs"),
            pytest.param(
                WHOLE.replace(b"<instanceType>", b"<launchTime>soon</launchTime><instanceType>"),
                id="a date that is none",
            ),
            pytest.param(WHOLE.replace(b"<code>16</code>", b"<code>16</cod>"), id="damaged within an instance"),
        ],
    )
    def test_an_instance_that_came_damaged_is_told_when_it_is_read(self, rogue, tenant, body):
        rogue.answer = always(Answer(body))
        with pytest.raises(PageError, match="damaged"):
            read_region(tenant, "eu-west-1", on_page=lambda page: read_instance(page.instances[0], page.region))

    def test_a_bad_second_page_spoils_the_first(self, rogue, tenant):
        rogue.answer = in_turn(page("i-1", token="a"), Answer(HTML))
        unread = read_region(tenant, "eu-west-1")
        assert isinstance(unread, RegionUnread)
        assert (unread.code, unread.pages, unread.calls) == (FaultCode.MALFORMED, 1, 2)

    def test_a_flood_is_not_swallowed(self, rogue, tenant, stopwatch):
        rogue.answer = always(Answer(WHOLE + b" " * (64 * 1024 * 1024)))
        unread = read_region(tenant, "eu-west-1")
        assert unread.code is FaultCode.MALFORMED
        assert unread.calls == 1
        assert stopwatch() < SOON

    @pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
    def test_a_circle_of_tokens_is_noticed(self, rogue, tenant, tokens):
        rogue.answer = lambda form, number: page(f"i-{number}", token=tokens[(number - 1) % len(tokens)])
        unread = read_region(tenant, "eu-west-1")
        assert unread.code is FaultCode.MALFORMED
        assert unread.calls <= 3

    def test_tokens_without_end_are_noticed(self, rogue, tenant):
        rogue.answer = lambda form, number: page("i-1", token=f"t{number}")
        unread = read_region(tenant, "eu-west-1")
        assert unread.code is FaultCode.MALFORMED
        assert unread.calls == MAX_BARREN_PAGES + 1


class TestSilence:
    def test_no_answer_ends_in_time(self, rogue, tenant, stopwatch):
        rogue.answer = always(Answer(manner="silent"))
        unread = read_region(tenant, "eu-west-1", read_timeout_seconds=0.3, call_seconds=1)
        assert unread.code is FaultCode.UNREACHABLE
        assert "in time" in unread.message
        assert unread.calls <= 4
        assert stopwatch() < SOON

    def test_the_whole_call_has_an_end(self, rogue, tenant, stopwatch):
        rogue.answer = always(Answer(manner="silent"))
        assert read_region(tenant, "eu-west-1", call_seconds=0.5).code is FaultCode.UNREACHABLE
        assert stopwatch() < SOON

    def test_a_drip_ends_in_time(self, rogue, tenant, stopwatch):
        rogue.answer = always(Answer(WHOLE, manner="drip"))
        unread = read_region(tenant, "eu-west-1", read_timeout_seconds=0.5, call_seconds=1)
        assert unread.code is FaultCode.UNREACHABLE
        assert stopwatch() < SOON

    def test_resets_and_a_closed_port_are_nobodys_fault(self, rogue, tenant, monkeypatch):
        rogue.answer = always(Answer(manner="reset"))
        assert read_region(tenant, "eu-west-1").code is FaultCode.UNREACHABLE
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        unread = read_region(tenant, "us-east-1")
        assert (unread.code, unread.message) == (FaultCode.UNREACHABLE, "AWS could not be reached.")


class TestRefusals:
    @pytest.mark.parametrize(
        ("aws_code", "message", "status", "code", "calls"),
        [
            ("UnauthorizedOperation", "You are not authorized", 403, FaultCode.DENIED_IAM, 1),
            ("UnauthorizedOperation", "explicit deny in a service control policy", 403, FaultCode.DENIED_SCP, 1),
            ("OptInRequired", "not subscribed", 401, FaultCode.NOT_OPTED_IN, 1),
            ("AuthFailure", "not able to validate", 401, FaultCode.INVALID_ACCESS_KEY, 1),
            ("RequestLimitExceeded", "slow down", 503, FaultCode.THROTTLED, 4),
            ("ServiceUnavailable", "later", 503, FaultCode.AWS_ERROR, 4),
            ("Blocked", "This account is currently blocked", 403, FaultCode.ACCESS_DENIED, 1),
        ],
    )
    def test_each_has_its_name(self, rogue, tenant, aws_code, message, status, code, calls):
        rogue.answer = always(error(aws_code, message, status))
        unread = read_region(tenant, "eu-west-1")
        assert (unread.code, unread.aws_code, unread.request_id) == (code, aws_code, "req-9")
        assert unread.calls == calls
        assert unread.message == message

    def test_throttled_on_the_second_page_is_unread(self, rogue, tenant):
        rogue.answer = in_turn(page("i-1", token="a"), error("RequestLimitExceeded", status=503))
        unread = read_region(tenant, "eu-west-1")
        assert (unread.code, unread.pages, unread.calls) == (FaultCode.THROTTLED, 1, 5)

    @pytest.mark.parametrize("region", ["x.evil.example#", "us-east-9", "", "127.0.0.1/"])
    def test_a_region_nobody_knows_is_never_called(self, rogue, tenant, region):
        unread = read_region(tenant, region)
        assert unread.code is FaultCode.INTERNAL
        assert rogue.requests == []


class TestSessionsThatEnd:
    def provider(self, made):
        lock = threading.Lock()

        def assume(*args):
            with lock:
                made.append(Credentials(f"ASIASESSION00000000{len(made)}", "s" * 40, f"token{len(made)}"))
                return made[-1]

        return AssumedRole("arn:aws:iam::123456789012:role/R", "external", "test", assume=assume)

    def test_a_new_one_goes_on_where_the_old_one_stopped(self, rogue):
        made = []

        def answer(form, number):
            if form.get("NextToken") == "a" and "ASIASESSION000000000" in form["authorization"]:
                return error("RequestExpired", "Request has expired.")
            return page("i-2") if form.get("NextToken") else page("i-1", token="a")

        rogue.answer = answer
        read, found = read_ids(self.provider(made))
        assert found == ["i-1", "i-2"]
        assert len(made) == 2
        assert read.calls == 3

    def test_one_that_is_refused_at_once_is_not_renewed_for_ever(self, rogue):
        made = []
        rogue.answer = always(error("ExpiredToken", "expired", 403))
        unread = read_region(self.provider(made), "eu-west-1")
        assert unread.code is FaultCode.EXPIRED_CREDENTIALS
        assert len(made) == 2

    def test_plain_keys_cannot_be_renewed(self, rogue, tenant):
        rogue.answer = always(error("ExpiredToken", "expired", 403))
        unread = read_region(tenant, "eu-west-1")
        assert (unread.code, unread.calls) == (FaultCode.EXPIRED_CREDENTIALS, 1)
