"""Actions of the admin on the series or visit of an appointment."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone

from appointments.admin_forms import CancelForm
from appointments.models import Appointment, AppointmentStatus
from appointments.series.operations import cancel_series
from appointments.visits.operations import cancel_visit
from kaivox.admin.base import WRITERS
from kaivox.admin.object_actions import ObjectAction

Values = dict[str, Any]


def _cancel_following(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    assert appointment.series is not None  # noqa: S101 - for mypy: offered for series alone
    cancel_series(
        series=appointment.series,
        first=appointment,
        reason=values["reason"],
        overrides_window=True,
        now=timezone.now(),
    )
    return "Cancelled. Their times are free again."


def _cancel_visit(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    assert appointment.visit is not None  # noqa: S101 - for mypy: offered for visits alone
    cancel_visit(
        visit=appointment.visit,
        reason=values["reason"],
        overrides_window=True,
        now=timezone.now(),
    )
    return "Cancelled. Its times are free again."


def _is_scheduled_in(group: str) -> Any:
    def is_offered(appointment: Appointment) -> bool:
        is_scheduled = appointment.status == AppointmentStatus.SCHEDULED
        return is_scheduled and getattr(appointment, f"{group}_id") is not None

    return is_offered


GROUP_ACTIONS: Final = (
    ObjectAction(
        "cancel-following",
        "Cancel this and the following",
        "This appointment of the series and all scheduled ones after it. This cannot be undone.",
        _cancel_following,
        dismiss_label="Keep appointments",
        form=CancelForm,
        is_offered=_is_scheduled_in("series"),
        roles=WRITERS,
    ),
    ObjectAction(
        "cancel-visit",
        "Cancel visit",
        "All scheduled appointments of the visit. This cannot be undone.",
        _cancel_visit,
        dismiss_label="Keep visit",
        form=CancelForm,
        is_offered=_is_scheduled_in("visit"),
        roles=WRITERS,
    ),
)
