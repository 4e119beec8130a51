"""`find_times`: which of many free times are offered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kaivox.businesses.models import Business
from staff.models import Closure
from tests import factories
from tests.agents.ways import Vapi

pytestmark = pytest.mark.django_db


@pytest.fixture
def find(clinic):
    line = Vapi(clinic.business, phone="+919876543210")

    def find_times(**arguments):
        result = line.call("find_times", **({"service": "Cleaning"} | arguments))
        assert result["status"] == "ok", result
        result["local"] = [one["start"][5:16] for one in result["times"]]
        return result

    return find_times


class TestChoices:
    def test_of_a_day_are_spread_over_it(self, find):
        result = find(day="tomorrow")
        assert result["local"] == [
            "06-03T09:00",
            "06-03T10:30",
            "06-03T11:45",
            "06-03T12:00",
            "06-03T14:15",
        ]
        assert result["say"] == (
            "On Wednesday, June 3 we have 9 AM, 10:30 AM or 12 PM. Which would you like?"
        )

    def test_of_a_range_are_on_different_days(self, find):
        days = {one[:5] for one in find(day="tomorrow", until="2026-06-08")["local"]}
        assert len(days) >= 3

    def test_soonest_begin_with_the_first(self, find):
        assert find()["local"][0] == "06-02T10:30"
        assert find(day="next")["local"] == find()["local"]

    def test_are_never_more_than_five(self, find):
        assert len(find(day="next week")["times"]) == 5

    def test_name_who_is_free(self, find, clinic):
        result = find(day="tomorrow", staff="priya")
        assert [one["name"] for one in result["times"][0]["staff"]] == ["Dr. Priya Sharma"]

    def test_are_local_and_utc(self, find):
        first = find(day="tomorrow")["times"][0]
        assert first["start"] == "2026-06-03T09:00:00+05:30"
        assert first["start_utc"] == "2026-06-03T03:30:00Z"
        assert first["spoken"] == "Wednesday, June 3 at 9 AM"

    def test_begin_now_where_the_range_has_begun(self, find):
        assert find(day="this week")["local"][0] == "06-02T10:30"


class TestPreferences:
    def test_part_of_the_day(self, find):
        assert all(
            one[6:] >= "12:00" for one in find(day="tomorrow", part_of_day="afternoon")["local"]
        )
        assert all(one[6:] < "12:00" for one in find(day="tomorrow morning")["local"])

    def test_other_parts_where_that_one_is_full(self, find):
        assert find(day="tomorrow", part_of_day="evening")["times"]

    def test_a_time_that_is_free(self, find):
        result = find(day="tomorrow", time="3 pm")
        assert result["local"] == ["06-03T15:00"]
        assert result["say"] == "Yes, Wednesday, June 3 at 3 PM is free. Shall I book it?"

    def test_a_time_that_is_not_gets_the_nearest(self, find, clinic):
        for person in (clinic.anil, clinic.priya):
            factories.make_appointment(
                service=clinic.cleaning,
                staff=person,
                start_time=datetime(2026, 6, 3, 9, 30, tzinfo=UTC),
            )
        result = find(day="tomorrow", time="15:00")
        assert result["local"] == ["06-03T14:15", "06-03T14:30", "06-03T15:30"]
        assert "June 3 at 3 PM is not free" in result["say"]

    def test_a_time_on_each_day_of_a_range(self, find):
        result = find(day="tomorrow", until="2026-06-05", time="11:00")
        assert result["local"] == ["06-03T11:00", "06-04T11:00", "06-05T11:00"]


class TestNothing:
    @pytest.fixture(autouse=True)
    def closed(self, clinic):
        Closure.objects.create(
            business=clinic.business,
            first_date=(datetime(2026, 6, 3, tzinfo=UTC)).date(),
            last_date=(datetime(2026, 6, 3, tzinfo=UTC) + timedelta(days=11)).date(),
            reason="Holiday",
        )

    def test_free_on_a_day_names_the_next(self, find):
        result = find(day="tomorrow")
        assert result["times"] == []
        assert result["next_available"]["start"] == "2026-06-15T09:00:00+05:30"
        assert result["say"].startswith("There is nothing free on Wednesday, June 3.")

    def test_free_in_a_range_names_the_next(self, find):
        assert find(day="next week")["say"] == (
            "We have Monday, June 15 at 9 AM. Which would you like?"
        )

    def test_free_at_all_offers_to_take_a_message(self, find, clinic):
        clinic.business.horizon_days = 5
        clinic.business.save()
        result = find(day="tomorrow")
        assert "next_available" not in result
        assert "May I take a message" in result["say"]


class TestBusinessInfo:
    def test_hours_and_services(self, clinic):
        result = Vapi(clinic.business).call("business_info")
        assert result["open_today"] == [{"start": "09:00", "end": "17:00"}]
        assert result["services"][0]["name"] == "Cleaning"
        assert result["say"] == (
            "Smile Dental is open today from 9 AM to 5 PM. "
            "We offer Cleaning, Deep Cleaning and Root Canal, and more."
        )

    def test_one_service(self, clinic):
        result = Vapi(clinic.business).call("business_info", service="root canal")
        assert result["say"] == "Root Canal takes 60 minutes and costs 1,200 rupees."

    def test_a_closed_day(self, clinic):
        day = datetime(2026, 6, 2, tzinfo=UTC).date()
        Closure.objects.create(
            business=clinic.business, first_date=day, last_date=day, reason="Holiday"
        )
        result = Vapi(clinic.business).call("business_info")
        assert result["open_today"] == []
        assert "is closed today" in result["say"]


class TestSkipped:
    """Clocks in New York skip 02:00 to 03:00 on Sunday, 14 March 2027."""

    @pytest.fixture
    def line(self, clinic, clock):
        clock.move_to(datetime(2027, 3, 12, 15, 0, tzinfo=UTC))
        Business.objects.update(timezone="America/New_York")
        clinic.anil.working_hours.update(start_minute=0, end_minute=1440)
        return Vapi(clinic.business, phone="+919876543210")

    @pytest.mark.parametrize("tool", ("hold_time", "book", "reschedule"))
    def test_are_refused_with_the_nearest_ones(self, line, tool):
        asked = {"service": "Cleaning", "start": "2027-03-14 02:30", "name": "Asha Rao"}
        if tool == "reschedule":
            line.call("book", **asked | {"start": "2027-03-14 12:00", "staff": "Anil"})
        wanted = {"start": asked["start"]} if tool == "reschedule" else asked
        result = line.call(tool, **wanted)
        assert result["status"] == "nonexistent_local_time"
        local = [one["start"][5:16] for one in result["alternatives"]]
        assert local == ["03-14T01:45", "03-14T03:00", "03-14T03:15"]
        assert result["say"] == (
            "The clocks change then, so that time does not exist. We have 1:45 AM, 3 AM or 3:15 AM. "
            "Would one of these work?"
        )

    def test_are_refused_with_a_question_where_nothing_is_free(self, line, clinic):
        clinic.anil.working_hours.all().delete()
        clinic.priya.working_hours.all().delete()
        result = line.call("hold_time", service="Cleaning", start="2027-03-14 02:30")
        assert (result["status"], result["alternatives"]) == ("nonexistent_local_time", [])
        assert result["say"].endswith("Which other time would you like?")
