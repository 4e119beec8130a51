"""The admin site: index page, additional pages, order of the apps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone

from kaivox.admin.changelists import CheckedChangeListMixin
from kaivox.admin.columns import EMPTY
from kaivox.businesses.audit import set_current_actor
from kaivox.registry import Registry

# Daily work first; users, groups and two-factor devices last, under one heading.
_ORDER: Final = (
    "appointments", "customers", "calls", "staff", "services", "resources", "webhooks", "request_log", "businesses",
    "ratelimits",
)  # fmt: skip
# Additional pages, or replacements of Django's: a view by its URL name.
site_views: Final[Registry[Callable[..., HttpResponseBase]]] = Registry("additional admin pages")
# Context of the index page: functions `(request, now) -> context`.
index_context: Final[Registry[Callable[..., Mapping[str, Any]]]] = Registry(
    "context of the admin index"
)
_LOGIN_APPS: Final = ("auth", "axes", "otp_totp", "otp_static")
# Its page would show and store seeds in clear text; `kaivox.admin.two_factor` replaces it.
_REPLACED: Final = ("otp_totp.TOTPDevice",)


class KaivoxAdminSite(AdminSite):
    site_header = "KaiVox"
    site_title = "KaiVox"
    index_title = "Overview"
    empty_value_display = EMPTY

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Adds `CheckedChangeListMixin` to every ModelAdmin, also to those of other packages."""
        if getattr(getattr(model_or_iterable, "_meta", None), "label", "") in _REPLACED:
            return
        plain = admin_class or ModelAdmin
        checked = type(plain.__name__, (CheckedChangeListMixin, plain), {})
        super().register(model_or_iterable, checked, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Also names the person of each admin request for the events that it records."""
        may = super().has_permission(request)
        if may:
            set_current_actor(request.user)  # type: ignore[arg-type]
        return may

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own = [
            path(f"{name}/", self.admin_view(view), name=name)
            for name in site_views.keys
            for view in site_views.all(name)
        ]
        return [*own, *super().get_urls()]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context: dict[str, Any] = {}
        for provide in index_context.all():
            context |= provide(request, timezone.now())
        return super().index(request, context | (extra_context or {}))

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        logins = [app for app in apps if app["app_label"] in _LOGIN_APPS]
        rest = sorted((app for app in apps if app["app_label"] not in _LOGIN_APPS), key=_sort_key)
        if not logins:
            return rest
        models = [model for app in logins for model in app["models"]]
        return [*rest, {**logins[0], "name": "Logins", "models": models}]


def _sort_key(app: dict[str, Any]) -> tuple[int, str]:
    label = app["app_label"]
    return (_ORDER.index(label) if label in _ORDER else len(_ORDER), label)
