"""Serializers of staff out: the body and the response."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from appointments.serializers import AppointmentSerializer
from appointments.slot_serializers import SlotSerializer
from appointments.staff_out.operations import MAX_APPOINTMENTS, Action, Choice
from kaivox.api.fields import (
    BoundedListField,
    IdField,
    StrictBooleanField,
    StrictCharField,
    TenantRelatedField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from staff.models import StaffMember


class StaffOutChange(WriteSerializer):
    """What becomes of one appointment, as (its id, `Choice`)."""

    appointment_id = IdField(help_text="One that is scheduled in the period.")
    action = serializers.ChoiceField(
        choices=[action.value for action in Action],
        help_text="`reassign`: a colleague takes it over at the same time; `move`: to `start_time`; "
        "`cancel`; `leave`: it stays as it is.",
    )
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        help_text="Of `reassign` and `move`; left out: anyone who is free.",
    )
    start_time = UtcDateTimeField(required=False, source="start", help_text="Of `move`.")

    def validate(self, values: dict[str, Any]) -> Any:
        action, start = Action(values["action"]), values.get("start")
        if (start is not None) != (action is Action.MOVE):
            message = "Give the new time with the action move, and with no other."
            raise serializers.ValidationError({"start_time": [message]})
        if start is not None and (start.second or start.microsecond):
            message = "Appointments begin at a whole minute."
            raise serializers.ValidationError({"start_time": [message]})
        if "staff" in values and action not in (Action.REASSIGN, Action.MOVE):
            message = "Give it with the actions reassign and move only."
            raise serializers.ValidationError({"staff_id": [message]})
        return values["appointment_id"], Choice(action, values.get("staff"), start)


class StaffOutBody(WriteSerializer):
    """The period, and what becomes of appointments in it."""

    start_time = UtcDateTimeField(source="start", help_text="May be in the past.")
    end_time = UtcDateTimeField(source="end")
    reason = StrictCharField(
        max_length=200, required=False, allow_blank=True, help_text="Of the time off."
    )
    dry_run = StrictBooleanField(
        required=False, help_text="True: only show what would happen. Default: false."
    )
    changes = BoundedListField(
        child=StaffOutChange(),
        max_length=MAX_APPOINTMENTS,
        required=False,
        help_text="What becomes of single appointments. Of the others each is reassigned to a free "
        "colleague, or left where there is none.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        choices: dict[int, Choice] = {}
        for appointment_id, choice in values.pop("changes", None) or ():
            if appointment_id in choices:
                message = f"Appointment {appointment_id} is there twice."
                raise serializers.ValidationError({"changes": [message]})
            choices[appointment_id] = choice
        return {**values, "choices": choices}


class StaffOutAppointmentSerializer(ReadSerializer):
    action = serializers.ChoiceField(
        choices=[action.value for action in Action], help_text="What became of it."
    )
    appointment = AppointmentSerializer(help_text="As it is afterwards.")
    alternatives = SlotSerializer(
        many=True, help_text="Of one that is left: up to three free times, with anyone."
    )


class StaffOutSerializer(ReadSerializer):
    """What became of the appointments of a member of staff who is out."""

    staff_id = serializers.IntegerField()
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    reason = serializers.CharField()
    dry_run = serializers.BooleanField(help_text="Whether nothing was changed.")
    appointments = StaffOutAppointmentSerializer(
        many=True, help_text="Those scheduled in the period that have not begun, by start."
    )
