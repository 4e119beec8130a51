"""Start message of `manage.py up`: URLs, API keys, and a curl command that books an appointment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.conf import settings

from appointments.slots import find_slots
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.demo.catalogue import SMILE_DENTAL, STUDIO_NINE
from kaivox.embedded.first_start import ADMINISTRATOR
from services.models import Service


def text(keys: Mapping[str, str], password: str | None, *, now: datetime) -> str:
    """The message; lines about demo businesses that were deleted are omitted."""
    url = settings.PUBLIC_URL
    lines = ["", "KaiVox is running.  Ctrl-C stops it.", ""]
    lines.append(f"  Developers   {url}/")
    lines.append(f"  Admin        {url}/admin/   {_login(password)}")
    for label, demo in (("Starter key", SMILE_DENTAL), ("Pro key", STUDIO_NINE)):
        if demo.slug in keys:
            name = demo.settings["name"]
            lines.append(f"  {label:<12} {keys[demo.slug]}   ({name})")
    booking = first_booking(keys, now=now)
    if booking:
        lines += ["", "Book an appointment:", "", booking]
    return "\n".join([*lines, ""])


def first_booking(keys: Mapping[str, str], *, now: datetime) -> str | None:
    """A complete curl command that books the first available slot from tomorrow on; None where the demo
    was deleted."""
    business = Business.objects.filter(slug=SMILE_DENTAL.slug).first()
    if business is None or business.slug not in keys:
        return None
    customer = Customer.objects.for_business(business).order_by("id").first()
    service = Service.objects.for_business(business).active().order_by("id").first()
    start = _free_time(business, service, now) if service else None
    if customer is None or service is None or start is None:
        return None
    body = {"customer_id": customer.pk, "service_id": service.pk, "start_time": start}
    return (
        f"  curl -X POST {settings.PUBLIC_URL}/api/v1/appointments \\\n"
        f'    -H "X-API-Key: {keys[business.slug]}" \\\n'
        f'    -H "Content-Type: application/json" \\\n'
        f"    -d '{json.dumps(body)}'"
    )


def _login(password: str | None) -> str:
    if password is None:
        return "(forgot the password? python manage.py changepassword admin)"
    return f"user {ADMINISTRATOR}, password {password}   (shown only once)"


def _free_time(business: Business, service: Service, now: datetime) -> str | None:
    tomorrow = now.astimezone(business.zone).date() + timedelta(days=1)
    offer = find_slots(
        business=business,
        service=service,
        staff=None,
        first=tomorrow,
        last=tomorrow,
        zone=business.zone,
        now=now,
    )
    slot = offer.slots[0] if offer.slots else offer.next_available
    if slot is None:
        return None
    return datetime.fromtimestamp(slot.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
