"""Admin forms of appointments. Times are in the time zone of the business."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.http import urlencode

from appointments.models import Appointment, Confirmation
from appointments.wall_time import start_at
from kaivox.admin.base import TenantModelForm
from kaivox.api.values import parse_date
from services.models import MAX_CAPACITY
from staff.minute_of_day import ClockFormField, format_clock
from staff.models import StaffMember


def start_of(day: date, minute: int, zone: Any) -> Any:
    """The instant of a local day and minute of it. Raises NonexistentLocalTime."""
    return start_at(day, format_clock(minute), zone)


class LocalDateFormField(forms.DateField):
    """A date, parsed like dates in the API; shown as the browser's date input."""

    widget = forms.DateInput(attrs={"type": "date"})

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        try:
            return parse_date(value)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class FreeTimesMedia:
    """The script that offers free times; the day has the address that it reads."""

    js = (forms.Script("kaivox/free_times.js", type="module"),)


def _reads_free_times(field: forms.Field, **query: int) -> None:
    url = reverse("admin:appointments_free_times")
    field.widget.attrs["data-free-times"] = f"{url}?{urlencode(query)}"


def move_form(appointment: Appointment) -> type[forms.Form]:
    """The form that moves `appointment`, with its present time and member of staff."""
    local = appointment.start_time.astimezone(appointment.business.zone)
    people = StaffMember.objects.for_business(appointment.business_id).active()

    class MoveForm(forms.Form):
        Media = FreeTimesMedia

        day = LocalDateFormField(initial=local.date())
        time = ClockFormField(
            initial=local.hour * 60 + local.minute,
            help_text=f"HH:MM in {appointment.business.timezone}.",
        )
        staff = forms.ModelChoiceField(
            people.offering(appointment.service).order_by("name"),
            initial=appointment.staff_id,
            error_messages={
                "invalid_choice": f"This member of staff does not offer {appointment.service}."
            },
        )

        party_size = forms.IntegerField(
            min_value=1, max_value=MAX_CAPACITY, required=False, initial=appointment.party_size
        )

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            ids = {"service": appointment.service_id, "appointment": appointment.pk}
            _reads_free_times(self.fields["day"], **ids)
            if not appointment.service.needs_staff:
                del self.fields["staff"]

    return MoveForm


def confirmation_form(appointment: Appointment) -> type[forms.Form]:
    """The form that sets the confirmation of `appointment`, with the present one."""

    class ConfirmationForm(forms.Form):
        confirmation = forms.ChoiceField(
            choices=Confirmation.choices, initial=appointment.confirmation
        )

    return ConfirmationForm


class CancelForm(forms.Form):
    reason = forms.CharField(max_length=500, required=False)


class BookingForm(TenantModelForm):
    """A new appointment."""

    day = LocalDateFormField()
    time = ClockFormField(help_text="HH:MM in the time zone of the business.")

    Media = FreeTimesMedia

    class Meta:
        model = Appointment
        fields = ("business", "customer", "service", "staff", "party_size", "notes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reads_free_times(self.fields["day"])
        self.fields["party_size"].required = False
        if "staff" in self.fields:
            self.fields["staff"].required = False
            self.fields[
                "staff"
            ].help_text = "Empty: anyone who is free; no one where the service needs no staff."
