"""Callers who come with others: a table at the demo's restaurant, seats of a class."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from appointments.models import Hold
from appointments.resources.models import Resource
from appointments.waitlist.models import WaitlistEntry
from kaivox.demo.catalogue import CASA_VERDE
from kaivox.demo.seed import seed_business
from tests import factories
from tests.agents.caller import Caller, booked
from tests.agents.ways import NOW, Bland, Vapi

pytestmark = pytest.mark.django_db


@pytest.fixture
def casa_verde(clock):
    """The demo's restaurant; one table takes six."""
    return seed_business(CASA_VERDE, now=NOW)


def tables_of(appointment) -> list[int]:
    return list(
        Resource.objects.filter(pk__in=appointment.resource_ids).values_list("capacity", flat=True)
    )


class TestTable:
    @pytest.mark.parametrize(
        ("way", "language", "said"),
        ((Vapi, "", "Table, 6 people, on"), (Bland, "es", "Table para 6 personas:")),
    )
    def test_for_six(self, casa_verde, way, language, said):
        caller = Caller(way, SimpleNamespace(business=casa_verde), language=language)
        found = caller.ok("find_times", service="a table", day="tomorrow", party_size=6)["times"]
        done = caller.ok(
            "book", service="Table", start=found[0]["start"], party_size="6", name="Nora Gil"
        )
        [appointment] = booked(customer__name="Nora Gil")
        assert (appointment.party_size, tables_of(appointment)) == (6, [6])
        assert done["appointment"]["party_size"] == 6
        assert said in done["say"]

    def test_that_is_the_only_one_as_large(self, casa_verde):
        caller, other = (Caller(Vapi, SimpleNamespace(business=casa_verde)) for _ in range(2))
        asked = {"service": "Table", "party_size": 6}
        start = caller.ok("find_times", day="tomorrow", **asked)["times"][0]["start"]
        held = caller.ok("hold_time", start=start, **asked)
        assert held["party_size"] == Hold.objects.get().party_size == 6
        refused = other.fails("slot_unavailable", "book", start=start, name="Ana Gil", **asked)
        later = refused["alternatives"][0]["start"]
        assert start not in [one["start"] for one in refused["alternatives"]]
        other.ok("book", start=later, name="Ana Gil", **asked)
        # The hold is for six.
        caller.ok("book", hold_id=held["hold_id"], name="Nora Gil")
        assert {
            one.party_size for one in booked(customer__name__endswith=" Gil", source="voice")
        } == {6}

    def test_for_more_than_any_takes(self, casa_verde):
        caller = Caller(Vapi, SimpleNamespace(business=casa_verde))
        asked = {"service": "Table", "party_size": 7}
        for tool, more in (
            ("find_times", {"day": "tomorrow"}),
            ("hold_time", {"start": "tomorrow 14:00"}),
            ("book", {"start": "tomorrow 14:00", "name": "Nora Gil"}),
            ("join_waitlist", {"day": "tomorrow", "name": "Nora Gil"}),
        ):
            refused = caller.fails("party_too_large", tool, **asked, **more)
            assert refused["say"] == (
                "We cannot take 7 people together for Table. Would a smaller group work?"
            )
        assert not WaitlistEntry.objects.filter(party_size=7).exists()

    def test_that_is_out_of_use(self, caller, clinic):
        clinic.cleaning.resource_kinds = ["chair"]
        clinic.cleaning.save()
        refused = caller.fails("party_too_large", "find_times", service="Cleaning")
        assert refused["say"].startswith("There is nothing free for Cleaning")


class TestClass:
    @pytest.fixture
    def yoga(self, clinic):
        clinic.yoga = factories.make_service(clinic.business, name="Yoga", capacity=4)
        clinic.anil.services.add(clinic.yoga)
        return clinic

    def test_has_seats_for_the_party(self, caller, yoga):
        asked = {"service": "Yoga", "start": "tomorrow 10:00", "name": "Asha"}
        caller.ok("book", party_size=3, **asked)
        refused = caller.fails("slot_unavailable", "book", party_size=2, **asked)
        assert all("T10:00" not in one["start"] for one in refused["alternatives"])
        caller.ok("book", **asked)
        assert [one.party_size for one in booked(service=yoga.yoga)] == [3, 1]

    def test_may_grow(self, caller, yoga):
        caller.ok("book", service="Yoga", start="tomorrow 10:00", name="Asha", party_size=2)
        grown = caller.ok("reschedule", party_size=4)
        assert "now for a party of 4" in grown["say"]
        caller.fails("party_too_large", "reschedule", party_size=5)
        caller.ok("reschedule", start="tomorrow 11:00")
        [appointment] = booked()
        assert (appointment.party_size, appointment.start_time.hour) == (4, 5)

    def test_grows_again_after_it_has_shrunk(self, yoga):
        caller = Caller(Vapi, yoga)
        caller.ok("book", service="Yoga", start="tomorrow 10:00", name="Asha", party_size=2)
        # A call without an id of its own is known by its arguments.
        for size in (4, 3, 4):
            caller.line.send("reschedule", {"party_size": size}, "")
            assert booked()[0].party_size == size

    def test_offers_other_times_to_a_party_that_moves(self, caller, yoga):
        factories.make_appointment(
            service=yoga.yoga,
            staff=yoga.anil,
            start_time=datetime(2026, 6, 3, 5, 30, tzinfo=UTC),
            party_size=2,
            is_shared=True,
        )
        caller.ok("book", service="Yoga", start="tomorrow 10:00", name="Asha", party_size=3)
        refused = caller.fails("slot_unavailable", "reschedule", start="tomorrow 11:00")
        assert all("T11:00" not in one["start"] for one in refused["alternatives"])

    def test_may_be_waited_for(self, caller, yoga):
        caller.ok("join_waitlist", service="Yoga", day="tomorrow", name="Asha", party_size=4)
        assert WaitlistEntry.objects.get().party_size == 4

    @pytest.mark.parametrize("people", ("0", "lots", "501", "-2"))
    def test_asks_again_for_a_number_that_is_none(self, caller, yoga, people):
        asked = caller.fails("invalid_arguments", "find_times", service="Yoga", party_size=people)
        assert "how many people" in asked["say"]
