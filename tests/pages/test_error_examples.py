"""The requests on docs/errors.md that cause an error, sent as printed to a business in the described state."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from appointments.availability import UnavailabilityReason
from appointments.holds import MAX_OPEN_HOLDS
from appointments.models import Appointment, Hold
from appointments.waitlist import operations as waitlist
from customers.operations import erase_customer
from kaivox.api import concurrency
from kaivox.api.concurrency import in_progress
from kaivox.api.leases import Lease
from kaivox.businesses.models import ApiKey
from kaivox.idempotency.models import IdempotencyRecord
from kaivox.pages.docs.articles import find_article
from ratelimits.models import QuotaOverride
from services.models import Service
from tests import factories
from webhooks.delivery_queue import claim_due
from webhooks.models import Delivery
from webhooks.operations import MAX_ENDPOINTS

pytestmark = [pytest.mark.django_db, pytest.mark.once]

_ENTRY = re.compile(r"^### (\w+)\n(.*?)(?=^#|\Z)", re.M | re.S)
_BLOCK = re.compile(r"```(http|sh)\n(.*?)\n```", re.S)
PAGE = find_article("errors").text
BLOCKS = {code: _BLOCK.search(entry) for code, entry in _ENTRY.findall(PAGE)}
EXAMPLES = {code: block[2] for code, block in BLOCKS.items() if block and block[1] == "http"}
# What no request to the API causes by itself.
WITHOUT = {
    "conflict": "all conflicts have codes of their own",
    "forbidden": "of pages; the API's are more specific",
    "internal_error": "a fault",
    "key_revoked": "of pages",
    "length_required": "only where another web server passes on a chunked body",
    "sandbox_exists": "of pages",
    "service_unavailable": "an outage",
}


@pytest.fixture
def shop(business):
    """The state that the examples assume: id of the docs → row."""
    service = factories.make_service(business)
    staff = factories.make_staff(business, services=[service])
    day = (timezone.now() + timedelta(days=9)).date()
    ten = datetime(day.year, day.month, day.day, 10, tzinfo=ZoneInfo(business.timezone))
    customer = factories.make_customer(business, phone="+919876543210")
    return {
        "day": day.isoformat(),
        "391": customer.pk,
        "12": service.pk,
        "13": factories.make_service(business, is_active=False).pk,
        "5": staff.pk,
        "6": factories.make_staff(business).pk,
        "3": factories.make_endpoint(business, is_active=False, disabled_reason="paused").pk,
        "4812": factories.make_appointment(
            business, service=service, staff=staff, customer=customer, start_time=ten
        ).pk,
    }


@pytest.fixture
def causes(business, api_key, shop, settings, monkeypatch):
    """Code → what brings the state about in which its example causes it."""
    key = ApiKey.objects.get()
    hold = {"service_id": shop["12"], "start_time": f"{shop['day']}T12:00:00+05:30"}

    def change(**values):
        return lambda: type(business).objects.filter(pk=business.pk).update(**values)

    def place_hold():
        response = Client(headers={"X-API-Key": api_key}).post(
            "/api/v1/appointments/holds", hold, "application/json"
        )
        shop["77"] = response.json()["data"]["id"]

    def expired_hold():
        place_hold()
        Hold.objects.update(expires_at=timezone.now() - timedelta(minutes=1))

    def open_holds():
        place_hold()
        times = Hold.objects.values("start_time", "end_time", "busy_start", "busy_end").get()
        for day in range(1, MAX_OPEN_HOLDS):
            hold = Hold.objects.get(start_time=times["start_time"])
            hold.pk = None
            for name, moment in times.items():
                setattr(hold, name, moment + timedelta(days=day))
            hold.save(force_insert=True)

    def in_flight():
        factories.make_endpoint(business)
        factories.make_event(business)
        claim_due(limit=1, now=timezone.now())
        shop["5510"] = Delivery.objects.get().pk

    def endpoints():
        for _ in range(MAX_ENDPOINTS):
            factories.make_endpoint(business)

    def running():
        send(EXAMPLES["idempotency_in_progress"], api_key, shop)
        IdempotencyRecord.objects.update(status=None, answer=None)

    def slow_requests():
        monkeypatch.setattr(concurrency, "SLOW_SECONDS", 0)
        ends.extend(in_progress.begin(business.pk) for _ in range(settings.WEB_THREADS))

    def used_up():
        until = timezone.now() + timedelta(days=1)
        QuotaOverride.objects.create(business=business, per_minute=1, per_day=9, ends_at=until)
        send(EXAMPLES["rate_limit_exceeded"], api_key, shop)

    def leases(name):
        def occupy():
            for _ in range(2):
                lease = Lease.acquire(f"{name}:{business.pk}", places=2, seconds=60)
                ends.append(lease.release)

        return occupy

    def waiting():
        send(EXAMPLES["already_waiting"], api_key, shop)

    def full_waitlist():
        monkeypatch.setattr(waitlist, "MAX_OPEN_ENTRIES", 0)

    def reserved_resource():
        table = factories.make_resource(business)
        factories.reserve(Appointment.objects.get(pk=shop["4812"]), table)
        shop["9"] = table.pk

    ends = []
    yield {
        "already_waiting": waiting,
        "business_suspended": change(suspended_at=timezone.now()),
        "customer_erased": lambda: erase_customer(
            business=business, customer_id=shop["391"], now=timezone.now()
        ),
        "delivery_in_flight": in_flight,
        "expired_api_key": lambda: key_with(key, expires_at=timezone.now()),
        "hold_expired": expired_hold,
        "hold_mismatch": place_hold,
        "https_required": lambda: setattr(settings, "SECURE_SSL_REDIRECT", True),
        "idempotency_in_progress": running,
        "idempotency_key_reused": lambda: send(
            EXAMPLES["idempotency_key_reused"].replace("Ravi", "Usha"), api_key, shop
        ),
        "insufficient_scope": lambda: key_with(key, scopes=["customers:read"]),
        "ip_not_allowed": lambda: key_with(key, allowed_cidrs=["203.0.113.0/24"]),
        "nonexistent_local_time": change(timezone="Europe/London"),
        "rate_limit_exceeded": used_up,
        "resource_in_use": reserved_resource,
        "too_many_concurrent_requests": slow_requests,
        "too_many_endpoints": endpoints,
        "too_many_holds": open_holds,
        "too_many_long_polls": leases("long-poll"),
        "too_many_streams": leases("stream"),
        "too_late_to_change": lambda: Service.objects.update(cancellation_window_minutes=20 * 1440),
        "waitlist_full": full_waitlist,
        "too_soon": change(minimum_notice_minutes=20 * 1440),
    }
    for end in ends:
        end()


def key_with(key, **values):
    ApiKey.objects.filter(pk=key.pk).update(**values)


def send(text: str, key: str, shop: dict[str, object], session: str = ""):
    """Sends a request as it is printed, with the ids, the day and the key of the test."""
    text = text.replace("kv_live_…", key).replace("2026-03-02", str(shop["day"]))
    text = text.replace("sessionid=…", f"sessionid={session}")
    text = re.sub(
        r'(?<=[/ ])(\d{1,4})(?=[/,}\s]|$)', lambda m: str(shop.get(m[1], m[1])), text, flags=re.M
    )  # fmt: skip
    head, _, body = text.partition("\n\n")
    (method, path), *headers = (line.split(maxsplit=1) for line in head.split("\n"))
    fields = {name.rstrip(":"): value for name, value in headers}
    content_type = fields.pop("Content-Type", "application/json")
    client = Client(headers=fields, enforce_csrf_checks=True)
    return client.generic(method, path, body, content_type)


def test_every_error_has_one_or_a_reason_for_none():
    without = {code for code, block in BLOCKS.items() if block is None}
    assert without == WITHOUT.keys(), "Add an example to docs/errors.md, and its state to `causes`."


@pytest.mark.parametrize("code", EXAMPLES)
def test_causes_the_error(code, business, api_key, shop, causes):
    causes.get(code, lambda: None)()
    browser = Client()
    browser.force_login(factories.make_user(business))
    response = send(EXAMPLES[code], api_key, shop, browser.cookies["sessionid"].value)
    assert response.json()["code"] == code, response.content


def test_the_first_example_is_a_response(business, api_key, shop):
    shown = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1])
    body = send(EXAMPLES[shown["code"]], api_key, shop).json()
    day = str(shop["day"])
    assert body["message"] == shown["message"].replace("2026-03-02", day)
    assert body["errors"] == {"start_time": [body["message"]]}
    assert body["meta"].keys() == shown["meta"].keys()
    assert body["meta"]["reason"] == shown["meta"]["reason"]
    assert body["meta"]["alternatives"][0].keys() == shown["meta"]["alternatives"][0].keys()


def test_meta_reason_has_the_documented_values():
    text = " ".join(PAGE.partition("`meta.reason` names it")[2].partition("Times in")[0].split())
    assert set(re.findall(r"`([a-z_]+)`", text)) == {
        reason.value for reason in UnavailabilityReason
    }


def test_the_example_of_the_request_log_is_a_response(api_key):
    page = find_article("request-log").text
    shown = json.loads(re.search(r"```json\n(.*?)```", page, re.S)[1])
    body = Client(headers={"X-API-Key": api_key}).get("/api/v1/customers/999999999").json()
    names = ("success", "code", "message", "errors")
    assert {name: body[name] for name in names} == {name: shown[name] for name in names}
