"""Serializers of appointments and holds: responses, bodies and queries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from rest_framework import serializers

from appointments.models import Appointment, AppointmentStatus, Confirmation, Hold
from appointments.wall_time import NonexistentLocalTime, start_at
from customers.models import Customer
from kaivox.api.fields import (
    IdField,
    LocalDateField,
    MetadataField,
    StrictCharField,
    StrictIntegerField,
    TenantRelatedField,
    UtcDateTimeField,
    WallTimeField,
)
from kaivox.api.serializers import (
    QuerySerializer,
    ReadSerializer,
    WriteSerializer,
    depends_on,
    is_same,
)
from kaivox.api.values import parse_zone
from services.models import MAX_CAPACITY, Service
from staff.models import StaffMember

_STAFF: Final = "Null where the service needs no staff."


class AppointmentSerializer(ReadSerializer):
    """An appointment, in responses and in webhook events."""

    field_scopes = {"customer_name": "customers:read"}

    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    customer_name = serializers.CharField(
        source="customer.name", allow_null=True, help_text="Null without `customers:read`."
    )
    service_id = serializers.IntegerField()
    service = serializers.CharField(source="service.name", help_text="The service's name.")
    staff_id = serializers.IntegerField(allow_null=True, help_text=_STAFF)
    staff_name = serializers.CharField(source="staff.name", allow_null=True)
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    appointment_date = serializers.SerializerMethodField(help_text="In `timezone`.")
    appointment_time = serializers.SerializerMethodField(help_text="`HH:MM` in `timezone`.")
    timezone = serializers.CharField(source="business.timezone", help_text="The business's.")
    duration_minutes = serializers.IntegerField()
    party_size = serializers.IntegerField(help_text="People who come.")
    resource_ids = serializers.ListField(
        child=serializers.IntegerField(), help_text="Resources that it reserves."
    )
    price = serializers.DecimalField(max_digits=10, decimal_places=2, help_text="As booked.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(choices=AppointmentStatus.choices)
    confirmation = serializers.ChoiceField(
        choices=Confirmation.choices,
        help_text="Whether the customer has said that they will come; `none` after a new time.",
    )
    source = serializers.CharField()  # type: ignore[assignment]
    notes = serializers.CharField()
    cancellation_reason = serializers.CharField()
    call_id = serializers.IntegerField(
        allow_null=True, help_text="The call it was booked in, if any."
    )
    series_id = serializers.IntegerField(
        allow_null=True, help_text="The series it was booked with, if any."
    )
    visit_id = serializers.IntegerField(
        allow_null=True, help_text="The visit it is part of, if any."
    )
    metadata = MetadataField()
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("start_time")
    def get_appointment_date(appointment: Appointment) -> str:
        return f"{appointment.start_time.astimezone(appointment.business.zone):%Y-%m-%d}"

    @staticmethod
    @depends_on("start_time")
    def get_appointment_time(appointment: Appointment) -> str:
        return f"{appointment.start_time.astimezone(appointment.business.zone):%H:%M}"


# --- Bodies --------------------------------------------------------------------------------------


class ZoneField(StrictCharField):
    """The name of an IANA time zone; its validated value is a `ZoneInfo`."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return parse_zone(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class StartFields(WriteSerializer):
    """A start: `start_time`, or `appointment_date` with `appointment_time`. Validated as `start`."""

    start_time = UtcDateTimeField(required=False, help_text="A whole minute, with its offset.")
    appointment_date = LocalDateField(required=False, help_text="In the business's time zone.")
    appointment_time = WallTimeField(required=False, help_text="`HH:MM`, with `appointment_date`.")
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
        try:
            start = self._read(instant, day, clock, zone)
        except NonexistentLocalTime as error:
            error.asked |= values
            raise
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


party_size_field = partial(StrictIntegerField, min_value=1, max_value=MAX_CAPACITY, required=False)
# The call of a booking, by either id; `with_call` reads them.
call_id_field = partial(
    IdField, required=False, allow_null=True, help_text="The call it is booked in."
)
provider_call_id_field = partial(
    StrictCharField,
    max_length=200,
    required=False,
    allow_null=True,
    help_text="Instead: the voice provider's own id of the call, which may arrive later.",
)


class NewAppointment(StartFields):
    """The body of a booking. With `hold_id` the time may be left out."""

    customer_id = TenantRelatedField(Customer, noun="customer", source="customer")
    service_id = TenantRelatedField(Service, noun="service", source="service")
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        allow_null=True,
        help_text="Left out: the free one with the fewest appointments that day.",
    )
    hold_id = TenantRelatedField(
        Hold,
        "staff",
        noun="hold",
        source="hold",
        required=False,
        allow_null=True,
        help_text="A hold on this time, service and member of staff; it is used up.",
    )
    party_size = party_size_field(help_text="People who come; default: those of the hold, or 1.")
    notes = StrictCharField(max_length=5000, required=False, allow_blank=True)
    source = StrictCharField(max_length=40, required=False)  # type: ignore[assignment]
    call_id = call_id_field()
    provider_call_id = provider_call_id_field()
    metadata = MetadataField(required=False)

    def needs_start(self, values: dict[str, Any]) -> bool:
        return values.get("hold") is None

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        values = super().validate(values)
        if "start" not in values:
            values["start"] = values["hold"].start_time
        return with_call(values)


_LOCAL_START: Final = frozenset({"appointment_date", "appointment_time"})
_START: Final = _LOCAL_START | {"start_time"}
_MOVES: Final = _START | {"staff_id", "service_id", "hold_id", "party_size"}


