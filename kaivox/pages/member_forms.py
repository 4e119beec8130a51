"""The forms of Settings → API & integrations."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms

from kaivox.businesses.admin_forms import LinesField
from kaivox.businesses.scopes import ALL_SCOPES
from webhooks.event_types import EVENT_TYPES, EVERYTHING


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Where it will be used: “Front desk”, “BI”.")
    expires_on = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The last day on which it works (UTC). Empty: it does not expire.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in ALL_SCOPES],
        initial=list(ALL_SCOPES),
        widget=forms.CheckboxSelectMultiple,
    )
    allowed_cidrs = LinesField(
        required=False,
        label="Allowed addresses",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Blocks such as 203.0.113.0/24, one a line. Empty: from anywhere.",
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


class EndpointForm(forms.Form):
    url = forms.URLField(
        label="URL",
        max_length=2048,
        assume_scheme="https",
        help_text="Gets a POST for each event and answers 2xx within 15 seconds.",
    )
    description = forms.CharField(max_length=200, required=False)
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[
            (EVERYTHING, "everything, also what is added later"),
            *((name, name) for name in EVENT_TYPES),
        ],
        initial=[EVERYTHING],
        widget=forms.CheckboxSelectMultiple,
    )
