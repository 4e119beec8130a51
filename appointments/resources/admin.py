"""Admin of resources."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from appointments.resources import operations
from appointments.resources.models import Resource
from kaivox.admin.base import BusinessOwnedAdmin
from kaivox.admin.columns import active_column


@admin.register(Resource)
class ResourceAdmin(BusinessOwnedAdmin):
    list_display = ("state", "name", "kind", "capacity", "business")
    list_select_related = ("business",)
    list_filter = ("business", "is_active")
    search_fields = ("name", "kind")
    ordering = ("name", "pk")
    show_full_result_count = False
    fields = ("business", *operations.WRITABLE)
    state = active_column

    def save_model(self, request: HttpRequest, obj: Resource, form: Any, change: bool) -> None:
        values = {
            name: form.cleaned_data[name]
            for name in form.changed_data
            if name in operations.WRITABLE
        }
        if change:
            saved = operations.update_resource(
                business=obj.business, resource_id=obj.pk, changes=values
            )
        else:
            saved = operations.create_resource(business=obj.business, values=values)
        obj.__dict__.update(saved.__dict__)
