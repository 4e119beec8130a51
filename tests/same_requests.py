"""Generated requests, 400 or with TEST_THOROUGH=1 2,000, whose outcomes must not depend on the database.

`python -m tests.same_requests` sends them to an app on SQLite and prints the outcomes as JSON;
`tests/test_same_on_both_databases.py` sends them to PostgreSQL and compares.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.test import override_settings

from tests.effort import THOROUGH

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from kaivox.businesses.models import Business

NOW: Final = datetime(2026, 6, 2, 4, 0, tzinfo=UTC)  # a Tuesday, 9:30 in Kolkata
COUNT: Final = 2_000 if THOROUGH else 400
API: Final = "/api/v1"

_ODD: Final = (
    None,
    "",
    " ",
    5,
    -1,
    2**63,
    1.5,
    True,
    [],
    {},
    "\x00",
    "a\x07b",
    "\ud83e",
    "x" * 6000,
)
_NAMES: Final = (
    "Asha Rao", "asha rao", "Élodie", "ÉLODIE", "Ørsted", "किताब", "明", "İpek", "O'Brien", "%", "_", "=1+1",
    "x" * 200, "x" * 201, "\u200b",
)  # fmt: skip
_EMAILS: Final = (
    "asha@example.com", "ASHA@example.com", "a@é.in", "A@É.in", "no address", "a b@x.in", "a@x.in\n",
    "x" * 250 + "@e.in",
)  # fmt: skip
_PHONES: Final = (
    "098765 43210", "+91 98765-43210", "tel:+919876543210", "+52 1 55 1234 5678", "+525512345678",
    "+54 9 11 2345 6789", "+541123456789", "0000000000", "+81" + "9" * 14, "98765 43211 ext 5",
    "٠٩٨٧٦٥٤٣٢١٢",
)  # fmt: skip
_SEARCHES: Final = (
    *_NAMES[:12], *_EMAILS[:4], *_PHONES[:7], "elodie", "ørst", "orst", "rao asha", "काम", "43210", "0", "\u200b", "elan", "ÉLAN",
    "dr.  Elan",
)  # fmt: skip
_DAYS: Final = (
    "2026-06-02", "2026-06-03", "2026-06-07", "2026-02-30", "2026-6-3", "1900-01-01", "9999-12-31", "",
)  # fmt: skip
_INSTANTS: Final = (
    "2026-06-03T05:00:00Z", "2026-06-03T10:30:00+05:30", "2026-06-03 05:00:00 05:30", "2026-06-03T24:00:00Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-06-03",
)  # fmt: skip
_METADATA: Final = (
    {},
    {"a": "b"},
    {"é": "x" * 500},
    {"a": 1},
    {"a": "x" * 501},
    {"k" * 41: ""},
    [],
)


def outcomes(client: APIClient, business: Business) -> list[Any]:
    """Method, path, what was sent, status, code, errors and shown names of each request."""
    from tests import factories

    service = factories.make_service(business, name="Cleaning")
    staff = factories.make_staff(business, services=[service], name="Dr. Élan")
    customer = factories.make_customer(business, name="First", phone="+919800000000")
    factories.make_call(
        business, customer=customer, started_at=NOW, transcript=[("caller", "Élodie wants किताब")]
    )
    appointment = factories.make_appointment(
        business, service=service, staff=staff, customer=customer,
        start_time=datetime(2026, 6, 3, 5, tzinfo=UTC),
    )  # fmt: skip
    ids = {
        "service": service.pk, "staff": staff.pk, "customer": customer.pk, "appointment": appointment.pk,
    }  # fmt: skip
    chance = random.Random(1)
    # The defaults of these differ between the profiles.
    with override_settings(WEBHOOK_ALLOW_PRIVATE=True, WEBHOOK_HTTPS_ONLY=False, WEBHOOK_PORTS=[]):
        return [_outcome(client, chance, ids) for _ in range(COUNT)]


def _outcome(client: APIClient, chance: random.Random, ids: dict[str, int]) -> list[Any]:
    method, path, sent = chance.choice(_KINDS)(chance, ids)
    if method == "get":
        response = client.get(f"{API}/{path}", sent)
    else:
        text = json.dumps(sent)  # ASCII, so that lone surrogates can be sent
        response = client.generic(method.upper(), f"{API}/{path}", text, "application/json")
    body = response.json()
    shown = body.get("data")
    # Names of ids' rows; of slots and events the number.
    names = (
        sorted(row.get("name") or row.get("time", "") for row in shown)
        if isinstance(shown, list)
        else None
    )
    if response.status_code == 201 and path == "customers":
        ids["customer"] = shown["id"]
    # Ids differ between the databases.
    values = {name: str(value) for name, value in sent.items() if not name.endswith("_id")}
    kind = [method, path.partition("/")[0], values]
    return [*kind, response.status_code, body.get("code"), body.get("errors"), names]


def _some(
    chance: random.Random, values: dict[str, tuple[Any, ...]], *, odd: float
) -> dict[str, Any]:
    """Up to three of `values`; with the probability `odd` one of them has the wrong type."""
    names = chance.sample(sorted(values), chance.randint(1, min(3, len(values))))
    found = {name: chance.choice(values[name]) for name in names}
    if chance.random() < odd:
        found[chance.choice(names)] = chance.choice(_ODD)
    return found


_CUSTOMER: Final[dict[str, tuple[Any, ...]]] = {
    "name": _NAMES, "email": _EMAILS, "phone": _PHONES, "metadata": _METADATA, "notes": _NAMES,
    "segment": ("lead", "vip", "gold"), "pipeline_stage": ("converted", "nowhere"), "source": ("web", "x" * 41),
}  # fmt: skip


def _create_customer(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    contact = {"email": chance.choice(_EMAILS)} if chance.random() < 0.5 else {}
    return "post", "customers", {"name": "A", **contact, **_some(chance, _CUSTOMER, odd=0.2)}


def _patch_customer(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    return "patch", f"customers/{ids['customer']}", _some(chance, _CUSTOMER, odd=0.3)


def _list(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    common: dict[str, tuple[Any, ...]] = {
        "updated_since": _INSTANTS, "search": _SEARCHES, "per_page": ("1", "100", "101", "0", "９"),
        "page": ("1", "2", "999999999", "9" * 30), "ordering": ("updated_at", "-name", "nothing"),
    }  # fmt: skip
    path = chance.choice(("customers", "appointments", "calls", "staff", "services"))
    own: dict[str, dict[str, tuple[Any, ...]]] = {
        "customers": {"phone": _PHONES, "email": _EMAILS, "created_from": (*_DAYS, *_INSTANTS),
                      "segment": ("lead,vip", "vip,", "gold")},
        "appointments": {"date": _DAYS, "date_from": _DAYS, "status": ("scheduled", "gone"),
                         "staff_id": ("1" * 18, "0", "x", str(2**63))},
        "calls": {"phone": _PHONES, "min_duration": ("0", "60", "-1", str(2**31)), "date": _DAYS,
                  "customer_id": ("9" * 19, "-1")},
        "staff": {"is_active": ("true", "all", "maybe")},
        "services": {"is_active": ("false", "all", "")},
    }  # fmt: skip
    return "get", path, _some(chance, {**common, **own[path]}, odd=0)


def _book(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    values: dict[str, tuple[Any, ...]] = {
        "appointment_date": _DAYS, "appointment_time": ("10:00", "9:00", "09:3０", "25:00", "24:00"),
        "start_time": _INSTANTS, "notes": _NAMES, "metadata": _METADATA, "source": ("web", ""),
    }  # fmt: skip
    known = {f"{name}_id": ids[name] for name in ("customer", "service", "staff")}
    path = chance.choice(("appointments", "appointments/holds"))
    return "post", path, {**known, **_some(chance, values, odd=0.3)}


def _patch_appointment(
    chance: random.Random, ids: dict[str, int]
) -> tuple[str, str, dict[str, Any]]:
    values: dict[str, tuple[Any, ...]] = {
        "start_time": _INSTANTS, "appointment_date": _DAYS, "notes": _NAMES, "metadata": _METADATA,
        "status": ("scheduled", "completed", "no_show", "gone"), "cancellation_reason": _NAMES,
        "confirmation": ("none", "confirmed", "maybe"),
        "provider_call_id": ("call-1", "é" * 200, "x" * 201),
    }  # fmt: skip
    return "patch", f"appointments/{ids['appointment']}", _some(chance, values, odd=0.3)


def _slots(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    values: dict[str, tuple[Any, ...]] = {
        "date": _DAYS, "date_from": _DAYS, "date_to": _DAYS, "timezone": ("Europe/Paris", "localtime", "é"),
        "limit": ("1", "0", "9" * 20), "weekday": ("monday", "Montag"), "part_of_day": ("morning", "noon"),
        "staff_id": ("1" * 18, "0", str(2**63)),
    }  # fmt: skip
    sent = {"service_id": str(ids["service"]), **_some(chance, values, odd=0)}
    return "get", "appointments/slots", sent


def _webhook(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    values: dict[str, tuple[Any, ...]] = {
        "url": ("http://127.0.0.1/é", "http://127.0.0.1:0/", "http://127.0.0.1/" + "x" * 2100, "ftp://x"),
        "event_types": (["*"], ["missed_call"], ["nothing"], []), "description": _NAMES,
        "headers": ({"X-A": "b"}, {"Host": "x"}, {"é": "x"}, {"X-A": "\x07"}),
    }  # fmt: skip
    return "post", "webhooks", {"url": "http://127.0.0.1:9/", **_some(chance, values, odd=0.3)}


def _events(chance: random.Random, ids: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    values: dict[str, tuple[Any, ...]] = {
        "type": ("customer.created", "missed_call", "x"), "since": _INSTANTS, "per_page": ("1", "0"),
        "object_id": ("1" * 18, str(2**63), "x"), "cursor": ("x", "\x00", "é" * 50),
    }  # fmt: skip
    return "get", "events", _some(chance, values, odd=0)


_KINDS: Final = (
    _create_customer, _create_customer, _patch_customer, _list, _list, _list, _book, _patch_appointment, _slots,
    _webhook, _events,
)  # fmt: skip


def main() -> None:
    import django

    django.setup()
    import time_machine
    from django.db import connection
    from django.test.utils import setup_test_environment
    from rest_framework.test import APIClient

    from ratelimits.throttling import EnterpriseThrottle
    from tests import factories, migrated

    setup_test_environment()
    connection.creation.create_test_db(verbosity=0, keepdb=migrated.copy())
    migrated.share()
    EnterpriseThrottle.per_minute = EnterpriseThrottle.per_day = 10**6
    with time_machine.travel(NOW, tick=False), override_settings(TWO_FACTOR_REQUIRED=False):
        business = factories.make_business(name="Same", slug="same")
        client = APIClient(HTTP_X_API_KEY=factories.make_key(business))
        json.dump(outcomes(client, business), sys.stdout)


if __name__ == "__main__":
    main()
