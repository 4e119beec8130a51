"""A program that uses every resource of the Python SDK against a running server."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from kaivox.events import AppointmentBookedEvent, CustomerCreatedEvent

from kaivox import AsyncKaiVox, KaiVox, errors


@contextmanager
def raised(kind: type[errors.APIError]) -> Iterator[list[errors.APIError]]:
    """Collects the error of this kind that the block has to raise."""
    caught: list[errors.APIError] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    assert caught, f"{kind.__name__} was not raised"


def book(kaivox: KaiVox) -> None:
    made = kaivox.customers.create(name="Asha Rao", phone="098765 43210", idempotency_key="C-1")
    assert made.phone == "+919876543210"
    again = kaivox.customers.create(name="Asha Rao", phone="098765 43210", idempotency_key="C-1")
    assert again.id == made.id
    assert again.response.is_replay
    with raised(errors.CustomerExists) as caught:
        kaivox.customers.create(name="Asha", phone="+919876543210")
    assert caught[0].meta["existing_id"] == made.id

    service = kaivox.services.list().first()
    slots = kaivox.slots.list(service_id=service.id, limit=3)
    slot = (slots or [slots.meta.next_available])[0]
    hold = kaivox.holds.create(service_id=service.id, start_time=slot.start_time)
    assert [one.id for one in kaivox.holds.list()] == [hold.id]
    booked = kaivox.appointments.create(
        customer_id=made.id, service_id=service.id, hold_id=hold.id, metadata={"number": "B-1"}
    )
    assert (booked.start_time, booked.status, booked.metadata) == (
        slot.start_time, "scheduled", {"number": "B-1"},
    )  # fmt: skip
    move(kaivox, booked, slot)


def move(kaivox: KaiVox, booked, slot) -> None:
    read = kaivox.appointments.get(booked.id)
    moved = kaivox.appointments.update(
        booked.id, start_time=slot.start_time + timedelta(hours=2), if_match=read.response.etag
    )
    assert moved.start_time == slot.start_time + timedelta(hours=2)
    with raised(errors.PreconditionFailed) as caught:
        kaivox.appointments.update(booked.id, notes="late", if_match=read.response.etag)
    assert caught[0].request_id
    with raised(errors.SlotUnavailable) as caught:
        kaivox.appointments.create(
            customer_id=booked.customer_id,
            service_id=booked.service_id,
            start_time=moved.start_time,
            staff_id=moved.staff_id,
        )
    assert caught[0].alternatives
    cancelled = kaivox.appointments.cancel(booked.id, reason="Test")
    assert (cancelled.status, cancelled.cancellation_reason) == ("cancelled", "Test")
    hold = kaivox.holds.create(service_id=booked.service_id, start_time=slot.start_time)
    assert kaivox.holds.delete(hold.id) is None


def read(kaivox: KaiVox) -> None:
    listed = list(kaivox.customers.list())
    assert len({one.id for one in listed}) == len(listed) > 100
    page = kaivox.customers.list(per_page=5).page()
    assert (len(page), page.total) == (5, len(listed))
    changes = kaivox.customers.sync()
    assert len(list(changes)) == len(listed)
    assert list(kaivox.customers.sync(changes.updated_since))
    business = kaivox.business.get()
    assert business.api_key.last_four
    assert kaivox.staff.list().first().working_hours
    assert kaivox.calls.list(sentiment="positive").first() is None
    assert len(kaivox.agents.list_tools(provider="openai")) > 3
    assert "appointment.booked" in {one.name for one in kaivox.webhooks.event_types()}
    csv = kaivox.request("GET", "/customers", params={"format": "csv"}).text
    assert len(csv.splitlines()) == len(listed) + 1


def receive(kaivox: KaiVox, url: str) -> None:
    endpoint = kaivox.webhooks.create(url=url, event_types=["appointment.booked"])
    assert endpoint.secret.startswith("whsec_")
    assert endpoint.secret not in repr(endpoint)
    delivery = kaivox.webhooks.test(endpoint.id, event_type="appointment.booked")
    assert kaivox.deliveries.get(delivery.id).event_type == "appointment.booked"
    assert [one.id for one in kaivox.webhooks.list_deliveries(endpoint.id)] == [delivery.id]
    assert kaivox.webhooks.rotate_secret(endpoint.id).secret != endpoint.secret
    kaivox.webhooks.delete(endpoint.id)
    events = list(kaivox.events.list(type=["appointment.booked", "customer.created"]))
    assert [one.type for one in events] == ["customer.created", "appointment.booked"]


def follow(kaivox: KaiVox) -> None:
    end = kaivox.events.end()
    made = kaivox.customers.create(name="Ravi", phone="+91 98765 43219")
    event, cursor = next(kaivox.events.follow(cursor=end))
    assert isinstance(event, CustomerCreatedEvent)
    assert event.data.id == made.id
    assert cursor != end
    first, _ = next(kaivox.events.follow(type="appointment.booked", cursor=""))
    assert isinstance(first, AppointmentBookedEvent)
    assert first.data.service


async def read_async() -> None:
    async with AsyncKaiVox() as kaivox:
        listed = [one.id async for one in kaivox.customers.list()]
        assert len(listed) > 100
        one, business = await asyncio.gather(kaivox.customers.get(listed[0]), kaivox.business.get())
        assert one.id == listed[0]
        assert business.livemode
        with raised(errors.NotFound) as caught:
            await kaivox.customers.get(999_999_999)
        assert caught[0].status == 404


with KaiVox() as client:
    book(client)
    receive(client, sys.argv[1])
    follow(client)
    read(client)
asyncio.run(read_async())
sys.stdout.write("used\n")
