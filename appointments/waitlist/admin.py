"""Admin of the waiting list. Changes call the operations, so the rules and the events are the API's."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from appointments.waitlist import operations as waitlist
from appointments.waitlist.models import WaitlistEntry, WaitlistStatus
from kaivox.admin.base import WRITERS
from kaivox.admin.columns import Tone, local_time, status_column
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin

_TONES: Final = {
    WaitlistStatus.WAITING: Tone.INFO,
    WaitlistStatus.OFFERED: Tone.INFO,
    WaitlistStatus.BOOKED: Tone.GOOD,
    WaitlistStatus.EXPIRED: Tone.QUIET,
    WaitlistStatus.CANCELLED: Tone.QUIET,
}


def _remove(request: HttpRequest, entry: WaitlistEntry, values: dict[str, Any]) -> str:
    waitlist.leave_waitlist(business=entry.business, entry_id=entry.pk, now=timezone.now())
    return "Removed from the waiting list."


def _is_open(entry: WaitlistEntry) -> bool:
    return entry.status in (WaitlistStatus.WAITING, WaitlistStatus.OFFERED)


@admin.register(WaitlistEntry)
class WaitlistEntryAdmin(ObjectActionsAdmin):
    delete_roles = frozenset()  # removed from the list instead: the row says what happened
    list_display = ("state", "customer", "service", "staff", "date_from", "date_to", "business")
    list_select_related = ("business", "customer", "service", "staff")
    list_filter = ("business", "status")
    search_fields = ("=id", "customer__name", "customer__phone")
    ordering = ("-pk",)
    show_full_result_count = False
    autocomplete_fields = ("customer", "service", "staff")
    object_actions = (
        ObjectAction(
            "remove",
            "Remove from the waiting list",
            "A time that is held for the customer becomes free immediately.",
            _remove,
            dismiss_label="Keep waiting",
            is_offered=_is_open,
            roles=WRITERS,
        ),
    )
    asked = (
        "business",
        "customer",
        "service",
        "staff",
        "date_from",
        "date_to",
        "part_of_day",
        "party_size",
    )
    shown = ("state", "offered_time", "offered_staff", "offer_expires", "unanswered_offers")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: an entry is removed, and another added."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.asked if obj is None else (*self.asked, *self.shown, "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    state = status_column("status", _TONES)

    @admin.display(description="offered time")
    def offered_time(self, entry: WaitlistEntry) -> str:
        start = entry.offered_start_time
        return "-" if start is None else local_time(start, entry.business.zone)

    @admin.display(description="offer ends")
    def offer_expires(self, entry: WaitlistEntry) -> str:
        end = entry.offer_expires_at
        return "-" if end is None else local_time(end, entry.business.zone)

    def save_model(self, request: HttpRequest, obj: WaitlistEntry, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in self.asked}
        saved = waitlist.join_waitlist(now=timezone.now(), **values)
        obj.__dict__.update(saved.__dict__)
