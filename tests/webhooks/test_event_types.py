"""The examples that we show are what receivers get."""

from __future__ import annotations

import pytest

from appointments.serializers import AppointmentSerializer
from calls.serializers import CallWithTranscript
from customers.serializers import CustomerSerializer
from webhooks.event_types import EVENT_TYPES, canonical

SHOWN = {
    "appointment": AppointmentSerializer,
    "call": CallWithTranscript,
    "customer": CustomerSerializer,
}
BESIDES = {"appointment.rescheduled": ["previous_start_time", "previous_staff_id"]}


class TestExamples:
    @pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=list(EVENT_TYPES))
    def test_have_the_fields_of_the_api_in_its_order(self, kind):
        fields = [*SHOWN[kind.name.partition(".")[0]]._declared_fields, *BESIDES.get(kind.name, [])]
        assert list(kind.example) == fields


class TestCanonical:
    @pytest.mark.parametrize(
        ("name", "kept"),
        (("missed_call", "call.missed"), ("call.missed", "call.missed"), ("*", "*")),
    )
    def test_knows_other_spellings(self, name, kept):
        assert canonical(name) == kept

    @pytest.mark.parametrize("name", ("", "call", "call.lost", "Call.Missed"))
    def test_refuses_the_unknown(self, name):
        with pytest.raises(KeyError):
            canonical(name)
