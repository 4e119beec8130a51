"""Admin of quotas."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kaivox.admin.charts import Bar, bar_chart
from ratelimits.models import DailyUsage, QuotaOverride
from tests.factories import make_user

pytestmark = pytest.mark.once_in_production

LIST = reverse("admin:ratelimits_businessusage_changelist")


def page_of(business):
    return reverse("admin:ratelimits_businessusage_change", args=[business.pk])


def act(business, name):
    return reverse("admin:ratelimits_businessusage_act", args=[business.pk, name])


def log_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db):
    return log_in(make_user(is_superuser=True))


@pytest.fixture
def used(business):
    today = timezone.now().date()
    for days in range(40):
        DailyUsage.objects.create(
            business=business,
            day=today - timedelta(days=days),
            admitted=1000 + days,
            refused=days,
            peak_minute=30,
        )
    return business


class TestBusinessPage:
    def test_draws_thirty_days(self, root, used):
        page = root.get(page_of(used)).content.decode()

        assert page.count("<g><title>") == 30
        assert "1,029 requests, 29 rejected, peak 30 per minute" in page
        assert "1,039 requests" not in page
        assert "500 per minute, 100,000 per day" in page

    def test_shows_what_is_used_this_minute_without_using(self, root, business, client):
        client.get("/api/v1/appointments")
        pages = [root.get(page_of(business)).content.decode() for _ in range(2)]

        assert all("1 used, 499 left" in page for page in pages)
        assert "1 used, 99,999 left, 0 rejected; peak 1 per minute" in pages[0]

    def test_cannot_be_changed(self, root, business):
        assert root.post(page_of(business), {"name": "x"}).status_code == 403


class TestList:
    def test_shows_today(self, root, used):
        page = root.get(LIST).content.decode()

        assert "1,000" in page
        assert "1%" in page

    def test_members_see_their_own(self, used, other_business):
        page = log_in(make_user(used, role="analyst")).get(LIST).content.decode()

        assert "Smile Dental" in page
        assert "Stranger" not in page


class TestQuotaOverride:
    FORM = {
        "per_minute": 900,
        "per_day": 250_000,
        "ends_at_0": "2199-01-31",
        "ends_at_1": "12:00:00",
        "reason": "launch",
    }

    def test_applies_from_the_next_request_on(self, root, business, client):
        root.post(act(business, "agree"), self.FORM)
        overridden = client.get("/api/v1/appointments")["X-RateLimit-Limit"]
        page = root.get(page_of(business)).content.decode()
        root.post(act(business, "end"))

        assert overridden == "900"
        assert "900 per minute, 250,000 per day, overridden until 2199-01-31" in page
        assert client.get("/api/v1/appointments")["X-RateLimit-Limit"] == "500"

    def test_is_validated_by_the_form(self, root, business):
        response = root.post(act(business, "agree"), {**self.FORM, "ends_at_0": "2001-01-31"})

        assert "This is in the past." in response.content.decode()
        assert not QuotaOverride.objects.exists()

    def test_is_forbidden_to_owners(self, business):
        client = log_in(make_user(business))

        assert client.post(act(business, "agree"), self.FORM).status_code == 403


class TestBarChart:
    def test_escapes_labels(self):
        assert "<script>" not in bar_chart([Bar("<script>", 1)], title="<script>")

    @pytest.mark.parametrize("bars", ([], [Bar("a", 0)], [Bar("a", 7, 3), Bar("b", 1_234_567)]))
    def test_draws_any_figures(self, bars):
        assert bar_chart(bars, title="t", line_at=5).startswith("<svg")
