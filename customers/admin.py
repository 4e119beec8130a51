"""Admin of customers. Every change goes through the operations."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from customers import operations
from customers.models import Customer, Segment
from customers.phones import MAX_LENGTH, to_e164
from kaivox.admin.base import TenantModelForm
from kaivox.admin.changelists import FoldedSearch
from kaivox.admin.columns import Tone, breaking_column, status_column
from kaivox.admin.object_actions import ObjectActionsAdmin
from kaivox.businesses.models import Business

_SETTABLE = (
    "name",
    "phone",
    "email",
    "segment",
    "pipeline_stage",
    "source",
    "notes",
    "metadata",
)
_TONES: Final = {
    Segment.LEAD: Tone.INFO,
    Segment.ACTIVE: Tone.GOOD,
    Segment.INACTIVE: Tone.QUIET,
    Segment.VIP: Tone.WARNING,
}


class CustomerForm(TenantModelForm):
    phone = forms.CharField(
        max_length=MAX_LENGTH,
        required=False,
        help_text="With country code, or as dialled in the business's own country.",
    )

    class Meta:
        model = Customer
        fields = ("business", *_SETTABLE)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        business: Business | None = values.get("business") or (
            self.instance.business if self.instance.pk else None
        )
        if business is not None and values.get("phone"):
            try:
                values["phone"] = to_e164(values["phone"], country=business.country)
            except ValueError as error:
                self.add_error("phone", str(error))
        return values


@admin.register(Customer)
class CustomerAdmin(FoldedSearch, ObjectActionsAdmin):
    form = CustomerForm
    delete_roles = frozenset()  # appointments and calls refer to them; erasing is an action
    badge_columns = ("group",)
    list_display = ("group", "name", "phone", "mail", "pipeline_stage", "visits", "business")
    list_select_related = ("business",)
    list_filter = ("business", "segment", "pipeline_stage")
    search_fields = ("search_text",)
    ordering = ("-pk",)
    show_full_result_count = False
    readonly_fields = (
        "total_appointments",
        "total_spent",
        "last_visit_at",
        "last_booked_at",
        "created_at",
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("business", *(name for name in _SETTABLE if name != "metadata"))
        return fields if obj is None else (*fields, *self.readonly_fields)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Metadata folded: it is JSON of programs that use the API."""
        metadata = {"fields": ("metadata",), "classes": ("collapse",)}
        return [(None, {"fields": self.get_fields(request, obj)}), ("Metadata", metadata)]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        erased = isinstance(obj, Customer) and obj.is_erased
        return not erased and super().has_change_permission(request, obj)

    group = status_column("segment", _TONES)
    mail = breaking_column("email", "e-mail")

    @admin.display(description="visits", ordering="total_appointments")
    def visits(self, customer: Customer) -> int:
        return customer.total_appointments

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data if name in _SETTABLE}
        now = timezone.now()
        if change:
            saved = operations.update_customer(
                business=form.instance.business, customer_id=obj.pk, changes=values, now=now
            )
        else:
            saved = operations.create_customer(
                business=form.cleaned_data["business"], now=now, **{"source": "admin"} | values
            )
        obj.__dict__.update(saved.__dict__)
