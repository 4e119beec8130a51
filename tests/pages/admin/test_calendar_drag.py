"""Appointments are moved in the calendar by dragging them, with a mouse and with a finger; those without
staff too."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from appointments.models import Appointment
from appointments.operations import book_appointment, cancel_appointment
from tests import factories
from tests.pages.conftest import follow
from webhooks.models import Event

pytestmark = [pytest.mark.browser, pytest.mark.once]


@pytest.fixture
def booked(business):
    """Next Tuesday at 10:00 and 12:00 with Dr. Nair; Priya offers the service too."""
    service = factories.make_service(business, name="Cleaning")
    person = factories.make_staff(business, services=[service], name="Dr. Nair")
    factories.make_staff(business, services=[service], name="Priya")
    factories.make_endpoint(business)
    now = timezone.now().astimezone(business.zone)
    tuesday = now + timedelta(days=(1 - now.weekday()) % 7 + 7)
    return [
        book_appointment(
            business=business,
            customer=factories.make_customer(business, name=name),
            service=service,
            staff=person,
            start=tuesday.replace(hour=hour, minute=0, second=0, microsecond=0),
            now=now,
        )
        for name, hour in (("Asha Rao", 10), ("Usha Iyer", 12))
    ]


@pytest.fixture
def arrive(visit, business, booked):
    def open_calendar(query: str = "", **settings):
        visitor = visit(**settings)
        visitor.log_in(factories.make_user(business, role="staff", username="meera"))
        day = booked[0].start_time.astimezone(business.zone).date()
        page = visitor.open(f"/admin/calendar/?{query or 'week'}={day}")
        return page, day

    return open_calendar


@pytest.fixture
def tables(booked):
    """A table for two and one for six, from 10:00 to 15:00; the business has staff as well."""
    business = booked[0].business
    hours = [{"weekday": day, "start": "10:00", "end": "15:00"} for day in range(7)]
    return {
        seats: factories.make_resource(business, name=f"Table {seats}", capacity=seats, hours=hours)
        for seats in (2, 6)
    }


@pytest.fixture
def parties(booked, tables):
    """Tables on the same Tuesday: for six at 10:00 and at 12:00, and for two at 12:00."""
    business, start = booked[0].business, booked[0].start_time
    service = factories.make_service(
        business, name="Table", needs_staff=False, resource_kinds=["table"]
    )
    return [
        book_appointment(
            business=business,
            customer=factories.make_customer(business, name=name),
            service=service,
            staff=None,
            start=start + timedelta(hours=hours),
            party_size=people,
            now=timezone.now(),
        )
        for name, hours, people in (("Nora Gil", 0, 6), ("Luis Vega", 2, 5), ("Ana Paz", 2, 2))
    ]


def middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def column(page, name: str, day):
    return page.get_by_role("region", name=f"{name}, {day:%A} {day.day} {day:%B}")


def drag(page, block, target, minutes: int = 0) -> None:
    """Drags `block`, which is at 10:00, sideways to `target` and down by `minutes`."""
    x, y = middle(block)
    later = page.get_by_role("link", name=re.compile("12:00 Usha Iyer"))
    hour = (middle(later)[1] - y) / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(middle(target)[0], y + hour * minutes / 60, steps=4)
    page.mouse.up()


def where(appointment) -> tuple[str, str]:
    row = Appointment.objects.select_related("staff", "business").get(pk=appointment.pk)
    name = row.staff.name if row.staff else ""
    return f"{row.start_time.astimezone(row.business.zone):%a %H:%M}", name


def test_a_mouse_moves_one_to_another_day_and_back_to_the_calendar(arrive, booked):
    page, day = arrive()
    block = page.get_by_role("link", name=re.compile("10:00 Asha Rao"))
    drag(page, block, column(page, "Everyone", day + timedelta(days=1)), minutes=90)
    dialog = page.get_by_role("dialog", name="Move this appointment?")
    assert dialog.get_by_text(re.compile("Asha Rao: Wed .*, 11:30 with Dr. Nair")).is_visible()
    dialog.get_by_role("button", name="Keep the present time").click()
    assert where(booked[0]) == ("Tue 10:00", "Dr. Nair")
    drag(page, block, column(page, "Everyone", day + timedelta(days=1)), minutes=90)
    follow(dialog.get_by_role("button", name="Move"))
    assert "/admin/calendar/" in page.url
    assert page.get_by_text(re.compile("Moved to Wed .*, 11:30")).is_visible()
    assert where(booked[0]) == ("Wed 11:30", "Dr. Nair")
    assert Event.objects.filter(type="appointment.rescheduled").count() == 1
    follow(page.get_by_role("link", name=re.compile("11:30 Asha Rao")))
    follow(page.get_by_role("link", name="History"))
    assert page.get_by_role("cell", name="Move.").is_visible()


def test_a_refusal_says_why_and_offers_times(arrive, booked):
    page, day = arrive("day")
    block = page.get_by_role("link", name=re.compile("10:00 Asha Rao"))
    drag(page, block, column(page, "Dr. Nair", day), minutes=120)
    follow(page.get_by_role("button", name="Move"))
    assert page.get_by_text("is not free").is_visible()
    page.get_by_role("group", name="Free times").get_by_role("button", name="14:30").click()
    follow(page.get_by_role("button", name="Move"))
    assert "/admin/calendar/" in page.url
    assert where(booked[0]) == ("Tue 14:30", "Dr. Nair")


def test_a_finger_holds_then_drags_to_another_person(arrive, booked):
    page, day = arrive("day", has_touch=True)
    touch = page.context.new_cdp_session(page)
    x, y = middle(page.get_by_role("link", name=re.compile("12:00 Usha Iyer")))
    to = middle(column(page, "Priya", day))[0]

    def send(kind: str, *points: float) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": points[0], "y": y}] if points else []},
        )

    dialog = page.get_by_role("dialog", name="Move this appointment?")
    # Without the hold it scrolls.
    for kind, *points in (("touchStart", x), ("touchMove", to), ("touchEnd",)):
        send(kind, *points)
    assert not dialog.is_visible()
    send("touchStart", x)
    page.wait_for_selector(".kx-ghost")
    send("touchMove", to)
    send("touchEnd")
    follow(dialog.get_by_role("button", name="Move"))
    assert where(booked[1]) == ("Tue 12:00", "Priya")


class TestWithoutStaff:
    @pytest.fixture
    def table(self, parties, arrive):
        page, day = arrive("day")
        return page, page.get_by_role("link", name=re.compile("10:00 Nora Gil")), day

    def move(self, page) -> None:
        follow(page.get_by_role("dialog").get_by_role("button", name="Move"))

    def test_a_table_moves_to_a_free_time_and_gets_no_staff(self, table, parties, tables):
        page, block, day = table
        # A column of a member of staff is the same day for it.
        drag(page, block, column(page, "Dr. Nair", day), minutes=60)
        dialog = page.get_by_role("dialog", name="Move this appointment?")
        assert dialog.get_by_text(re.compile(r"Nora Gil: Tue .*, 11:00\.$")).is_visible()
        self.move(page)
        assert page.get_by_text(re.compile(r"Moved to Tue .*, 11:00 IST\.")).is_visible()
        assert where(parties[0]) == ("Tue 11:00", "")
        moved = Appointment.objects.get(pk=parties[0].pk)
        assert (moved.party_size, moved.resource_ids) == (6, [tables[6].pk])
        assert Event.objects.filter(type="appointment.rescheduled").count() == 1

    def test_where_all_tables_are_reserved_it_is_refused_and_times_are_offered(
        self, table, parties
    ):
        page, block, day = table
        drag(page, block, column(page, "Without staff", day), minutes=120)
        self.move(page)
        assert page.get_by_text("is not free").is_visible()
        assert where(parties[0]) == ("Tue 10:00", "")
        offered = page.get_by_role("group", name="Free times")
        offered.get_by_role("button", name="12:30").click()
        assert not offered.get_by_role("button", name="12:00").is_visible()
        follow(page.get_by_role("button", name="Move"))
        assert "/admin/calendar/" in page.url
        assert where(parties[0]) == ("Tue 12:30", "")

    def test_times_offered_are_of_tables_that_take_the_party(self, table, parties):
        page, block, day = table
        cancel_appointment(
            business=parties[2].business, appointment_id=parties[2].pk, now=timezone.now()
        )
        drag(page, block, column(page, "Without staff", day), minutes=120)
        self.move(page)
        # The table for two is free at 12:00, but these are six.
        offered = page.get_by_role("group", name="Free times")
        offered.get_by_role("button", name="12:30").wait_for()
        assert not offered.get_by_role("button", name="12:00").is_visible()
        page.get_by_label("Party size").fill("2")
        page.get_by_label("Party size").blur()
        offered.get_by_role("button", name="12:00").wait_for()

    def test_in_the_week_it_moves_to_another_day(self, parties, arrive):
        page, day = arrive()
        block = page.get_by_role("link", name=re.compile("10:00 Nora Gil"))
        drag(page, block, column(page, "Everyone", day + timedelta(days=1)))
        self.move(page)
        assert where(parties[0]) == ("Wed 10:00", "")
