"""The admin's forms of webhooks."""

from __future__ import annotations

from datetime import timedelta

from django import forms

from kaivox.businesses.admin_base import OneBusinessForm
from webhooks.event_types import EVENT_TYPES, EVERYTHING
from webhooks.models import Endpoint

_TYPES = [(kind.name, f"{kind.name}: {kind.meaning}") for kind in EVENT_TYPES.values()]


class EndpointForm(OneBusinessForm):
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(EVERYTHING, "everything, also what is added later"), *_TYPES],
        initial=[EVERYTHING],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Endpoint
        fields = ("business", "url", "description", "event_types", "max_in_flight")


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
