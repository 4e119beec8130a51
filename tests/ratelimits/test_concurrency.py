"""Limit of a business's slow requests in one process: `kaivox.api.concurrency`."""

from __future__ import annotations

import pytest
from django.test import Client

from kaivox.api import concurrency
from kaivox.api.concurrency import SLOW_SECONDS, RequestsInProgress, in_progress
from tests.factories import make_user

URL = "/api/v1/appointments"


@pytest.mark.once
class TestRequestsInProgress:
    @pytest.fixture
    def clock(self):
        return [100.0]

    @pytest.fixture
    def requests(self, clock):
        return RequestsInProgress(2, timer=lambda: clock[0])

    def test_many_that_are_short_are_never_too_many(self, requests):
        for _ in range(500):
            assert not requests.is_full(1)
            requests.begin(1)

    def test_are_too_many_once_so_many_are_slow(self, requests, clock):
        first = requests.begin(1)
        clock[0] += 1
        requests.begin(1)
        clock[0] += SLOW_SECONDS - 1
        assert not requests.is_full(1)
        clock[0] += 1
        assert requests.is_full(1)
        assert not requests.is_full(2)
        first()
        assert not requests.is_full(1)

    def test_knows_whether_others_wait(self, requests):
        assert not requests.are_of_others(1)
        mine = requests.begin(1)
        assert not requests.are_of_others(1)
        assert requests.are_of_others(2)
        other = requests.begin(2)
        assert requests.are_of_others(1)
        mine()
        other()
        assert not requests.are_of_others(1)
        assert requests._begun == {}


@pytest.mark.django_db
class TestRequest:
    @pytest.fixture
    def full(self, business, monkeypatch):
        """All requests that the business may have are slow ones."""
        monkeypatch.setattr(concurrency, "SLOW_SECONDS", 0)
        ends = [in_progress.begin(business.pk) for _ in range(in_progress._limit)]
        yield
        for end in ends:
            end()

    def test_beyond_the_limit_is_a_429(self, full, client):
        found = client.get(URL)
        assert (found.status_code, found["Retry-After"]) == (429, "1")
        assert found.json()["code"] == "too_many_concurrent_requests"

    def test_of_a_session_counts_too(self, full, business):
        browser = Client()
        browser.force_login(make_user(business))
        found = browser.get(URL, headers={"Accept": "application/json"})
        assert (found.status_code, found.json()["code"]) == (429, "too_many_concurrent_requests")

    def test_is_of_no_other_business(self, full, stranger):
        assert stranger.get(URL).status_code == 200

    def test_that_is_rejected_costs_no_quota(self, full, client):
        remaining = {client.get(URL)["X-RateLimit-Remaining"] for _ in range(3)}
        assert len(remaining) == 1

    def test_is_admitted_in_shadow_mode(self, full, client, settings):
        settings.RATE_LIMIT_SHADOW = True
        assert client.get(URL).status_code == 200

    def test_ends_however_it_ends(self, client):
        before = dict(in_progress._begun)
        for url in (URL, f"{URL}/0", f"{URL}?nothing=1", f"{URL}?format=csv"):
            client.get(url)
        client.post(URL, {})
        assert in_progress._begun == before

    def test_is_in_progress_while_its_view_runs(self, client, business, monkeypatch):
        seen = []
        monkeypatch.setattr(
            "appointments.views.AppointmentViewSet.list",
            lambda view, request: seen.append(in_progress.are_of_others(0)) or 1 / 0,
        )
        with pytest.raises(ZeroDivisionError):
            client.get(URL)
        assert seen == [True]
        assert not in_progress.are_of_others(0)