class AppointmentPatch(StartFields):
    """The body of a PATCH: a move (`start_time` or local date and time, `staff_id`, `service_id`,
    `hold_id`, `party_size`), a `confirmation`, a new `status`, and texts."""

    cleared: ClassVar[Mapping[str, Any]] = {
        "confirmation": Confirmation.NONE,
        "notes": "",
        "cancellation_reason": "",
        "metadata": {},
    }

    staff_id = TenantRelatedField(
        StaffMember, noun="member of staff", source="staff", required=False
    )
    service_id = TenantRelatedField(Service, noun="service", source="service", required=False)
    hold_id = TenantRelatedField(
        Hold,
        "staff",
        noun="hold",
        source="hold",
        required=False,
        help_text="A hold on the new time, which may then be left out; it is used up.",
    )
    party_size = party_size_field(help_text="People who come.")
    confirmation = serializers.ChoiceField(
        choices=Confirmation.choices, required=False, help_text="Of a scheduled appointment."
    )
    status = serializers.ChoiceField(choices=AppointmentStatus.choices, required=False)
    cancellation_reason = StrictCharField(max_length=500, required=False, allow_blank=True)
    notes = StrictCharField(max_length=5000, required=False, allow_blank=True)
    metadata = MetadataField(required=False)
    call_id = IdField(required=False, help_text="The call in which it is moved or cancelled.")
    provider_call_id = StrictCharField(
        max_length=200, required=False, help_text="Instead: the voice provider's own id of it."
    )

    def needs_start(self, values: dict[str, Any]) -> bool:
        return False

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if "timezone" in values and values.keys().isdisjoint(_START):
            message = "The business's cannot be changed here. Send it with a local date and time."
            raise serializers.ValidationError({"timezone": [message]})
        values = super().validate(values)
        changes_it = _MOVES.intersection(self.initial_data) or (
            values.get("status") == AppointmentStatus.CANCELLED
        )
        for name in ("call_id", "provider_call_id"):
            if name in values and not changes_it:
                message = (
                    "Send it with a move (a new time, staff_id or service_id) or a cancellation."
                )
                raise serializers.ValidationError({name: [message]})
        return with_call(values)

    def needs_shown(self, data: Mapping[str, Any]) -> bool:
        return not _MOVES.union({"timezone", "cancellation_reason", "call_id"}).isdisjoint(
            data
        ) or super().needs_shown(data)

    def without_unchanged(
        self, data: Mapping[str, Any], shown: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Also drops writable fields that make no change where a client sends the whole object back:
        of `start_time` and the local date and time, which say the same, only the changed one counts."""
        same = {name for name in data if name in shown and is_same(data[name], shown[name])}
        if "timezone" in data and "timezone" not in same:
            same -= _LOCAL_START
        moves, local = _MOVES.intersection(data), _LOCAL_START.intersection(data)
        dropped = same & {"timezone", "cancellation_reason"}
        if moves <= same:
            dropped |= moves
        elif "start_time" in same and local:
            dropped.add("start_time")
        elif "start_time" in data and local and local <= same:
            dropped |= local
        if "staff_id" in same and data["staff_id"] is None:
            dropped.add("staff_id")
        if "call_id" in same and (data["call_id"] is None or moves <= same):
            dropped.add("call_id")
        changed = {name: value for name, value in data.items() if name not in dropped}
        return super().without_unchanged(changed, shown)


def with_call(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with either id of the call as `call_id`, a `CallReference`."""
    provider_call_id = values.pop("provider_call_id", None)
    if provider_call_id is None:
        return values
    if values.get("call_id") is not None:
        message = "Send call_id or provider_call_id, not both."
        raise serializers.ValidationError({"provider_call_id": [message]})
    return {**values, "call_id": provider_call_id}


class StatusPatch(WriteSerializer):
    """The body of a change of status."""

    status = serializers.ChoiceField(choices=AppointmentStatus.choices)


class CancellationQuery(QuerySerializer):
    """The query of a cancellation."""

    reason = StrictCharField(
        max_length=500, required=False, help_text="Shown as `cancellation_reason`."
    )
    call_id = IdField(required=False, help_text="The call in which it is cancelled.")


class Cancellation(WriteSerializer):
    """The body of a cancellation: the same fields as its query."""

    reason = StrictCharField(max_length=500, required=False, allow_blank=True)
    call_id = IdField(required=False)


# --- Holds ---------------------------------------------------------------------------------------


class HoldSerializer(ReadSerializer):
    """A slot that no other request can book until `expires_at`."""

    id = serializers.IntegerField()
    service_id = serializers.IntegerField()
    service = serializers.CharField(source="service.name")
    staff_id = serializers.IntegerField(allow_null=True, help_text=_STAFF)
    staff_name = serializers.CharField(source="staff.name", allow_null=True)
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    party_size = serializers.IntegerField(help_text="People whom it is for.")
    resource_ids = serializers.ListField(
        child=serializers.IntegerField(), help_text="Resources that it reserves."
    )
    expires_at = UtcDateTimeField()
    created_at = UtcDateTimeField()


class NewHold(StartFields):
    """The body of a new hold."""

    service_id = TenantRelatedField(Service, noun="service", source="service")
    staff_id = TenantRelatedField(
        StaffMember, noun="member of staff", source="staff", required=False, allow_null=True
    )
    party_size = party_size_field(help_text="People whom it is for; default 1.")
    expires_in_seconds = StrictIntegerField(
        min_value=60, max_value=900, default=300, help_text="One to fifteen minutes."
    )


class HoldPatch(WriteSerializer):
    """The body that extends a hold."""

    expires_in_seconds = StrictIntegerField(
        min_value=60, max_value=900, help_text="From now: one to fifteen minutes."
    )
