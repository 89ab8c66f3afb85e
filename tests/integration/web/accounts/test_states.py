"""Each state of an account says what happened, whose move it is, when it is tried again, and what to paste."""

from datetime import timedelta

import pytest
from flask import Flask

from app.errors import FaultCode
from app.models import User
from app.models.mixins import utc_now
from app.models.types import AccountHealth, AccountStatus
from app.services.remedies import REMEDIES
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.integration.web.accounts.pages import path, seed

FAILED, ACTIVE = AccountStatus.FAILED, AccountStatus.ACTIVE
REFUSED, UNAVAILABLE, PARTIAL = AccountHealth.REFUSED, AccountHealth.UNAVAILABLE, AccountHealth.PARTIAL


class TestWhoseMoveItIs:
    @pytest.mark.parametrize(
        ("status", "health", "code", "words", "pasted"),
        [
            (FAILED, REFUSED, FaultCode.ACCESS_DENIED, "Your move", "remedy-trust-policy"),
            (FAILED, REFUSED, FaultCode.EXTERNAL_ID_NOT_ENFORCED, "Your move", "remedy-trust-policy"),
            (FAILED, REFUSED, FaultCode.ACCOUNT_MISMATCH, "Your move", None),
            (ACTIVE, REFUSED, FaultCode.DENIED_IAM, "Your move", "remedy-permission-policy"),
            (ACTIVE, PARTIAL, FaultCode.DENIED_SCP, "whoever manages the organization", None),
            (ACTIVE, UNAVAILABLE, FaultCode.THROTTLED, "Nobody need do anything", None),
            (ACTIVE, UNAVAILABLE, FaultCode.UNREACHABLE, "Nobody need do anything", None),
            (ACTIVE, UNAVAILABLE, FaultCode.CLOCK_SKEW, "whoever runs this installation", None),
            (ACTIVE, UNAVAILABLE, FaultCode.NO_APP_IDENTITY, "whoever runs this installation", None),
        ],
    )
    def test_it_is_said_with_the_next_try_and_what_to_paste(
        self,
        app: Flask,
        client1: User,
        owner: PageClient,
        status: AccountStatus,
        health: AccountHealth,
        code: FaultCode,
        words: str,
        pasted: str | None,
    ) -> None:
        account = seed(
            app,
            client1,
            status=status,
            health=health,
            error_code=code,
            error_message="AWS's own words.",
            last_tried_at=utc_now() - timedelta(minutes=2),
            next_due_at=utc_now() + timedelta(minutes=4, seconds=30),
            last_good_at=utc_now() - timedelta(days=2),
            created_at=utc_now() - timedelta(days=9),
        )
        page = owner.get_page(path(account))
        (notice,) = [div for div in page.all("div") if "notice" in (div.get("class") or "").split()]
        text = text_of(notice)
        assert REMEDIES[code].title in text
        assert REMEDIES[code].advice[:60] in text
        assert "AWS's own words." in text
        assert words in text
        assert "Last asked 2 minutes ago, next try in 4 minutes" in text
        assert "What is shown is as of" in text
        shown = [pre.get("id") for pre in page.all("pre") if (pre.get("id") or "").startswith("remedy-")]
        assert shown == ([pasted] if pasted else [])

    def test_others_are_told_that_it_is_the_owner_s(
        self, app: Flask, client1: User, admin: User, sign_in: SignIn
    ) -> None:
        account = seed(app, client1, status=FAILED, error_code=FaultCode.ACCESS_DENIED)
        page = sign_in(admin).get_page(path(account))
        assert "The owner's move" in page.text
        assert page.all("pre") == []
