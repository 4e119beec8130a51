"""Books, moves, edits and cancels appointments at random: `python -m tests.sync_writers DATABASE
BUSINESS SECONDS`. Some of its transactions wait before they commit, as under load."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from datetime import timedelta

import django

THREADS = 3
MIN_CHANGES = 20  # of each thread, however slow the machine is


def main(database: str, business_id: int, seconds: float) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=write, args=(business_id, until, seed)) for seed in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def write(business_id: int, until: float, seed: int) -> None:
    from kaivox.businesses.models import Business

    chance = random.Random(seed)
    business = Business.objects.get(pk=business_id)
    changes = 0
    while time.monotonic() < until or changes < MIN_CHANGES:
        change(business, chance)
        changes += 1


def change(business, chance: random.Random) -> None:
    """One change, in a transaction that may stay open for a while after it has written."""
    from kaivox.db.transactions import write_transaction
    from kaivox.errors import DomainError

    act = chance.choice((book, book, move, edit, cancel))
    try:
        with write_transaction():
            act(business, chance)
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.1)
    except DomainError:
        pass  # the slot is busy or the status final: try another


def book(business, chance: random.Random) -> None:
    from appointments import operations
    from customers.models import Customer
    from services.models import Service

    operations.book_appointment(
        business=business,
        customer=Customer.objects.filter(business=business).order_by("?").first(),
        service=Service.objects.get(business=business),
        start=some_start(chance),
        now=now(),
    )


def move(business, chance: random.Random) -> None:
    from appointments import operations

    operations.reschedule_appointment(
        business=business, appointment_id=any_id(business), start=some_start(chance), now=now()
    )


def edit(business, chance: random.Random) -> None:
    from appointments import operations

    operations.update_appointment(
        business=business,
        appointment_id=any_id(business),
        changes={"notes": str(chance.random())},
        expected=None,
        now=now(),
    )


def cancel(business, chance: random.Random) -> None:
    from appointments import operations

    operations.cancel_appointment(
        business=business, appointment_id=any_id(business), reason="", expected=None, now=now()
    )


def any_id(business) -> int:
    from appointments.models import Appointment

    return (
        Appointment.objects.filter(business=business)
        .order_by("?")
        .values_list("pk", flat=True)
        .first()
    ) or 0


def some_start(chance: random.Random):
    day = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    return day + timedelta(minutes=15 * chance.randrange(4 * 24 * 60))


def now():
    from django.utils import timezone

    return timezone.now()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
