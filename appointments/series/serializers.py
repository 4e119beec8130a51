"""Serializers of series: responses, bodies and queries."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from appointments.groups.serializers import (
    GroupCancellation,
    GroupCancellationQuery,
    GroupSerializer,
    WholeMinuteField,
    call_renamed,
)
from appointments.models import Appointment
from appointments.serializers import (
    StartFields,
    call_id_field,
    party_size_field,
    provider_call_id_field,
    with_call,
)
from appointments.series.plans import CLASH_REASONS
from appointments.series.recurrence import MAX_INTERVAL, MAX_OCCURRENCES, Frequency, Recurrence
from appointments.slot_serializers import SlotSerializer
from customers.models import Customer
from kaivox.api.fields import (
    BoundedListField,
    IdField,
    LocalDateField,
    MetadataField,
    StrictCharField,
    StrictIntegerField,
    TenantRelatedField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer
from services.models import Service
from staff.models import StaffMember
from staff.serializers import ItemSerializer


class SeriesSerializer(ReadSerializer):
    """A series of appointments, by the rule with which it was booked."""

    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    frequency = serializers.ChoiceField(choices=Frequency.choices)
    interval = serializers.IntegerField(help_text="Every so many days, weeks or months.")
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6),
        help_text="Of a weekly series; 0 is Monday. Empty: the weekday of the first appointment.",
    )
    count = serializers.IntegerField(
        help_text="How many appointments the rule gives, those that were left out included."
    )
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()


class SeriesDetailSerializer(SeriesSerializer, GroupSerializer):
    """A series with its appointments."""

    group = "series"


class ClashSerializer(ReadSerializer):
    """Why an appointment cannot be booked."""

    reason = serializers.ChoiceField(choices=CLASH_REASONS)
    message = serializers.CharField(help_text="The reason as a sentence.")
    alternatives = SlotSerializer(
        many=True,
        help_text="Up to three next free slots of the same member of staff; none without "
        "`slots:read`.",
    )


class OccurrenceSerializer(ReadSerializer):
    """One appointment of a planned series."""

    number = serializers.IntegerField(help_text="From 1, those that are left out included.")
    appointment_id = serializers.IntegerField(
        allow_null=True, help_text="The appointment that would be moved; null for a new one."
    )
    start_time = UtcDateTimeField(
        allow_null=True, help_text="Null where that day or local time does not exist."
    )
    end_time = UtcDateTimeField(allow_null=True)
    appointment_date = serializers.CharField(
        allow_null=True, help_text="In the business's time zone."
    )
    appointment_time = serializers.CharField(allow_null=True, help_text="`HH:MM`.")
    clash = ClashSerializer(allow_null=True, help_text="Null where it can be booked.")


class SeriesPreviewSerializer(ReadSerializer):
    """What the same body would book."""

    staff_id = serializers.IntegerField(
        allow_null=True,
        help_text="Send it with the booking: it may differ later. Null where the service needs no "
        "staff.",
    )
    staff_name = serializers.CharField(allow_null=True)
    count = serializers.IntegerField(help_text="How many appointments the rule gives.")
    clashes = serializers.IntegerField(help_text="How many of `occurrences` have a clash.")
    occurrences = OccurrenceSerializer(many=True, help_text="Without those that are left out.")


# --- Bodies --------------------------------------------------------------------------------------


class ExceptionInput(ItemSerializer):
    """What to do with one appointment of the series: book it at `start_time`, or leave it out."""

    number = StrictIntegerField(
        min_value=1, max_value=MAX_OCCURRENCES, help_text="Which one, as in the preview."
    )
    start_time = WholeMinuteField(
        required=False, allow_null=True, help_text="Its start instead. Left out: it is not booked."
    )

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        return values["number"], values.get("start_time")


class NewSeries(StartFields):
    """The body of a new series. The first appointment is at `start_time`, the others follow."""

    customer_id = TenantRelatedField(Customer, noun="customer", source="customer")
    service_id = TenantRelatedField(Service, noun="service", source="service")
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        allow_null=True,
        help_text="For all of them. Left out: the one with the fewest clashes.",
    )
    frequency = serializers.ChoiceField(choices=Frequency.choices)
    interval = StrictIntegerField(
        min_value=1, max_value=MAX_INTERVAL, default=1, help_text="Every so many of them."
    )
    weekdays = BoundedListField(
        child=StrictIntegerField(min_value=0, max_value=6),
        max_length=7,
        allow_empty=False,
        required=False,
        help_text="Of a weekly series: 0 is Monday. Left out: the weekday of the first one.",
    )
    count = StrictIntegerField(
        min_value=1,
        max_value=MAX_OCCURRENCES,
        required=False,
        help_text="How many appointments; or send `until`.",
    )
    until = LocalDateField(
        required=False, help_text="The last possible day; at most 52 appointments."
    )
    party_size = party_size_field(help_text="People who come to each of them; default 1.")
    exceptions = BoundedListField(
        child=ExceptionInput(),
        max_length=MAX_OCCURRENCES,
        required=False,
        help_text="Appointments to leave out or to book at another time.",
    )
    notes = StrictCharField(max_length=5000, required=False, allow_blank=True)
    source = StrictCharField(max_length=40, required=False)  # type: ignore[assignment]
    call_id = call_id_field()
    provider_call_id = provider_call_id_field()
    metadata = MetadataField(required=False, help_text="Of each appointment.")

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        values = with_call(super().validate(values))
        number, until = values.pop("count", None), values.pop("until", None)
        if (number is None) == (until is None):
            raise serializers.ValidationError({"count": ["Send either count or until."]})
        weekdays = values.pop("weekdays", ())
        frequency = Frequency(values.pop("frequency"))
        if weekdays and frequency != Frequency.WEEKLY:
            message = "Only a weekly series has weekdays."
            raise serializers.ValidationError({"weekdays": [message]})
        exceptions = values.pop("exceptions", [])
        if len(dict(exceptions)) < len(exceptions):
            raise serializers.ValidationError({"exceptions": ["They name a number twice."]})
        rule = Recurrence(
            frequency, values.pop("interval"), tuple(sorted(set(weekdays))), number, until
        )
        return {**values, "rule": rule, "exceptions": dict(exceptions)}


class SeriesPatch(StartFields):
    """The body that moves a series from one appointment on."""

    from_appointment_id = TenantRelatedField(
        Appointment,
        noun="appointment",
        source="first",
        required=False,
        help_text="This and the following are moved. Left out: all that are ahead.",
    )
    staff_id = TenantRelatedField(
        StaffMember, noun="member of staff", source="staff", required=False
    )
    call_id = IdField(required=False, help_text="The call in which they are moved.")
    provider_call_id = StrictCharField(
        max_length=200, required=False, help_text="Instead: the voice provider's own id of it."
    )

    def needs_start(self, values: dict[str, Any]) -> bool:
        return False

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        return call_renamed(with_call(super().validate(values)))


class SeriesCancellationQuery(GroupCancellationQuery):
    """The query of the cancellation of a series."""

    from_appointment_id = TenantRelatedField(
        Appointment,
        noun="appointment",
        source="first",
        required=False,
        help_text="This and the following are cancelled. Left out: all that are ahead.",
    )


class SeriesCancellation(GroupCancellation):
    """The body of the cancellation of a series: the same fields as its query."""

    from_appointment_id = TenantRelatedField(
        Appointment, noun="appointment", source="first", required=False
    )
