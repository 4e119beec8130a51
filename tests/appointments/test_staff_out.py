"""Staff out: time off, and what becomes of the appointments in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from appointments.models import Appointment
from appointments.staff_out.operations import Action, Choice, take_staff_out
from kaivox.errors import DomainError, Invalid, NotFound
from staff.models import TimeOff
from tests import factories
from webhooks.models import Event

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)  # Monday, 08:00 in India
OUT = {"start": NOW - timedelta(hours=2), "end": NOW + timedelta(hours=12)}


@pytest.fixture(autouse=True)
def at():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def service(business):
    type(business).objects.update(minimum_notice_minutes=600)
    business.refresh_from_db()
    return factories.make_service(business, duration_minutes=60)


def person(business, *services, hours=("09:00-13:00",), **values):
    return factories.make_staff(business, services=services, hours=list(hours), **values)


def booked(service, staff, hour, *, days=0, **values):
    """From `hour` o'clock in India on."""
    start = NOW.replace(hour=0, minute=0) + timedelta(days=days, hours=hour - 5.5)
    return factories.make_appointment(service=service, staff=staff, start_time=start, **values)


def take_out(staff, **values):
    found = take_staff_out(
        business=staff.business, staff_id=staff.pk, now=NOW, **{**OUT, "reason": "Ill", **values}
    )
    return [
        (outcome.appointment.pk, outcome.action, outcome.appointment.staff_id) for outcome in found
    ]


class TestTakeStaffOut:
    def test_reassigns_what_colleagues_can_take_over(self, business, service):
        """Each to the free one with the fewest appointments, also within the minimum notice."""
        other = factories.make_service(business)
        ill, busy, free = (person(business, service) for _ in range(3))
        person(business, other)
        person(business, service, is_active=False)
        booked(service, busy, 12)
        first, second, third = (booked(service, ill, hour) for hour in (9, 10, 10.5 + 1))
        unrelated = [
            booked(service, ill, 9, days=1),
            booked(service, ill, 12.75, status="cancelled"),
        ]
        assert take_out(ill) == [
            (first.pk, "reassign", free.pk), (second.pk, "reassign", busy.pk), (third.pk, "reassign", free.pk),
        ]  # fmt: skip
        assert [(row.start_time, row.reason) for row in ill.time_off.all()] == [
            (OUT["start"], "Ill")
        ]
        kinds = list(Event.objects.order_by("pk").values_list("type", flat=True))
        assert kinds == ["staff.updated", *["appointment.rescheduled"] * 3]
        for before in unrelated:
            assert Appointment.objects.get(pk=before.pk).updated_at == before.updated_at

    def test_leaves_what_no_colleague_can_take_over(self, business, service):
        ill, colleague = person(business, service), person(business, service, hours=["09:00-10:00"])
        first, last = (booked(service, ill, hour) for hour in (9, 10))
        outcomes = take_staff_out(business=business, staff_id=ill.pk, now=NOW, **OUT)
        assert [(one.appointment, one.action) for one in outcomes] == [
            (first, Action.REASSIGN), (last, Action.LEAVE),
        ]  # fmt: skip
        assert outcomes[0].alternatives == ()
        slots = outcomes[1].alternatives
        assert len(slots) == 3
        # The next day at 09:00: with both, as the colleague is busy today and the other is out.
        assert datetime.fromtimestamp(slots[0].start, UTC) == NOW + timedelta(days=1, hours=1)
        assert {one.pk for one in slots[0].staff} == {ill.pk, colleague.pk}

    def test_proposes_times_that_can_all_be_booked(self, business, service):
        ill = person(business, service)
        left = [booked(service, ill, hour) for hour in (9, 10, 11, 12)]
        outcomes = take_staff_out(business=business, staff_id=ill.pk, dry_run=True, now=NOW, **OUT)
        choices = {
            outcome.appointment.pk: Choice(
                Action.MOVE,
                outcome.alternatives[0].staff[0],
                datetime.fromtimestamp(outcome.alternatives[0].start, UTC),
            )
            for outcome in outcomes
        }
        assert {action for _, action, _ in take_out(ill, choices=choices)} == {"move"}
        assert len(left) == len({choice.start for choice in choices.values()})

    def test_applies_choices(self, business, service):
        ill, colleague = person(business, service), person(business, service)
        ids = [booked(service, ill, hour).pk for hour in (9, 10, 11, 12)]
        choices = {
            ids[0]: Choice(Action.LEAVE),
            ids[1]: Choice(Action.CANCEL),
            ids[2]: Choice(Action.MOVE, start=NOW + timedelta(days=1, hours=1)),
            ids[3]: Choice(Action.REASSIGN, staff=colleague),
        }
        assert [action for _, action, _ in take_out(ill, choices=choices)] == [
            "leave", "cancel", "move", "reassign",
        ]  # fmt: skip
        kinds = sorted(Event.objects.values_list("type", flat=True))
        assert kinds == [
            "appointment.cancelled", "appointment.rescheduled", "appointment.rescheduled", "staff.updated",
        ]  # fmt: skip

    def test_changes_nothing_in_a_preview(self, business, service):
        ill, colleague = person(business, service), person(business, service)
        appointment = booked(service, ill, 9)
        expected = [(appointment.pk, "reassign", colleague.pk)]
        assert take_out(ill, dry_run=True) == expected
        assert not TimeOff.objects.exists()
        assert not Event.objects.exists()
        appointment.refresh_from_db()
        assert appointment.staff == ill
        assert take_out(ill) == expected

    def test_changes_nothing_where_a_choice_fails(self, business, service):
        ill, colleague = person(business, service), person(business, service)
        first, second = (booked(service, ill, hour) for hour in (9, 10))
        booked(service, colleague, 10)
        with pytest.raises(DomainError) as failure:
            take_out(ill, choices={second.pk: Choice(Action.REASSIGN, staff=colleague)})
        assert (failure.value.code, failure.value.meta["appointment_id"]) == (
            "slot_unavailable", second.pk,
        )  # fmt: skip
        assert not TimeOff.objects.exists()
        assert Appointment.objects.get(pk=first.pk).staff == ill

    @pytest.mark.parametrize("change", ({"end": NOW}, {"choices": {2**40: Choice(Action.LEAVE)}}))
    def test_refuses_what_it_cannot_mean(self, business, service, change):
        with pytest.raises(Invalid):
            take_out(person(business, service), **change)

    def test_is_bounded(self, business, service, monkeypatch):
        monkeypatch.setattr("appointments.staff_out.operations.MAX_APPOINTMENTS", 1)
        ill = person(business, service)
        for hour in (9, 10):
            booked(service, ill, hour)
        with pytest.raises(Invalid, match="more than 1 appointments"):
            take_out(ill)
        assert not TimeOff.objects.exists()

    def test_does_not_find_staff_of_another_business(self, business, other_business):
        theirs = person(other_business)
        with pytest.raises(NotFound):
            take_staff_out(business=business, staff_id=theirs.pk, now=NOW, **OUT)


