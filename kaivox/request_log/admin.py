from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from kaivox.admin.base import DEVELOPERS, BusinessOwnedAdmin
from kaivox.admin.columns import Tone, badge, wrapping
from kaivox.request_log.models import RequestLogEntry


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status_class"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("error", "Errors"), ("4", "4xx"), ("5", "5xx"), ("2", "2xx")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.with_status(self.value() or "")


@admin.register(RequestLogEntry)
class RequestLogEntryAdmin(BusinessOwnedAdmin):
    """Read only: entries are what was requested."""

    view_roles = DEVELOPERS
    add_roles = change_roles = delete_roles = frozenset()
    badge_columns = ("result",)
    list_display = ("result", "request_line", "at", "key_name", "business")
    list_select_related = ("business", "key")
    list_filter = (StatusFilter, "business")
    search_fields = ("=request_id", "path", "=error_code")
    search_help_text = "A request id, a part of the path, or an error code."
    ordering = ("-pk",)
    fields = (
        "result", "at", "business", "method", "path", "query", "error_code", "duration_ms", "key",
        "user_name", "address", "request_id", "request_body", "response_body",
    )  # fmt: skip

    @admin.display(description="status")
    def result(self, entry: RequestLogEntry) -> SafeString:
        tone = (
            Tone.BAD if entry.status >= 500 else Tone.WARNING if entry.status >= 400 else Tone.GOOD
        )
        return badge(f"{entry.status} {entry.error_code}".rstrip(), tone)

    @admin.display(description="request")
    def request_line(self, entry: RequestLogEntry) -> SafeString:
        return wrapping(f"{entry.method} {entry.path}")

    @admin.display(description="API key")
    def key_name(self, entry: RequestLogEntry) -> str:
        return entry.key.name if entry.key else f"login {entry.user_name}"
