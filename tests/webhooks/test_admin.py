"""Admin of endpoints and of the delivery log."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.factories import make_endpoint, make_event, make_user
from tests.webhooks.receivers import Reply
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client_class, business):
    browser = client_class()
    browser.force_login(make_user(business))
    return browser


@pytest.fixture
def client_class():
    from django.test import Client

    return Client


@pytest.fixture
def endpoint(business, receiver):
    return make_endpoint(business, url=receiver.url)


def page(name: str, *args: object) -> str:
    return reverse(f"admin:webhooks_{name}", args=args)


class TestEndpoints:
    def test_are_added_with_check_boxes_and_show_their_secret_once(
        self, browser, business, receiver
    ):
        response = browser.post(
            page("endpoint_add"),
            {
                "business": business.pk,
                "url": receiver.url,
                "description": "",
                "event_types": ["appointment.booked", "call.missed"],
                "max_in_flight": 4,
                "rate_limit": 0,
                "rate_limit_period": "minute",
            },
        )
        endpoint = Endpoint.objects.get()
        assert endpoint.event_types == ["appointment.booked", "call.missed"]
        assert endpoint.secret in response.content.decode()
        assert "no-store" in response["Cache-Control"]
        shown = browser.get(page("endpoint_change", endpoint.pk)).content.decode()
        assert endpoint.secret not in shown

    def test_reject_a_bad_url_in_the_form(self, browser, business):
        response = browser.post(
            page("endpoint_add"),
            {
                "business": business.pk,
                "url": "ftp://x/",
                "event_types": ["*"],
                "max_in_flight": 4,
                "rate_limit": 0,
                "rate_limit_period": "minute",
            },
        )
        assert "must begin with" in response.content.decode()
        assert not Endpoint.objects.exists()

    def test_show_statistics(self, browser, business, endpoint, receiver, deliver):
        receiver.respond_with(500)
        make_event(business)
        deliver()
        shown = browser.get(page("endpoint_change", endpoint.pk)).content.decode()
        assert "1 requests, 0.0% succeeded" in shown
        assert page("delivery_change", Delivery.objects.get().pk) in shown

    @pytest.mark.parametrize(
        ("act", "values"),
        (
            ("test", {"event_type": "call.missed"}),
            ("rotate", {"grace": "24"}),
            ("pause", {}),
            ("replay", {"since": "24"}),
        ),
    )
    def test_have_buttons(self, browser, endpoint, act, values):
        url = page("endpoint_act", endpoint.pk, act)
        assert browser.get(url).status_code == 200
        assert browser.post(url, values, follow=True).status_code == 200

    def test_send_a_test_event(self, browser, endpoint, receiver, deliver):
        browser.post(page("endpoint_act", endpoint.pk, "test"), {"event_type": "call.missed"})
        deliver()
        assert receiver.requests[0].headers["X-KaiVox-Event"] == "call.missed"

    def test_pause_and_resume(self, browser, endpoint):
        browser.post(page("endpoint_act", endpoint.pk, "pause"))
        assert (
            "Disabled: Paused by a user"
            in browser.get(page("endpoint_changelist")).content.decode()
        )
        browser.post(page("endpoint_act", endpoint.pk, "resume"))
        endpoint.refresh_from_db()
        assert endpoint.is_active

    def test_are_deleted_without_their_log(self, browser, business, endpoint):
        make_event(business)
        assert browser.get(page("endpoint_delete", endpoint.pk)).status_code == 200
        browser.post(page("endpoint_delete", endpoint.pk), {"post": "yes"})
        endpoint.refresh_from_db()
        assert endpoint.deleted_at is not None
        assert Delivery.objects.get().status == "cancelled"


class TestLog:
    def test_shows_each_attempt_escaped(self, browser, business, endpoint, receiver, deliver):
        receiver.respond_with(Reply(500, body=b"\x00<script>alert(1)</script>"))
        event = make_event(business)
        deliver()
        shown = browser.get(page("delivery_change", Delivery.objects.get().pk)).content.decode()
        assert "&lt;script&gt;alert(1)" in shown
        assert "<script>alert(1)" not in shown
        assert event.uid in shown
        assert "X-KaiVox-Signature: t=" in shown

    @pytest.mark.parametrize(
        ("query", "found"),
        (
            ("", 1),
            ("?http=2", 1),
            ("?http=5", 0),
            ("?http=none", 0),
            ("?status__exact=succeeded", 1),
            ("?event__type=customer.created", 1),
            ("?q=391", 1),  # the example customer
            ("?q=999999", 0),
            ("?q=evt_nothing", 0),
        ),
    )
    def test_is_searched_and_filtered(self, browser, business, endpoint, deliver, query, found):
        make_event(business)
        deliver()
        shown = browser.get(page("delivery_changelist") + query).content.decode()
        rows = shown.partition("<tbody>")[2].partition("</tbody>")[0]
        assert rows.count("<tr") == found

    def test_redelivers_a_selection(self, browser, business, endpoint, receiver, deliver):
        make_event(business)
        deliver()
        browser.post(
            page("delivery_changelist"),
            {
                "action": "redeliver_selected",
                "_selected_action": [Delivery.objects.get().pk],
            },
        )
        deliver()
        assert len(receiver.requests) == 2

    def test_is_read_only(self, browser, business, endpoint):
        make_event(business)
        delivery = Delivery.objects.get()
        assert browser.get(page("delivery_add")).status_code == 403
        assert browser.post(page("delivery_change", delivery.pk), {}).status_code == 403
        assert browser.post(page("delivery_delete", delivery.pk), {}).status_code == 403

    def test_is_limited_to_the_own_business(self, client_class, other_business, business, endpoint):
        make_event(business)
        stranger = client_class()
        stranger.force_login(make_user(other_business))
        assert event_uid(business) not in stranger.get(page("delivery_changelist")).content.decode()
        assert stranger.get(page("endpoint_change", endpoint.pk)).status_code == 302
        assert stranger.post(page("endpoint_act", endpoint.pk, "pause")).status_code == 404


def event_uid(business) -> str:
    return Delivery.objects.for_business(business).get().event.uid
