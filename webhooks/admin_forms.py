"""Forms of the webhook admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from kaivox.admin.base import TenantModelForm
from kaivox.errors import Invalid
from webhooks.custom_headers import MASK, MAX_HEADERS, masked_headers_of
from webhooks.event_filters import MAX_FILTERS, as_text, check_filters, from_text
from webhooks.event_types import ALL_EVENTS, EVENT_TYPES
from webhooks.models import MAX_RATE, Endpoint, RatePeriod

_TYPES = [
    (kind.name, f"{kind.name}: {kind.meaning.replace('`', '')}") for kind in EVENT_TYPES.values()
]


class EventTypesField(forms.MultipleChoiceField):
    """Event types of an endpoint: either all events, or single types."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, *, names_only: bool = False, **kwargs: Any) -> None:
        types = [(name, name) for name in EVENT_TYPES] if names_only else _TYPES
        choices = [(ALL_EVENTS, "All events, including types that are added later"), *types]
        super().__init__(choices=choices, initial=[ALL_EVENTS], label="Events", **kwargs)

    def clean(self, value: Any) -> list[str]:
        chosen: list[str] = super().clean(value)
        if ALL_EVENTS in chosen and len(chosen) > 1:
            raise forms.ValidationError("Choose either all events or single types, not both.")
        return chosen


class HeadersField(forms.CharField):
    """Headers as `Name: value`, one per line; validated as a dict."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        text = (
            f"Sent with every request, one per line: Authorization: Bearer …. At most {MAX_HEADERS}; "
            f"encrypted. Stored values are shown as {MASK}, which leaves a value unchanged."
        )
        super().__init__(**{"required": False, "label": "Own headers", "help_text": text, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{name}: {text}" for name, text in value.items())
        return value

    def to_python(self, value: Any) -> dict[str, str]:  # type: ignore[override]
        if isinstance(value, dict):
            return value
        found: dict[str, str] = {}
        for line in filter(None, map(str.strip, str(value or "").splitlines())):
            name, colon, text = line.partition(":")
            if not colon or name.strip() in found:
                raise forms.ValidationError(
                    "Write each header once, as “Name: value”, one per line."
                )
            found[name.strip()] = text.strip()
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class FiltersField(forms.CharField):
    """Filters as `data.status = no_show`, one per line; validated as a list."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        text = (
            "Only events for which all lines hold are sent: data.status in no_show, cancelled. "
            "Operators: =, !=, >, >=, <, <=, in, not in, contains. "
            f"At most {MAX_FILTERS}; empty: every event."
        )
        super().__init__(**{"required": False, "label": "Filters", "help_text": text, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return as_text(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        if isinstance(value, list):
            return value
        try:
            return check_filters(from_text(str(value or "")))
        except ValueError as error:
            raise forms.ValidationError(
                "Write “field operator value”, such as “data.status = no_show”, instead of: %(line)s",
                params={"line": error},
            ) from error
        except Invalid as error:
            raise forms.ValidationError(error.errors["filters"]) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return as_text(initial or []) != str(data or "").strip()


class RulesForm(forms.Form):
    """What an endpoint receives, and how fast."""

    filters = FiltersField()
    rate_limit = forms.IntegerField(
        required=False,
        initial=0,
        min_value=0,
        max_value=MAX_RATE,
        help_text="The most requests per period; the others wait. 0: no limit.",
    )
    rate_limit_period = forms.ChoiceField(
        choices=RatePeriod.choices, required=False, initial=RatePeriod.MINUTE, label="Period"
    )
    in_order = forms.BooleanField(
        required=False,
        label="In order",
        help_text="Events of one object are sent one after the other: a failed one delays only the "
        "later ones of its object.",
    )

    def clean_rate_limit(self) -> int:
        return self.cleaned_data["rate_limit"] or 0

    def clean_rate_limit_period(self) -> str:
        return self.cleaned_data["rate_limit_period"] or RatePeriod.MINUTE


def initial_rules(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "filters": endpoint.filters or [],
        "rate_limit": endpoint.rate_limit,
        "rate_limit_period": endpoint.rate_limit_period,
        "in_order": endpoint.in_order,
    }


class EndpointForm(TenantModelForm):
    headers = HeadersField()
    event_types = EventTypesField()
    filters = FiltersField()

    class Meta:
        model = Endpoint
        fields = (
            "business",
            "url",
            "description",
            "event_types",
            "max_in_flight",
            "rate_limit",
            "rate_limit_period",
            "in_order",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["headers"] = masked_headers_of(self.instance) or {}
            self.initial["filters"] = self.instance.filters or []


class RotateSecretForm(forms.Form):
    grace = forms.TypedChoiceField(
        label="The old secret signs too for",
        choices=[(0, "no time"), (1, "1 hour"), (24, "24 hours"), (72, "3 days"), (168, "7 days")],
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=24,
    )


class TestEventForm(forms.Form):
    __test__ = False  # pytest collects by name

    event_type = forms.ChoiceField(choices=_TYPES)


class ReplayForm(forms.Form):
    since = forms.TypedChoiceField(
        label="What it missed in",
        choices=[
            (1, "the last hour"),
            (24, "the last 24 hours"),
            (72, "the last 3 days"),
            (168, "the last 7 days"),
            (720, "the last 30 days"),
        ],
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=24,
    )
