"""Forms of the admin's pages of appointments. Times are on the business's own clock."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from appointments.local_start import start_at
from appointments.models import Appointment
from kaivox.businesses.admin_base import OneBusinessForm
from staff.clock import ClockFormField, format_clock
from staff.models import StaffMember


def start_of(day: date, minute: int, zone: Any) -> Any:
    """Raises NonexistentLocalTime."""
    return start_at(day, format_clock(minute), zone)


def move_form(appointment: Appointment) -> type[forms.Form]:
    """The form that moves `appointment`, filled in with where it is."""
    local = appointment.start_time.astimezone(appointment.business.zone)
    people = StaffMember.objects.for_business(appointment.business_id).active()

    class MoveForm(forms.Form):
        day = forms.DateField(initial=local.date(), widget=forms.DateInput(attrs={"type": "date"}))
        time = ClockFormField(
            initial=local.hour * 60 + local.minute,
            help_text=f"HH:MM in {appointment.business.timezone}.",
        )
        staff = forms.ModelChoiceField(
            people.offering(appointment.service).order_by("name"), initial=appointment.staff_id
        )

    return MoveForm


class CancelForm(forms.Form):
    reason = forms.CharField(max_length=500, required=False)


class BookingForm(OneBusinessForm):
    """A new appointment: who, what, when, with whom."""

    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    time = ClockFormField(help_text="HH:MM on the business's clock.")

    class Meta:
        model = Appointment
        fields = ("business", "customer", "service", "staff", "notes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "staff" in self.fields:
            self.fields["staff"].required = False
            self.fields["staff"].help_text = "Left out: whoever is free."
