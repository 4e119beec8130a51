"""Admin of services."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from kaivox.admin.base import BusinessOwnedAdmin, TenantModelForm
from kaivox.admin.changelists import FoldedSearch
from kaivox.admin.columns import active_column
from kaivox.admin.row_fields import LinesField
from services import operations
from services.models import Service

_RULES: Final = (
    "minimum_notice_minutes",
    "horizon_days",
    "daily_cap",
    "cancellation_window_minutes",
    "reschedule_window_minutes",
)


class ServiceForm(TenantModelForm):
    resource_kinds = LinesField(
        required=False,
        help_text="Kinds of resources of which each booking reserves one, one per line: chair.",
    )

    class Meta:
        model = Service
        fields = ("business", *operations.WRITABLE)


@admin.register(Service)
class ServiceAdmin(FoldedSearch, BusinessOwnedAdmin):
    form = ServiceForm
    list_display = ("state", "name", "business", "duration_minutes", "price")
    list_select_related = ("business",)
    list_filter = ("business", "is_active")
    search_fields = ("search_text",)
    ordering = ("name", "pk")
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {"fields": ("business", *(one for one in operations.WRITABLE if one not in _RULES))},
        ),
        ("Booking rules", {"fields": _RULES}),
    )
    state = active_column

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        values = {
            name: form.cleaned_data[name]
            for name in form.changed_data
            if name in operations.WRITABLE
        }
        now = timezone.now()
        if change:
            saved = operations.update_service(
                business=obj.business, service_id=obj.pk, changes=values, now=now
            )
        else:
            saved = operations.create_service(business=obj.business, values=values, now=now)
        obj.__dict__.update(saved.__dict__)
