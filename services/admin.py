"""The admin's pages of services."""

from __future__ import annotations

from django.contrib import admin

from kaivox.businesses.admin_base import BusinessOwnedAdmin
from services.models import Service


@admin.register(Service)
class ServiceAdmin(BusinessOwnedAdmin):
    list_display = ("name", "business", "duration_minutes", "price", "is_active")
    list_select_related = ("business",)
    list_filter = ("business", "is_active")
    search_fields = ("name", "description")
    ordering = ("name", "pk")
    show_full_result_count = False
    fields = (
        "business",
        "name",
        "description",
        "duration_minutes",
        "buffer_before_minutes",
        "buffer_after_minutes",
        "price",
        "is_active",
    )
