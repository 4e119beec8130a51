"""The documented examples have the fields that receivers get."""

from __future__ import annotations

import pytest

from appointments.resources.serializers import ResourceSerializer
from appointments.serializers import AppointmentSerializer
from appointments.waitlist.serializers import WaitlistEntrySerializer
from calls.serializers import CallWithTranscript
from customers.serializers import CustomerSerializer
from services.serializers import ServiceSerializer
from staff.serializers import ClosureSerializer, StaffSerializer
from webhooks.event_types import EVENT_TYPES, normalise

SHOWN = {
    "appointment": AppointmentSerializer,
    "call": CallWithTranscript,
    "customer": CustomerSerializer,
    "service": ServiceSerializer,
    "resource": ResourceSerializer,
    "staff": StaffSerializer,
    "closure": ClosureSerializer,
    "waitlist": WaitlistEntrySerializer,
}
BESIDES = {"appointment.rescheduled": ["previous_start_time", "previous_staff_id"]}


class TestExamples:
    @pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=list(EVENT_TYPES))
    def test_have_the_fields_of_the_api_in_its_order(self, kind):
        fields = [*SHOWN[kind.name.partition(".")[0]]._declared_fields, *BESIDES.get(kind.name, [])]
        assert list(kind.example) == (["id"] if kind.name == "customer.erased" else fields)


class TestNormalise:
    @pytest.mark.parametrize(
        ("name", "canonical"),
        (("missed_call", "call.missed"), ("call.missed", "call.missed"), ("*", "*")),
    )
    def test_knows_other_spellings(self, name, canonical):
        assert normalise(name) == canonical

    @pytest.mark.parametrize("name", ("", "call", "call.lost", "Call.Missed"))
    def test_rejects_unknown_names(self, name):
        with pytest.raises(KeyError):
            normalise(name)
