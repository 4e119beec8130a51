"""Books the first free time of the first service for the first customer."""

from kaivox import KaiVox, errors

with KaiVox() as kaivox:
    service = kaivox.services.list().first()
    customer = kaivox.customers.list().first()
    assert service is not None
    assert customer is not None
    slots = kaivox.slots.list(service_id=service.id, limit=1)
    slot = slots[0] if slots else slots.meta.next_available
    assert slot is not None
    try:
        booked = kaivox.appointments.create(
            customer_id=customer.id, service_id=service.id, start_time=slot.start_time
        )
    except errors.SlotUnavailable as error:
        raise SystemExit(f"Not free any more. Instead: {error.alternatives}") from None
    print("booked:", booked.service, "with", booked.staff_name, "at", booked.start_time)
