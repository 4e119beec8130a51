"""Admin of staff out: a button on the page of a member of staff, and in the calendar.

The form is sent twice: first with the period, then with what becomes of each appointment in it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from appointments.admin_forms import LocalDateFormField
from appointments.models import Appointment
from appointments.staff_out.operations import Action, Choice, Outcome, take_staff_out
from kaivox.admin.base import WRITERS
from kaivox.admin.columns import local_time
from kaivox.admin.object_actions import ObjectAction
from kaivox.api.values import DAY_MINUTES
from kaivox.errors import DomainError
from staff.local_time import LocalDays
from staff.minute_of_day import ClockFormField
from staff.models import StaffMember

_PERIOD: Final = ("first_day", "from_time", "last_day", "until_time")
_PREFIX: Final = "appointment-"


class StaffOutForm(forms.Form):
    """Takes `staff` out. Once it has a period, it has a field for each appointment in it; while one of
    these was not there before, it is shown again."""

    first_day = LocalDateFormField(initial=timezone.localdate)
    from_time = ClockFormField(label="from", initial=0)
    last_day = LocalDateFormField(initial=timezone.localdate)
    until_time = ClockFormField(
        label="until", initial=DAY_MINUTES, help_text="24:00 is the end of the day."
    )
    reason = forms.CharField(max_length=200, required=False, help_text="Shown with the time off.")

    def __init__(self, data: Any = None, *, staff: StaffMember) -> None:
        super().__init__(None if data is None else {name: data.get(name) for name in data})
        self.staff = staff
        self.problem: DomainError | None = None
        self.is_new = False
        if self.is_bound and (period := self._period()):
            self._add_appointments(*period)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if self.problem is not None:
            raise forms.ValidationError(self.problem.texts)
        if self.is_new:
            raise forms.ValidationError(
                "There are appointments in this period. Choose what becomes of each, then send the "
                "form again."
            )
        return values

    def _period(self) -> tuple[datetime, datetime] | None:
        """The period, if its fields are valid."""
        values = []
        for name in _PERIOD:
            try:
                values.append(self.fields[name].clean(self.data.get(name)))
            except forms.ValidationError:
                return None
        return period_of(self.staff, *values)

    def _add_appointments(self, start: datetime, end: datetime) -> None:
        try:
            outcomes = take_staff_out(
                business=self.staff.business,
                staff_id=self.staff.pk,
                start=start,
                end=end,
                dry_run=True,
                now=timezone.now(),
            )
        except DomainError as error:
            self.problem = error
            return
        for outcome in outcomes:
            name = f"{_PREFIX}{outcome.appointment.pk}"
            choices = _choices_of(outcome)
            label = _label_of(outcome.appointment)
            self.fields[name] = forms.ChoiceField(choices=choices, label=label)
            if name not in self.data:
                self.is_new = True
                self.data = {**self.data, name: choices[0][0]}


def period_of(
    staff: StaffMember, first_day: Any, from_time: int, last_day: Any, until_time: int
) -> tuple[datetime, datetime]:
    """The instants of two local days and minutes of them."""
    days = LocalDays(staff.business.zone)
    start, end = days.instant(first_day, from_time), days.instant(last_day, until_time)
    return datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)


def _choices_of(outcome: Outcome) -> list[tuple[str, str]]:
    """What can become of an appointment, the best first."""
    appointment = outcome.appointment
    choices: list[tuple[str, str]] = []
    if outcome.action is Action.REASSIGN:
        label = f"{appointment.staff} takes it over"
        choices.append((f"{Action.REASSIGN} {appointment.staff_id}", label))
    for slot in outcome.alternatives:
        when = local_time(datetime.fromtimestamp(slot.start, UTC), appointment.business.zone)
        person = slot.staff[0]
        choices.append((f"{Action.MOVE} {person.pk} {slot.start}", f"Move to {when} with {person}"))
    return [*choices, (Action.LEAVE.value, "Leave it as it is"), (Action.CANCEL.value, "Cancel it")]


def _label_of(appointment: Appointment) -> str:
    when = local_time(appointment.start_time, appointment.business.zone)
    return f"{when}: {appointment.customer.name}, {appointment.service.name}"


def _choice_of(value: str, staff: dict[int, StaffMember]) -> Choice:
    action, *numbers = value.split()
    person = staff[int(numbers[0])] if numbers else None
    start = datetime.fromtimestamp(int(numbers[1]), UTC) if len(numbers) > 1 else None
    return Choice(Action(action), person, start)


def _take_out(request: HttpRequest, staff: StaffMember, values: dict[str, Any]) -> str:
    start, end = period_of(staff, *(values[name] for name in _PERIOD))
    everyone = StaffMember.objects.for_business(staff.business_id).in_bulk()
    choices = {
        int(name.removeprefix(_PREFIX)): _choice_of(value, everyone)
        for name, value in values.items()
        if name.startswith(_PREFIX)
    }
    outcomes = take_staff_out(
        business=staff.business,
        staff_id=staff.pk,
        start=start,
        end=end,
        reason=values["reason"],
        choices=choices,
        now=timezone.now(),
    )
    counts = [
        f"{sum(outcome.action is action for outcome in outcomes)} {word}"
        for action, word in (
            (Action.REASSIGN, "reassigned"),
            (Action.MOVE, "moved"),
            (Action.CANCEL, "cancelled"),
            (Action.LEAVE, "left"),
        )
    ]
    return f"{staff} has time off. Appointments: {', '.join(counts)}."


STAFF_OUT: Final = ObjectAction(
    "out",
    "Take out",
    "Adds time off. Next you choose what becomes of the appointments in it: the best colleague who is "
    "free, or a new time. Everything is applied at once, and webhooks are sent.",
    _take_out,
    form_for=lambda staff: partial(StaffOutForm, staff=staff),
    roles=WRITERS,
)
