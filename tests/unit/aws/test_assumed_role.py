"""When a role's session is made anew, and when it is not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.aws.assumed_role import AssumedRole
from app.aws.credentials import Credentials

START = datetime(2026, 11, 1, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def made():
    return []


def role(clock, made, *, lasts=timedelta(hours=1)):
    def assume(*args):
        made.append(args)
        return Credentials(f"ASIA{len(made)}", "secret", "token", clock.now + lasts)

    return AssumedRole("arn:aws:iam::123456789012:role/R", "external", "run-1", assume=assume, now=clock)


class TestRenewal:
    def test_one_session_serves_until_five_minutes_before_its_end(self, clock, made):
        provider = role(clock, made)
        first = provider.current()
        clock.advance(minutes=54, seconds=59)
        assert provider.current() is first
        clock.advance(seconds=1)
        assert provider.current() is not first
        assert made == [("arn:aws:iam::123456789012:role/R", "external", "run-1", 3600, None)] * 2

    def test_short_sessions_are_not_made_for_each_call(self, clock, made):
        provider = role(clock, made, lasts=timedelta(seconds=30))
        for _ in range(59):
            provider.current()
            clock.advance(seconds=1)
        assert len(made) == 1

    def test_what_aws_calls_expired_is_replaced(self, clock, made):
        provider = role(clock, made)
        first = provider.current()
        second = provider.renew(first)
        assert second != first
        assert provider.current() is second

    def test_many_threads_with_the_same_stale_session_cost_one(self, clock, made):
        provider = role(clock, made)
        stale = provider.current()
        with ThreadPoolExecutor(8) as pool:
            fresh = set(pool.map(lambda _: provider.renew(stale).access_key_id, range(8)))
        assert fresh == {"ASIA2"}
        assert len(made) == 2

    def test_a_session_made_while_verifying_is_used_first(self, clock, made):
        given = Credentials("ASIA0", "secret", "token", START + timedelta(hours=1))
        provider = AssumedRole("arn", "external", "run-1", initial=given, assume=lambda *a: made.append(a), now=clock)
        assert provider.current() is given
        assert made == []


class TestRepr:
    def test_it_shows_no_more_than_the_end_of_the_id(self):
        text = repr(Credentials("AKIAIOSFODNN7EXAMPLE", "the-secret", "the-token"))
        assert "MPLE" in text
        assert not any(part in text for part in ("AKIAIOSFODNN7", "the-secret", "the-token"))