class TestApi:
    """POST /staff/{id}/out."""

    BODY = {"start_time": "2026-03-02T00:30:00Z", "end_time": "2026-03-02T14:30:00Z"}

    @pytest.fixture
    def ill(self, business, service):
        return person(business, service)

    @pytest.fixture
    def url(self, ill):
        return f"/api/v1/staff/{ill.pk}/out"

    def test_shows_then_applies(self, client, business, service, ill, url):
        colleague = person(business, service, name="Anil")
        first, last = booked(service, ill, 9), booked(service, ill, 10)
        booked(service, colleague, 10)
        preview = client.post(url, self.BODY | {"reason": "Ill", "dry_run": True}).json()["data"]
        assert not TimeOff.objects.exists()
        shown = [(one["appointment"]["id"], one["action"]) for one in preview["appointments"]]
        assert shown == [(first.pk, "reassign"), (last.pk, "leave")]
        slot = preview["appointments"][1]["alternatives"][0]
        assert preview["appointments"][0]["appointment"]["staff_name"] == "Anil"
        change = {"appointment_id": last.pk, "action": "move", "start_time": slot["start_time"]}
        applied = client.post(url, self.BODY | {"changes": [change]}).json()["data"]
        assert [one["action"] for one in applied["appointments"]] == ["reassign", "move"]
        assert applied["appointments"][1]["appointment"]["start_time"] == slot["start_time"]
        assert client.get(f"/api/v1/staff/{ill.pk}").json()["data"]["time_off"] == [
            self.BODY | {"reason": ""}
        ]

    def test_names_the_choice_that_fails(self, client, business, service, ill, url):
        colleague = person(business, service)
        appointment = booked(service, ill, 10)
        booked(service, colleague, 10)
        change = {"appointment_id": appointment.pk, "action": "reassign", "staff_id": colleague.pk}
        response = client.post(url, self.BODY | {"changes": [change]})
        assert (response.status_code, response.json()["code"]) == (409, "slot_unavailable")
        assert response.json()["meta"]["appointment_id"] == appointment.pk

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"end_time": "2026-03-02T00:30:00Z"}, "end_time"),
            ({"end_time": "2026-03-01T00:30:00Z"}, "end_time"),
            ({"start_time": "2026-03-03T00:30:00Z"}, "end_time"),
            ({"reason": "x" * 201}, "reason"),
            ({"changes": [{"appointment_id": 1, "action": "swap"}]}, "changes.0.action"),
            ({"changes": [{"appointment_id": 1, "action": "move"}]}, "changes.0.start_time"),
            ({"changes": [{"appointment_id": 1, "action": "cancel", "start_time": BODY["end_time"]}]},
             "changes.0.start_time"),
            ({"changes": [{"appointment_id": 1, "action": "reassign", "staff_id": 2**40}]},
             "changes.0.staff_id"),
            ({"changes": [{"appointment_id": 1, "action": "leave"}]}, "changes"),
            ({"changes": [{"appointment_id": 1, "action": "leave"}] * 2}, "changes"),
        ),
    )  # fmt: skip
    def test_rejects_bad_values_by_field(self, client, url, change, field):
        response = client.post(url, self.BODY | change)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
        assert not TimeOff.objects.exists()

    @pytest.mark.parametrize("missing", ("staff:write", "appointments:read", "appointments:write"))
    def test_needs_three_scopes(self, business, client_of, url, missing):
        scopes = {"staff:write", "appointments:read", "appointments:write"} - {missing}
        client = client_of(factories.make_key(business, scopes=sorted(scopes)))
        response = client.post(url, self.BODY)
        assert (response.status_code, response.json()["meta"]["required_scope"]) == (403, missing)
