"""One person, written into every table that can hold text about a caller."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from django.contrib.admin.models import CHANGE, LogEntry
from django.utils import timezone

from calls import ingestion
from calls.providers.incoming import Incoming
from calls.tool_calls import record_tool_call
from customers.models import Customer
from kaivox.request_log.recording import flush
from tests import factories
from webhooks.models import Attempt, Delivery


@dataclass(frozen=True)
class Identity:
    name: str
    phone: str
    email: str

    @property
    def said(self) -> str:
        return f"{self.name}, {self.phone}, {self.email}"


FORMER = Identity("Zéphyrine Mössbrook", "+917391846209", "zephyrine.m@example.com")
CURRENT = Identity("Quillon Ashgrove", "+919812345670", "quillon@ashgrove.example")

BUSINESS_NUMBER = "+918012345678"

# Each occurs in one text that is stored about the person.
MARKS = (
    "markcustomernotes", "markcustomermetadata", "markappointmentnotes", "markappointmentreason",
    "markappointmentmetadata", "markcallsummary", "marktranscript", "markrecording", "markoutbound",
    "markunreadable", "marktoolargument", "marktoolresult", "marktoolbyname", "marklogentry",
)  # fmt: skip
# In copies of what an export has already, and in the log of requests, which is kept for days.
COPIES = ("markreceiver", "markidempotent", "markrequestbody")


def plant(client, business, customer, who):
    """Writes `who` into every table, as `customer`, or as a new one where that is None."""
    if customer is None:
        body = {
            "name": who.name, "phone": who.phone, "email": who.email,
            "notes": f"markcustomernotes {who.said}", "metadata": {"nick": f"markcustomermetadata {who.name}"},
        }  # fmt: skip
        response = client.post(
            "/api/v1/customers", body, headers={"Idempotency-Key": f"customer {who.email}"}
        )
        customer = Customer.objects.get(pk=response.json()["data"]["id"])
    plant_appointment(client, business, customer, who)
    plant_calls(business, customer, who)
    plant_tool_calls(business, customer, who)
    plant_requests(client, who)
    user = factories.make_user(business)
    LogEntry.objects.log_actions(
        user.pk, [customer], CHANGE, f"marklogentry {who.said}", single_object=True
    )
    for delivery in Delivery.objects.filter(attempts=None):
        Attempt.objects.create(
            business=business, endpoint=delivery.endpoint, delivery=delivery, number=1, trigger="auto",
            url="https://receiver.example/", request_headers={}, started_at=timezone.now(),
            response_body=f"markreceiver {who.said}".encode(),
        )  # fmt: skip
    return customer


def plant_appointment(client, business, customer, who):
    service = factories.make_service(business)
    start = timezone.now() + timedelta(days=2)
    staff = factories.make_staff(business, services=[service], hours=["00:00-24:00"])
    body = {
        "customer_id": customer.pk, "service_id": service.pk, "staff_id": staff.pk,
        "start_time": start.replace(minute=0, second=0, microsecond=0).isoformat(),
        "notes": f"markappointmentnotes markidempotent {who.said}",
        "metadata": {"note": f"markappointmentmetadata {who.said}"},
    }  # fmt: skip
    response = client.post(
        "/api/v1/appointments", body, headers={"Idempotency-Key": f"booking-{who.phone}"}
    )
    assert response.status_code == 201, response.json()
    reason = f"markappointmentreason {who.said}"
    url = f"/api/v1/appointments/{response.json()['data']['id']}"
    assert client.delete(url, {"reason": reason}).status_code == 200


def plant_calls(business, customer, who):
    national = who.phone[3:]
    said = f"marktranscript {who.said}, or 0{national[:5]}-{national[5:]}"
    inbound = {
        "call_id": f"in-{customer.pk}-{national[0]}", "status": "completed", "from_number": who.phone,
        "summary": f"markcallsummary {who.said}", "sentiment": "positive",
        "recording_url": f"https://rec.example/markrecording/{quote(who.name)}.mp3",
        "transcript": [{"speaker": "caller", "text": said}],
    }  # fmt: skip
    outbound = {
        **inbound, "call_id": f"out-{customer.pk}-{national[0]}", "direction": "outbound",
        "from_number": BUSINESS_NUMBER, "to_number": who.phone, "summary": f"markoutbound {who.name}",
    }  # fmt: skip
    unreadable = {
        "message": {"type": "end-of-call-report", "caller": f"0{national[:5]} {national[5:]}"},
        "text": f"markunreadable {who.said}",
    }
    for provider, payload in (("kaivox", inbound), ("kaivox", outbound), ("vapi", unreadable)):
        ingestion.receive(
            slug=business.slug,
            provider=provider,
            incoming=Incoming(json.dumps(payload).encode(), "application/json"),
            now=timezone.now(),
        )
    # A provider that reports the direction wrongly.
    factories.make_call(
        business, customer=customer, from_number=BUSINESS_NUMBER, to_number=who.phone
    )


def plant_requests(client, who):
    """In the log of requests: searched by name, by a number in place of an id, and in a rejected write, whose
    response repeats an unknown field."""
    found = client.get(
        "/api/v1/customers", {"search": who.name}, headers={"X-Request-ID": f"of-{who.phone[3:]}"}
    )
    assert found.status_code == 200
    assert client.get(f"/api/v1/customers/{who.phone[1:]}").status_code == 404
    body = {
        "name": who.name,
        "email": who.email,
        who.name: 1,
        "notes": f"markrequestbody {who.said}",
    }
    assert client.post("/api/v1/customers", body).status_code == 422
    flush()


def plant_tool_calls(business, customer, who):
    about = {"business": business, "source": "mcp", "tool": "find_caller", "duration_ms": 1, "status": "ok"}  # fmt: skip
    record_tool_call(
        **about,
        customer_id=customer.pk,
        arguments={"text": f"marktoolargument {who.said}"},
        result={"say": f"marktoolresult {who.said}"},
    )
    # Without any link: the name alone, and the number as it is dictated.
    record_tool_call(**about, arguments={"name": f"marktoolbyname {who.name.upper()}"}, result={})
    national = who.phone[3:]
    record_tool_call(
        **about, arguments={"phone": " ".join((national[:5], national[5:]))}, result={}
    )
