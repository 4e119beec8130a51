"""The admin site of KaiVox's staff: its front page and the calendar."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone

# What the staff work with first; logins, groups and second factors last, under one heading.
_ORDER: Final = (
    "appointments", "customers", "calls", "staff", "services", "webhooks", "businesses", "ratelimits"
)  # fmt: skip
_LOGINS: Final = ("auth", "axes", "otp_totp", "otp_static")


class KaivoxAdminSite(AdminSite):
    site_header = "KaiVox"
    site_title = "KaiVox"
    index_title = "Overview"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # The admin is set up before any model is there to import.
        from kaivox.pages.calendar import calendar

        return [
            path("calendar/", self.admin_view(calendar), name="calendar"),
            *super().get_urls(),
        ]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        from kaivox.pages.overview import overview

        return super().index(
            request, {**overview(request, timezone.now()), **(extra_context or {})}
        )

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        logins = [app for app in apps if app["app_label"] in _LOGINS]
        rest = sorted((app for app in apps if app["app_label"] not in _LOGINS), key=_place)
        if not logins:
            return rest
        models = [model for app in logins for model in app["models"]]
        return [*rest, {**logins[0], "name": "Logins", "models": models}]


def _place(app: dict[str, Any]) -> tuple[int, str]:
    label = app["app_label"]
    return (_ORDER.index(label) if label in _ORDER else len(_ORDER), label)
