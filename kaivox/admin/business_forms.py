"""Admin forms of businesses and API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from kaivox.admin.base import TenantModelForm
from kaivox.admin.choices import countries, currencies, timezones
from kaivox.admin.row_fields import LinesField
from kaivox.businesses.auth.scopes import ALL_SCOPES, KNOWN_SCOPES
from kaivox.businesses.models import ApiKey, Business, Plan


class BusinessForm(TenantModelForm):
    cors_origins = LinesField(
        required=False,
        label="CORS origins",
        help_text="Origins of web pages that may call the API, one per line: https://book.example.com",
    )

    class Meta:
        model = Business
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (
            ("timezone", timezones),
            ("country", countries),
            ("currency", currencies),
        ):
            if name in self.fields:
                self.fields[name].widget = forms.Select(
                    choices=choices(getattr(self.instance, name))
                )


class ApiKeyForm(TenantModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in KNOWN_SCOPES],
        initial=list(ALL_SCOPES),
        widget=forms.CheckboxSelectMultiple,
    )
    allowed_cidrs = LinesField(
        required=False,
        label="Allowed addresses",
        help_text="CIDR blocks such as 203.0.113.0/24, one per line. Empty: any address.",
    )

    class Meta:
        model = ApiKey
        fields = ("business", "name", "scopes", "allowed_cidrs", "query_allowed", "expires_at")


class RotateForm(forms.Form):
    grace = forms.TypedChoiceField(
        label="The old key stays active for",
        choices=[(0, "no time"), (1, "1 hour"), (24, "24 hours"), (72, "3 days"), (168, "7 days")],
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=24,
    )


class PlanForm(forms.Form):
    plan = forms.ChoiceField(choices=Plan)
