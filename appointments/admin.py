"""The admin's pages of appointments. Every change goes through the operations: the same rules and
the same events as for the API."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from appointments import operations
from appointments.admin_forms import BookingForm, CancelForm, move_form, start_of
from appointments.models import Appointment, Status
from appointments.outside_hours import outside_hours
from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import EVERYONE, WRITERS, OneBusinessForm, businesses_where
from kaivox.businesses.models import Business

Values = dict[str, Any]


def _move(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    business = appointment.business
    moved = operations.reschedule_appointment(
        business=business,
        appointment_id=appointment.pk,
        start=start_of(values["day"], values["time"], business.zone),
        staff=values["staff"],
        now=timezone.now(),
    )
    return f"It is at {_local(moved)} with {moved.staff} now."


def _cancel(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    operations.cancel_appointment(
        business=appointment.business,
        appointment_id=appointment.pk,
        reason=values["reason"],
        now=timezone.now(),
    )
    return "It is cancelled, and its time is free."


def _complete(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    operations.complete_appointment(
        business=appointment.business, appointment_id=appointment.pk, now=timezone.now()
    )
    return "It is completed."


def _mark_no_show(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    operations.mark_no_show(
        business=appointment.business, appointment_id=appointment.pk, now=timezone.now()
    )
    return "The customer did not come."


def _local(appointment: Appointment) -> str:
    return f"{appointment.start_time.astimezone(appointment.business.zone):%a %d %b %Y, %H:%M}"


def _is_scheduled(appointment: Appointment) -> bool:
    return appointment.status == Status.SCHEDULED


def _can_become(status: str) -> Any:
    def is_offered(appointment: Appointment) -> bool:
        has_begun = appointment.start_time <= timezone.now()
        return has_begun and appointment.status not in (status, Status.CANCELLED)

    return is_offered


class OutsideHoursFilter(admin.SimpleListFilter):
    """Appointments that stand, but that nobody could book any more: closed, time off, other hours."""

    title = "working hours"
    parameter_name = "outside_hours"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "outside by now")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        now = timezone.now()
        businesses = Business.objects.all()
        if not request.user.is_superuser:
            businesses = businesses.filter(pk__in=businesses_where(request, EVERYONE))
        found = [pk for business in businesses for pk in outside_hours(business, now=now)]
        return queryset.filter(pk__in=found)


@admin.register(Appointment)
class AppointmentAdmin(ActsAdmin):
    delete_roles = frozenset()  # a cancelled appointment stays: others have been told of it
    list_display = ("when", "customer", "service", "staff", "status", "business")
    list_display_links = ("when",)
    list_select_related = ("business", "customer", "service", "staff")
    list_filter = ("business", "status", OutsideHoursFilter, "staff")
    search_fields = ("=id", "customer__name", "customer__phone")
    # The latest bookings first; a week by its times is in the calendar. Over all businesses only the
    # key has an index.
    ordering = ("-pk",)
    show_full_result_count = False
    autocomplete_fields = ("customer", "service", "staff")
    acts = (
        Act(
            "move",
            "Move",
            "All booking rules hold for the new time. The customer's systems are told by webhook.",
            _move,
            form_for=move_form,
            is_offered=_is_scheduled,
            roles=WRITERS,
        ),
        Act(
            "cancel",
            "Cancel",
            "Its time is free at once. This cannot be undone.",
            _cancel,
            form=CancelForm,
            is_offered=_is_scheduled,
            roles=WRITERS,
        ),
        Act(
            "complete",
            "Completed",
            "The customer came.",
            _complete,
            is_offered=_can_become(Status.COMPLETED),
            roles=WRITERS,
        ),
        Act(
            "no-show",
            "No-show",
            "The customer did not come.",
            _mark_no_show,
            is_offered=_can_become(Status.NO_SHOW),
            roles=WRITERS,
        ),
    )
    shown = (
        "when",
        "until",
        "customer",
        "service",
        "staff",
        "status",
        "cancellation_reason",
        "duration_minutes",
        "price",
        "currency",
        "source",
        "call_id",
        "created_at",
        "updated_at",
    )

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = BookingForm if obj is None else OneBusinessForm
        return super().get_form(request, obj, change=change, form=form, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["business", "customer", "service", "staff", "day", "time", "notes"]
        return ["business", *self.shown, "notes"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("business", *self.shown)

    @admin.display(description="when", ordering="start_time")
    def when(self, appointment: Appointment) -> str:
        return _local(appointment)

    @admin.display(description="until")
    def until(self, appointment: Appointment) -> str:
        return f"{appointment.end_time.astimezone(appointment.business.zone):%H:%M}"

    def save_model(self, request: HttpRequest, obj: Appointment, form: Any, change: bool) -> None:
        values = form.cleaned_data
        if change:
            saved = operations.edit_appointment(
                business=obj.business, appointment_id=obj.pk, changes={"notes": values["notes"]}
            )
        else:
            saved = operations.book_appointment(
                business=values["business"],
                customer=values["customer"],
                service=values["service"],
                staff=values["staff"],
                start=start_of(values["day"], values["time"], values["business"].zone),
                notes=values["notes"],
                source="admin",
                now=timezone.now(),
            )
        obj.__dict__.update(saved.__dict__)
