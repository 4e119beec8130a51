"""Admin of appointments. Changes call the operations, so the rules and the events are the API's."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone

from appointments import operations
from appointments.admin_forms import BookingForm, CancelForm, confirmation_form, move_form, start_of
from appointments.admin_free_times import free_times
from appointments.groups.admin import GROUP_ACTIONS
from appointments.models import Appointment, AppointmentStatus
from appointments.outside_hours import outside_hours
from appointments.waitlist.admin import WaitlistEntryAdmin as WaitlistEntryAdmin  # registers itself
from kaivox.admin.base import EVERYONE, WRITERS, TenantModelForm, businesses_where
from kaivox.admin.columns import Tone, local_time, status_column
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from kaivox.businesses.models import Business

Values = dict[str, Any]

_TONES: Final = {
    AppointmentStatus.SCHEDULED: Tone.INFO,
    AppointmentStatus.COMPLETED: Tone.GOOD,
    AppointmentStatus.NO_SHOW: Tone.BAD,
    AppointmentStatus.CANCELLED: Tone.QUIET,
}


def _move(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    business = appointment.business
    moved = operations.reschedule_appointment(
        business=business,
        appointment_id=appointment.pk,
        start=start_of(values["day"], values["time"], business.zone),
        staff=values.get("staff"),
        party_size=values["party_size"],
        overrides_window=True,
        now=timezone.now(),
    )
    who = f" with {moved.staff}" if moved.staff else ""
    return f"Moved to {_local(moved)}{who}."


def _cancel(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    operations.cancel_appointment(
        business=appointment.business,
        appointment_id=appointment.pk,
        reason=values["reason"],
        overrides_window=True,
        now=timezone.now(),
    )
    return "Cancelled. Its time is free again."


def _set_confirmation(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    changed = operations.update_details(
        business=appointment.business, appointment_id=appointment.pk, changes=values
    )
    return f"Confirmation: {changed.get_confirmation_display()}."


def _complete(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    operations.complete_appointment(
        business=appointment.business, appointment_id=appointment.pk, now=timezone.now()
    )
    return "Marked as completed."


def _mark_no_show(request: HttpRequest, appointment: Appointment, values: Values) -> str:
    operations.mark_no_show(
        business=appointment.business, appointment_id=appointment.pk, now=timezone.now()
    )
    return "Marked as no-show."


def _local(appointment: Appointment) -> str:
    return local_time(appointment.start_time, appointment.business.zone)


def _is_scheduled(appointment: Appointment) -> bool:
    return appointment.status == AppointmentStatus.SCHEDULED


def _can_become(status: str) -> Any:
    def is_offered(appointment: Appointment) -> bool:
        has_begun = appointment.start_time <= timezone.now()
        return has_begun and appointment.status not in (status, AppointmentStatus.CANCELLED)

    return is_offered


class OutsideHoursFilter(admin.SimpleListFilter):
    """Scheduled appointments that are outside the present working hours of their staff."""

    title = "working hours"
    parameter_name = "outside_hours"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Outside working hours")]

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
class AppointmentAdmin(ObjectActionsAdmin):
    delete_roles = frozenset()  # cancelled instead: webhook receivers know of it
    list_display = ("state", "when", "customer", "service", "staff", "business")
    list_select_related = ("business", "customer", "service", "staff")
    list_filter = ("business", "status", "confirmation", OutsideHoursFilter, "staff")
    search_fields = ("=id", "customer__name", "customer__phone")
    # The latest bookings first; the calendar shows them by time. Over all businesses only the primary
    # key has an index.
    ordering = ("-pk",)
    show_full_result_count = False
    autocomplete_fields = ("customer", "service", "staff")
    object_actions = (
        ObjectAction(
            "move",
            "Move",
            "All booking rules apply to the new time. Webhooks are sent.",
            _move,
            dismiss_label="Keep the present time",
            form_for=move_form,
            is_offered=_is_scheduled,
            roles=WRITERS,
        ),
        ObjectAction(
            "confirmation",
            "Set confirmation",
            "Whether the customer has said that they will come.",
            _set_confirmation,
            form_for=confirmation_form,
            is_offered=_is_scheduled,
            roles=WRITERS,
        ),
        ObjectAction(
            "cancel",
            "Cancel appointment",
            "Its time becomes free immediately. This cannot be undone.",
            _cancel,
            dismiss_label="Keep appointment",
            form=CancelForm,
            is_offered=_is_scheduled,
            roles=WRITERS,
        ),
        ObjectAction(
            "complete",
            "Mark as completed",
            "The customer came.",
            _complete,
            is_offered=_can_become(AppointmentStatus.COMPLETED),
            roles=WRITERS,
        ),
        ObjectAction(
            "no-show",
            "Mark as no-show",
            "The customer did not come.",
            _mark_no_show,
            is_offered=_can_become(AppointmentStatus.NO_SHOW),
            roles=WRITERS,
        ),
        *GROUP_ACTIONS,
    )
    shown = (
        "state",
        "confirmation",
        "when",
        "until",
        "customer",
        "service",
        "staff",
        "cancellation_reason",
        "duration_minutes",
        "party_size",
        "price",
        "currency",
        "source",
        "call_id",
        "series",
        "visit",
        "created_at",
        "updated_at",
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(free_times)
        return [path("free-times/", view, name="appointments_free_times"), *super().get_urls()]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = BookingForm if obj is None else TenantModelForm
        return super().get_form(request, obj, change=change, form=form, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [
                "business",
                "customer",
                "service",
                "staff",
                "party_size",
                "day",
                "time",
                "notes",
            ]
        return ["business", *self.shown, "notes"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("business", *self.shown)

    state = status_column("status", _TONES)

    @admin.display(description="when", ordering="start_time")
    def when(self, appointment: Appointment) -> str:
        return _local(appointment)

    @admin.display(description="until")
    def until(self, appointment: Appointment) -> str:
        return f"{appointment.end_time.astimezone(appointment.business.zone):%H:%M %Z}"

    def save_model(self, request: HttpRequest, obj: Appointment, form: Any, change: bool) -> None:
        values = form.cleaned_data
        if change:
            saved = operations.update_details(
                business=obj.business, appointment_id=obj.pk, changes={"notes": values["notes"]}
            )
        else:
            saved = operations.book_appointment(
                business=values["business"],
                customer=values["customer"],
                service=values["service"],
                staff=values["staff"],
                party_size=values["party_size"],
                start=start_of(values["day"], values["time"], values["business"].zone),
                notes=values["notes"],
                source="admin",
                now=timezone.now(),
            )
        obj.__dict__.update(saved.__dict__)
