"""Dashboard of the admin: charts and attention items of the user's businesses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from calls.models import ProviderMessage
from kaivox.businesses.models import Membership
from ratelimits.models import DailyUsage
from tests import factories
from webhooks.models import Delivery


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


def index_page(user) -> str:
    cache.clear()
    client = Client()
    client.force_login(user)
    return client.get("/admin/").content.decode()


@pytest.fixture
def troubles(business):
    """One of each problem."""
    now = timezone.now()
    factories.make_endpoint(business, url="http://127.0.0.1:9/failing", failing_since=now)
    factories.make_endpoint(
        business,
        url="http://127.0.0.1:9/gone",
        is_active=False,
        disabled_reason="gone",
    )
    factories.make_event(business)
    Delivery.objects.update(status="exhausted")
    DailyUsage.objects.create(business=business, day=now.date(), admitted=99_000, refused=7)
    ProviderMessage.objects.create(business=business, provider="vapi", body="x", state="unreadable")
    person = factories.make_staff(business, hours=(), name="Dr. Meera Nair")
    factories.make_busy_calendar(person, name="Hospital rota", failing_since=now)
    start = now + timedelta(days=1)
    factories.make_appointment(business, staff=person, start_time=start)
    return business


class TestAttentionItems:
    def test_lists_each_problem_with_a_link_to_its_fix(self, business, troubles):
        page = index_page(factories.make_user(business))
        for words in (
            "http://127.0.0.1:9/failing has been failing since",
            "http://127.0.0.1:9/gone is off: Gone (it responded 410)",
            "1 delivery failed in the last 24 hours",
            "99% of the day&#x27;s quota used, 7 requests rejected today",
            "1 message of a voice provider was unreadable",
            "Hospital rota of Dr. Meera Nair cannot be read since",
            "is now outside working hours",
        ):
            assert words in page
        assert page.count('<span class="kx-kind">') == 7
        client = Client()
        client.force_login(factories.make_user(business))
        for part in page.split('<span class="kx-kind">')[1:]:
            url = part.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
            assert client.get(url).status_code == 200, url

    def test_says_so_without_problems(self, business):
        assert "Nothing needs attention" in index_page(factories.make_user(business))

    @pytest.mark.usefixtures("troubles")
    def test_shows_nothing_of_other_businesses(self, business, other_business):
        page = index_page(factories.make_user(other_business))
        assert "Nothing needs attention" in page
        assert business.name not in page

    @pytest.mark.usefixtures("troubles")
    def test_a_superuser_sees_all(self, business, other_business):
        factories.make_endpoint(other_business, failing_since=timezone.now())
        page = index_page(factories.make_user(is_superuser=True))
        assert business.name in page
        assert other_business.name in page


class TestCharts:
    def test_counts_thirty_days(self, business, other_business):
        now = timezone.now()
        for days, status in ((0, "completed"), (1, "missed"), (29, "completed"), (31, "completed")):
            factories.make_call(business, started_at=now - timedelta(days=days), status=status)
        factories.make_call(other_business)
        page = index_page(factories.make_user(business))
        assert "3 in 30 days, 1 missed" in page

    def test_costs_few_queries(self, business, troubles, django_assert_max_num_queries):
        client = Client()
        client.force_login(factories.make_user(business))
        with django_assert_max_num_queries(25):
            client.get("/admin/")
        with django_assert_max_num_queries(8):
            client.get("/admin/")


def test_an_endpoint_without_its_key_needs_attention(business):
    factories.make_endpoint(
        business, url="https://a.example/", is_active=False, disabled_reason="key_revoked"
    )
    assert "https://a.example/" in index_page(factories.make_user(business))


class TestManyBusinesses:
    def test_users_with_the_same_first_ones_do_not_see_each_others_other_ones(self, db):
        shared = [factories.make_business() for _ in range(90)]
        secret = factories.make_business()
        factories.make_endpoint(
            secret, url="https://secret.example/", is_active=False, disabled_reason="gone"
        )
        pages = []
        for last in (secret, factories.make_business()):
            user = factories.make_user()
            Membership.objects.bulk_create(
                Membership(business=business, user=user, role="owner")
                for business in (*shared, last)
            )
            client = Client()
            client.force_login(user)
            pages.append(client.get("/admin/").content.decode())
        assert ["secret.example" in page for page in pages] == [True, False]
