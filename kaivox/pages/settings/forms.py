"""Forms of Settings → API & integrations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar

from django import forms
from django.utils import timezone

from kaivox.admin.row_fields import LinesField
from kaivox.businesses.auth.scopes import ALL_SCOPES, KNOWN_SCOPES
from kaivox.businesses.models import Role
from kaivox.businesses.setting_rules import LONGEST_REMINDER_HOURS
from kaivox.errors import DomainError
from webhooks.admin_forms import EventTypesField, HeadersField, RulesForm

Result = TypeVar("Result")

# What each role may do, as the members page says it.
ROLES: Final = (
    (Role.OWNER, "Owner: everything"),
    (Role.DEVELOPER, "Developer: also API keys, webhooks and the request log"),
    (Role.STAFF, "Front desk: appointments, customers, calls, staff and services"),
    (Role.ANALYST, "Analyst: reads only"),
)


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Where the key is used: “Front desk”, “BI”.")
    expires_on = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The last day on which it is active (UTC). Empty: it does not expire.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in KNOWN_SCOPES],
        initial=list(ALL_SCOPES),
        widget=forms.CheckboxSelectMultiple,
    )
    allowed_cidrs = LinesField(
        required=False,
        label="Allowed addresses",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="CIDR blocks such as 203.0.113.0/24, one per line. Empty: any address.",
    )
    query_allowed = forms.BooleanField(
        required=False, initial=True, label="Accept it in the URL, as ?api_key="
    )

    def values(self) -> dict[str, Any]:
        """The arguments of `issue_api_key`."""
        values = dict(self.cleaned_data)
        last_day: date | None = values.pop("expires_on")
        end = last_day and datetime.combine(last_day, time(), UTC) + timedelta(days=1)
        return {**values, "expires_at": end}


class RotateKeyForm(forms.Form):
    grace = forms.TypedChoiceField(
        label="The old key stays active for",
        choices=[(0, "no time"), (1, "1 hour"), (24, "24 hours"), (72, "3 days"), (168, "7 days")],
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=24,
    )


class ReminderForm(forms.Form):
    reminder_hours = forms.IntegerField(
        label="Hours before the appointment",
        required=False,
        min_value=1,
        max_value=LONGEST_REMINDER_HOURS,
        help_text=f"1 to {LONGEST_REMINDER_HOURS}. Empty: no reminders.",
    )


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=150)
    role = forms.ChoiceField(choices=ROLES, initial=Role.STAFF)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class EndpointForm(RulesForm):
    field_order = ("url", "description", "event_types", "filters", "headers")

    url = forms.URLField(
        label="URL",
        max_length=2048,
        assume_scheme="https",
        help_text="Receives a POST for each event and responds with 2xx within 15 seconds.",
    )
    description = forms.CharField(max_length=200, required=False)
    event_types = EventTypesField(names_only=True)
    headers = HeadersField()


def submit(form: forms.Form, operation: Callable[[datetime], Result]) -> Result | None:
    """What `operation(now)` returns, where `form` was sent and is valid. None where nothing was done: an
    error of the operation is then shown in the form, at the fields that it names."""
    if not form.is_valid():  # neither is one that was not sent
        return None
    try:
        return operation(timezone.now())
    except DomainError as error:
        named = {field: texts for field, texts in error.errors.items() if field in form.fields}
        for field, texts in named.items():
            form.add_error(field, forms.ValidationError(texts))
        if not named:
            form.add_error(None, error.message)
        return None
