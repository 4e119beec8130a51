"""The admin of resources: tables of hours and closures, with the rules of the API."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.test import Client

from appointments.resources.hours import MAX_CLOSURES, MAX_HOURS
from appointments.resources.models import Resource
from tests import factories
from webhooks.models import Event

pytestmark = pytest.mark.once_in_production

PAGE = "/admin/resources/resource"
HOURS = [{"weekday": 0, "start": "09:00", "end": "17:00"}]
REPAIR = {
    "start_time": "2026-03-02T03:30:00Z",
    "end_time": "2026-03-02T06:30:00Z",
    "reason": "Repair",
}
COLUMNS = {
    "hours": ("weekday", "start", "end"),
    "closures": ("start_time_0", "start_time_1", "end_time_0", "end_time_1", "reason"),
}
REPAIR_ROW = ("2026-03-02", "09:00", "2026-03-02", "12:00", "Repair")


def resource_form(business, hours=(), closures=(), **values) -> dict:
    form = {"business": business.pk, "name": "Table 4", "kind": "table", "capacity": 6}
    form |= {"is_active": "on", **values}
    for name, rows in (("hours", hours), ("closures", closures)):
        form |= {f"{name}-TOTAL_FORMS": len(rows), f"{name}-INITIAL_FORMS": 0}
        for number, row in enumerate(rows):
            named = zip(COLUMNS[name], row, strict=True)
            form |= {f"{name}-{number}-{column}": value for column, value in named}
    return form


@pytest.fixture
def owner(business) -> Client:
    client = Client()
    client.force_login(factories.make_user(business))
    return client


class TestResource:
    def test_is_created_with_hours_and_closures_in_local_time(self, owner, business):
        form = resource_form(
            business,
            hours=[(5, "20:00", "24:00"), ("", "", ""), (0, "9:00", "17:00")],
            closures=[REPAIR_ROW],
        )
        response = owner.post(f"{PAGE}/add/", form)
        assert response.status_code == 302, response.context["errors"]
        table = Resource.objects.get()
        assert (table.capacity, table.closures) == (6, [REPAIR])
        assert table.hours == [*HOURS, {"weekday": 5, "start": "20:00", "end": "24:00"}]

    def test_shows_what_is_stored_and_stores_what_it_shows(self, owner, business):
        table = factories.make_resource(business, hours=HOURS, closures=[REPAIR])
        before = table.updated_at
        page = owner.get(f"{PAGE}/{table.pk}/change/").content.decode()
        for value in ("09:00", "17:00", "2026-03-02", "09:00:00", "12:00:00", "Repair"):
            assert f'value="{value}"' in page
        assert "[{" not in page
        assert "weekday&#x27;" not in page
        form = resource_form(
            business, [(0, "09:00", "17:00")], [REPAIR_ROW], name=table.name, capacity=1
        )
        assert owner.post(f"{PAGE}/{table.pk}/change/", form).status_code == 302
        table.refresh_from_db()
        assert (table.hours, table.closures, table.updated_at) == (HOURS, [REPAIR], before)

    def test_loses_the_rows_that_are_removed(self, owner, business):
        table = factories.make_resource(business, hours=HOURS, closures=[REPAIR])
        form = resource_form(business, hours=[("", "", "")])
        assert owner.post(f"{PAGE}/{table.pk}/change/", form).status_code == 302
        table.refresh_from_db()
        assert (table.hours, table.closures) == ([], [])

    def test_takes_as_many_rows_as_the_api(self, owner, business):
        hours = [
            (day, f"{hour:02}:{part * 10:02}", f"{hour:02}:{part * 10 + 5:02}")
            for day in range(5) for hour in range(8, 18) for part in range(2)
        ]  # fmt: skip
        days = [str(date(2027, 1, 1) + timedelta(days=number)) for number in range(MAX_CLOSURES)]
        closures = [(day, "09:00", day, "10:00", "Cleaning") for day in days]
        response = owner.post(f"{PAGE}/add/", resource_form(business, hours, closures))
        assert response.status_code == 302
        table = Resource.objects.get()
        assert (len(table.hours), len(table.closures)) == (MAX_HOURS, MAX_CLOSURES)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        (
            ("kind", "Big table", "Use small letters"),
            ("capacity", 0, "greater than or equal to 1"),
            ("hours", [(7, "09:00", "17:00")], "Select a valid choice"),
            ("hours", [(0, "09:00", "24:30")], "from 00:00 to 24:00"),
            ("hours", [(0, "", "17:00")], "This field is required"),
            ("hours", [(0, "17:00", "09:00")], "Hours end after they start."),
            ("hours", [(0, "09:00", "17:00"), (0, "16:00", "18:00")], "overlap"),
            ("hours", [(0, "09:00", "10:00")] * (MAX_HOURS + 1), "at most 100"),
            ("closures", [("x", "09:00", "2026-03-02", "12:00", "")], "Enter a valid date"),
            ("closures", [("2026-03-02", "09:00", "2026-03-02", "09:00", "")], "ends after it starts"),
        ),
    )  # fmt: skip
    def test_shows_bad_values_in_the_form(self, owner, business, field, value, words):
        response = owner.post(f"{PAGE}/add/", resource_form(business, **{field: value}))
        assert response.status_code == 200
        assert list(response.context["adminform"].form.errors) == [field]
        assert words in response.content.decode()
        assert not Resource.objects.exists()

    def test_is_text_for_those_who_may_not_change_it(self, business):
        table = factories.make_resource(business, hours=HOURS, closures=[REPAIR])
        analyst = Client()
        analyst.force_login(factories.make_user(business, role="analyst"))
        page = analyst.get(f"{PAGE}/{table.pk}/change/").content.decode()
        assert "Monday 09:00–17:00" in page
        assert "Mon 2 Mar 2026, 09:00 IST – Mon 2 Mar 2026, 12:00 IST Repair" in page
        assert "weekday" not in page

    def test_is_removed_by_the_operation(self, owner, business):
        first, second = (factories.make_resource(business) for _ in range(2))
        owner.post(f"{PAGE}/{first.pk}/delete/", {"post": "yes"})
        chosen = {"action": "delete_selected", "_selected_action": [second.pk], "post": "yes"}
        owner.post(f"{PAGE}/", chosen)
        assert not Resource.objects.exists()
        assert list(Event.objects.values_list("type", flat=True)) == ["resource.removed"] * 2
