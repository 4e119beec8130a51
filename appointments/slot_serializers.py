"""Serializers of slots: the query and the response."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments.availability import UnavailabilityReason
from appointments.models import Appointment
from appointments.serializers import ZoneField
from appointments.slots import PARTS_OF_DAY, Slot, SlotFilter, SlotSearchResult
from kaivox.api.fields import (
    LocalDateField,
    StrictCharField,
    StrictIntegerField,
    TenantRelatedField,
    UtcDateTimeField,
)
from kaivox.api.serializers import QuerySerializer, ReadSerializer
from services.models import MAX_CAPACITY, Service
from staff.models import StaffMember, Weekday

LONGEST_RANGE_DAYS: Final = 31
_LIMITS: Final = ("weekdays", "part_of_day", "per_day", "limit")
_WEEKDAYS: Final = {day.label.casefold(): day.value for day in Weekday}


@extend_schema_field({"type": "string", "pattern": "^[0-6](,[0-6])*$", "examples": ["0,2"]})
class WeekdaysField(StrictCharField):
    """Weekdays by number (0 is Monday) or English name, separated by commas; validated as a set."""

    def to_internal_value(self, data: Any) -> Any:
        found = set()
        for word in super().to_internal_value(data).split(","):
            name = word.strip().casefold()
            number = int(name) if name in set("0123456") else _WEEKDAYS.get(name)
            if number is None:
                message = "Write 0 (Monday) to 6 (Sunday); several with commas."
                raise serializers.ValidationError(message)
            found.add(number)
        return found


class SlotQuery(QuerySerializer):
    """The query of slots: `service_id`, and `date`, or `date_from` with `date_to`, or today."""

    service_id = TenantRelatedField(
        Service, noun="service", source="service", help_text="What is to be booked."
    )
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        help_text="Only this person's times.",
    )
    date = LocalDateField(required=False, help_text="This one day.")
    date_from = LocalDateField(required=False, help_text="From this day on.")
    date_to = LocalDateField(required=False, help_text="Included; at most 31 days in all.")
    party_size = StrictIntegerField(
        min_value=1,
        max_value=MAX_CAPACITY,
        required=False,
        help_text="Only starts that take so many people together; default 1.",
    )
    timezone = ZoneField(
        required=False,
        help_text="Whose days are meant and how times are shown, if not the business's.",
    )
    exclude_appointment_id = TenantRelatedField(
        Appointment,
        noun="appointment",
        source="exclude_appointment",
        required=False,
        help_text="The appointment to be moved: its own time does not block a slot.",
    )
    part_of_day = serializers.ChoiceField(
        choices=list(PARTS_OF_DAY),
        required=False,
        help_text="Morning is before 12:00, evening from 17:00 on.",
    )
    weekday = WeekdaysField(
        required=False,
        source="weekdays",
        help_text="Only these days of the week: 0 is Monday; several with commas.",
    )
    limit = StrictIntegerField(
        min_value=1, max_value=10_000, required=False, help_text="Only the first slots."
    )
    spread = StrictIntegerField(
        min_value=1,
        max_value=1_000,
        required=False,
        source="per_day",
        help_text="At most so many slots of each day, the first ones.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        day, first, last = (values.get(name) for name in ("date", "date_from", "date_to"))
        if day is not None and (first is not None or last is not None):
            raise serializers.ValidationError(
                {"date": ["Give either date, or date_from and date_to."]}
            )
        if (first is None) != (last is None):
            missing = "date_from" if first is None else "date_to"
            raise serializers.ValidationError({missing: ["Give both, date_from and date_to."]})
        if first is not None and last is not None:
            if last < first:
                raise serializers.ValidationError({"date_to": ["It is before date_from."]})
            if last - first >= timedelta(days=LONGEST_RANGE_DAYS):
                raise serializers.ValidationError(
                    {"date_to": [f"At most {LONGEST_RANGE_DAYS} days can be asked for at once."]}
                )
        return values


class SlotStaffSerializer(ReadSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class SlotSerializer(ReadSerializer):
    """A start that can be booked with any of `staff`."""

    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    date = serializers.CharField(help_text="In `meta.timezone`.")
    time = serializers.CharField(help_text="`HH:MM` in `meta.timezone`.")
    staff = SlotStaffSerializer(many=True)
    seats_left = serializers.IntegerField(
        required=False, help_text="Of a class alone: the largest party that can be booked."
    )


_DAY: Final = {"type": "string", "format": "date"}
# The properties of `meta` in the response with slots.
SLOTS_META: Final[dict[str, Any]] = {
    "timezone": {"type": "string", "description": "IANA name."},
    "date_from": _DAY,
    "date_to": _DAY,
    "total": {"type": "integer"},
    "next_available": {
        "description": "The first slot within the horizon after an empty result, else null.",
        "anyOf": [{"$ref": "#/components/schemas/Slot"}, {"type": "null"}],
    },
    "reasons": {
        "type": "object",
        "description": "The reason of each day without slots.",
        "additionalProperties": {
            "type": "string",
            "enum": [reason.value for reason in UnavailabilityReason],
        },
    },
}


def days_asked(query: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> tuple[date, date]:
    """The first and the last local day of a validated query; today where it names none."""
    first = query.get("date") or query.get("date_from") or now.astimezone(zone).date()
    return first, query.get("date_to") or first


def filter_asked(query: Mapping[str, Any]) -> SlotFilter:
    """Which of the slots a validated query asks for."""
    limits: dict[str, Any] = {name: query.get(name) for name in _LIMITS}
    return SlotFilter(party_size=query.get("party_size", 1), **limits)


def slots_meta(
    result: SlotSearchResult,
    first: date,
    last: date,
    zone: ZoneInfo,
    render: Callable[[Sequence[Slot], ZoneInfo], list[dict[str, Any]]],
) -> dict[str, Any]:
    """`meta` of the response with slots, as SLOTS_META describes it."""
    following = result.next_available
    return {
        "timezone": zone.key,
        "date_from": first.isoformat(),
        "date_to": last.isoformat(),
        "total": len(result.slots),
        "next_available": render([following], zone)[0] if following else None,
        "reasons": {day.isoformat(): reason for day, reason in result.reasons.items()},
    }


def render_slots(slots: Sequence[Slot], zone: Any) -> list[dict[str, Any]]:
    """Slots as `SlotSerializer` describes them; it is too slow for a month of twenty people."""
    # `id` and not `pk`, which is a property and takes four times as long.
    people = {person.id: person.name for slot in slots for person in slot.staff}
    shown = {staff_id: {"id": staff_id, "name": name} for staff_id, name in people.items()}
    return [
        {
            "start_time": instant_text(slot.start),
            "end_time": instant_text(slot.end),
            "date": local[:10],
            "time": local[11:16],
            "staff": [shown[person.id] for person in slot.staff],
            **({} if slot.seats_left is None else {"seats_left": slot.seats_left}),
        }
        for slot in slots
        for local in (datetime.fromtimestamp(slot.start, zone).isoformat(),)
    ]


def instant_text(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat()[:19] + "Z"
