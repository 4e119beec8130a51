"""The shapes of appointments, slots and holds: shown, written, asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from rest_framework import serializers

from appointments.local_start import read_zone, start_at
from appointments.models import Appointment, Hold, Status
from customers.models import Customer
from kaivox.api.fields import (
    ClockField,
    IdField,
    InstantField,
    LocalDateField,
    MetadataField,
    OwnedField,
    TextField,
    WholeNumberField,
)
from kaivox.api.serializers import QuerySerializer, ReadSerializer, WriteSerializer, reads
from services.models import Service
from staff.models import StaffMember


class AppointmentSerializer(ReadSerializer):
    """An appointment as the API and its events show it."""

    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    customer_name = serializers.CharField(source="customer.name")
    service_id = serializers.IntegerField()
    service = serializers.CharField(source="service.name", help_text="The service's name.")
    staff_id = serializers.IntegerField()
    staff_name = serializers.CharField(source="staff.name")
    start_time = InstantField()
    end_time = InstantField()
    appointment_date = serializers.SerializerMethodField(help_text="In `timezone`.")
    appointment_time = serializers.SerializerMethodField(help_text="`HH:MM` in `timezone`.")
    timezone = serializers.CharField(source="business.timezone", help_text="The business's.")
    duration_minutes = serializers.IntegerField()
    price = serializers.DecimalField(max_digits=10, decimal_places=2, help_text="As booked.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    source = serializers.CharField()  # type: ignore[assignment]
    notes = serializers.CharField()
    cancellation_reason = serializers.CharField()
    call_id = serializers.IntegerField(
        allow_null=True, help_text="The call it was booked in, if any."
    )
    metadata = MetadataField()
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    @reads("start_time")
    def get_appointment_date(appointment: Appointment) -> str:
        return f"{appointment.start_time.astimezone(appointment.business.zone):%Y-%m-%d}"

    @staticmethod
    @reads("start_time")
    def get_appointment_time(appointment: Appointment) -> str:
        return f"{appointment.start_time.astimezone(appointment.business.zone):%H:%M}"


# --- Written -------------------------------------------------------------------------------------


class ZoneField(TextField):
    """The name of an IANA time zone; validated as a `ZoneInfo`."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return read_zone(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class StartFields(WriteSerializer):
    """When: `start_time`, or `appointment_date` with `appointment_time`. Validated as `start`."""

    start_time = InstantField(required=False, help_text="A whole minute, with its offset.")
    appointment_date = LocalDateField(required=False, help_text="In the business's time zone.")
    appointment_time = ClockField(required=False, help_text="`HH:MM`, with `appointment_date`.")
    timezone = ZoneField(
        required=False,
        help_text="The zone of `appointment_date` and `appointment_time`, if not the business's.",
    )

    def needs_start(self, values: dict[str, Any]) -> bool:
        return True

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        zone = values.pop("timezone", None) or self.context["business"].zone
        instant = values.pop("start_time", None)
        day, clock = values.pop("appointment_date", None), values.pop("appointment_time", None)
        start = self._read(instant, day, clock, zone)
        if start is None and self.needs_start(values):
            message = "Give start_time, or appointment_date and appointment_time."
            raise serializers.ValidationError({"start_time": [message]})
        return values if start is None else values | {"start": start}

    def _read(self, instant: Any, day: Any, clock: Any, zone: ZoneInfo) -> Any:
        if instant is not None:
            if day is not None or clock is not None:
                raise serializers.ValidationError(
                    {"start_time": ["Give either start_time or a local date and time, not both."]}
                )
            if instant.second or instant.microsecond:
                raise serializers.ValidationError(
                    {"start_time": ["Appointments begin at a whole minute."]}
                )
            return instant
        if day is not None and clock is not None:
            return start_at(day, clock, zone)
        if day is not None or clock is not None:
            missing = "appointment_time" if clock is None else "appointment_date"
            raise serializers.ValidationError({missing: ["Give both, the date and the time."]})
        return None


class NewAppointment(StartFields):
    """A booking: who, what and when. With `hold_id` the time may be left out."""

    customer_id = OwnedField(Customer, noun="customer", source="customer")
    service_id = OwnedField(Service, noun="service", source="service")
    staff_id = OwnedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        allow_null=True,
        help_text="Left out: the free one with the fewest appointments that day.",
    )
    hold_id = OwnedField(
        Hold,
        "staff",
        noun="hold",
        source="hold",
        required=False,
        allow_null=True,
        help_text="A hold on this very time; it is used up.",
    )
    notes = TextField(max_length=5000, required=False, allow_blank=True)
    source = TextField(max_length=40, required=False)  # type: ignore[assignment]
    call_id = IdField(required=False, allow_null=True, help_text="The call it is booked in.")
    metadata = MetadataField(required=False)

    def needs_start(self, values: dict[str, Any]) -> bool:
        return values.get("hold") is None

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        values = super().validate(values)
        if "start" not in values:
            values["start"] = values["hold"].start_time
        return values


