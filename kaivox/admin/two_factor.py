"""Admin of authenticator apps: a superuser can remove one for a user who has lost it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from kaivox.businesses.models import AuthenticatorDevice

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[AuthenticatorDevice]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(AuthenticatorDevice)
class AuthenticatorDeviceAdmin(_ModelAdmin):
    list_display = ("user", "confirmed", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    ordering = ("user__username", "pk")
    fields = readonly_fields = ("user", "confirmed", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
