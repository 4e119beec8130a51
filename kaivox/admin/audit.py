"""Admin of the audit trail: read only, with export as CSV or NDJSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, Final, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone

from kaivox.admin.base import OWNERS, BusinessOwnedAdmin
from kaivox.admin.columns import breaking_column
from kaivox.api.export.streaming import escape_formula
from kaivox.businesses.audit import record_export
from kaivox.businesses.models import AuditEntry, Business

_COLUMNS: Final = (
    "id", "at", "business", "actor", "action", "subject", "changes", "request_id"
)  # fmt: skip
_CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_CHUNK_SIZE: Final = 1_000


@admin.register(AuditEntry)
class AuditEntryAdmin(BusinessOwnedAdmin):
    """Read only for everyone: an audit entry cannot be changed."""

    view_roles = OWNERS
    add_roles = change_roles = delete_roles = frozenset()
    change_list_template = "admin/audit_change_list.html"
    list_display = ("at", "business", "by", "event", "subject")
    list_select_related = ("business",)
    list_filter = ("business", "at")
    search_fields = ("action", "subject", "actor_name", "request_id")
    ordering = ("-pk",)
    fields = ("at", "business", "by", "action", "subject", "changes", "request_id")
    readonly_fields = ("by",)

    event = breaking_column("action")

    @admin.display(description="by", ordering="actor_name")
    def by(self, entry: AuditEntry) -> str:
        return entry.actor_name

    def get_urls(self) -> list[URLPattern]:
        export = path(
            "export.<str:format>",
            self.admin_site.admin_view(self.export_view),
            name="businesses_auditentry_export",
        )
        return [export, *super().get_urls()]

    def export_view(self, request: HttpRequest, format: str) -> HttpResponseBase:
        """The entries of the list, with the same filters and search, as a file. The audit of each
        business in it says so."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if format not in _CONTENT_TYPES:
            raise Http404
        rows = self.get_changelist_instance(request).get_queryset(request)
        # Without the entry of this export, as the rows are read after it is written.
        rows = rows.filter(pk__lte=rows.order_by().aggregate(last=Max("pk"))["last"] or 0)
        self._record(request, rows, format)
        entries = rows.select_related("business").iterator(chunk_size=_CHUNK_SIZE)
        write = _csv if format == "csv" else _ndjson
        name = f"kaivox-audit-{timezone.now():%Y-%m-%d}.{format}"
        return StreamingHttpResponse(
            write(_values(entry) for entry in entries),
            content_type=_CONTENT_TYPES[format],
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    def _record(self, request: HttpRequest, rows: QuerySet[Any], format: str) -> None:
        exported = Business.objects.filter(pk__in=rows.order_by().values("business"))
        for business in exported:
            record_export(
                business=business,
                actor=cast(User, request.user),
                resource=f"audit.{format}",
                filters=sorted(request.GET),
                now=timezone.now(),
            )


def _values(entry: AuditEntry) -> tuple[Any, ...]:
    return (
        entry.pk,
        f"{entry.at:%Y-%m-%dT%H:%M:%SZ}",
        entry.business.slug,
        entry.actor_name,
        entry.action,
        entry.subject,
        entry.changes,
        entry.request_id,
    )


def _csv(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    yield _csv_line(_COLUMNS)
    for row in rows:
        yield _csv_line(
            json.dumps(cell, ensure_ascii=False)
            if isinstance(cell, dict)
            else escape_formula(str(cell))
            for cell in row
        )


def _csv_line(cells: Iterable[Any]) -> str:
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _ndjson(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(dict(zip(_COLUMNS, row, strict=True)), ensure_ascii=False) + "\n"