class AppointmentPatch(StartFields):
    """What can be changed: a move (`start_time` or local date and time, `staff_id`, `service_id`),
    the end (`status`), the words."""

    staff_id = OwnedField(StaffMember, noun="member of staff", source="staff", required=False)
    service_id = OwnedField(Service, noun="service", source="service", required=False)
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    cancellation_reason = TextField(max_length=500, required=False, allow_blank=True)
    notes = TextField(max_length=5000, required=False, allow_blank=True)
    metadata = MetadataField(required=False)
    call_id = IdField(required=False, help_text="The call in which it is moved or cancelled.")

    def needs_start(self, values: dict[str, Any]) -> bool:
        return False

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        values = super().validate(values)
        is_told = values.keys() & {"start", "staff", "service"} or (
            values.get("status") == Status.CANCELLED
        )
        if "call_id" in values and not is_told:
            message = "Goes with a new time, staff_id or service_id, or with the status cancelled."
            raise serializers.ValidationError({"call_id": [message]})
        return values


class StatusPatch(WriteSerializer):
    status = serializers.ChoiceField(choices=Status.choices)


class CancellationQuery(QuerySerializer):
    reason = TextField(
        max_length=500,
        required=False,
        allow_blank=True,
        help_text="Shown as `cancellation_reason`.",
    )
    call_id = IdField(required=False, help_text="The call in which it is cancelled.")


# --- Holds ---------------------------------------------------------------------------------------


class HoldSerializer(ReadSerializer):
    """A time that nobody else can book until `expires_at`."""

    id = serializers.IntegerField()
    service_id = serializers.IntegerField()
    service = serializers.CharField(source="service.name")
    staff_id = serializers.IntegerField()
    staff_name = serializers.CharField(source="staff.name")
    start_time = InstantField()
    end_time = InstantField()
    expires_at = InstantField()
    created_at = InstantField()


class NewHold(StartFields):
    """A time to keep free while the caller makes up their mind."""

    service_id = OwnedField(Service, noun="service", source="service")
    staff_id = OwnedField(
        StaffMember, noun="member of staff", source="staff", required=False, allow_null=True
    )
    expires_in_seconds = WholeNumberField(
        min_value=60, max_value=900, default=300, help_text="One to fifteen minutes."
    )


# --- Slots ---------------------------------------------------------------------------------------

LONGEST_RANGE_DAYS: Final = 31


class SlotQuery(QuerySerializer):
    """`service_id`, and which local days: `date`, or `date_from` with `date_to`, or today."""

    service_id = OwnedField(
        Service, noun="service", source="service", help_text="What is to be booked."
    )
    staff_id = OwnedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        help_text="Only this person's times.",
    )
    date = LocalDateField(required=False, help_text="This one day.")
    date_from = LocalDateField(required=False, help_text="From this day on.")
    date_to = LocalDateField(required=False, help_text="Included; at most 31 days in all.")
    timezone = ZoneField(
        required=False,
        help_text="Whose days are meant and how times are shown, if not the business's.",
    )
    exclude_appointment_id = OwnedField(
        Appointment,
        noun="appointment",
        source="exclude_appointment",
        required=False,
        help_text="To move this one: its own time does not stand in its way.",
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
    """A time that can be booked with any of `staff`."""

    start_time = InstantField()
    end_time = InstantField()
    date = serializers.CharField(help_text="In `meta.timezone`.")
    time = serializers.CharField(help_text="`HH:MM` in `meta.timezone`.")
    staff = SlotStaffSerializer(many=True)


_DAY: Final = {"type": "string", "format": "date"}
# What `meta` of the slots holds beside the request id.
SLOTS_META: Final[dict[str, Any]] = {
    "timezone": {"type": "string", "description": "IANA name."},
    "date_from": _DAY,
    "date_to": _DAY,
    "total": {"type": "integer"},
    "next_available": {
        "description": "The first slot within the horizon after an empty answer, else null.",
        "anyOf": [{"$ref": "#/components/schemas/Slot"}, {"type": "null"}],
    },
    "reasons": {
        "type": "object",
        "description": "Of days without slots: why.",
        "additionalProperties": {
            "type": "string",
            "enum": [
                "closed",
                "holiday",
                "time_off",
                "fully_booked",
                "past",
                "beyond_horizon",
                "too_soon",
            ],
        },
    },
}
