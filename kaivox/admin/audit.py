"""Admin of the audit trail: read only, with export as CSV or NDJSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from kaivox.admin.base import OWNERS, BusinessOwnedAdmin
from kaivox.admin.columns import breaking_column
from kaivox.api.export.streaming import escape_formula
from kaivox.api.streams import LimitedStream, TooManyStreams
from kaivox.businesses.audit import record_export
from kaivox.businesses.models import AuditEntry, Business

_COLUMNS: Final = (
    "id", "at", "business", "actor", "action", "subject", "changes", "request_id"
)  # fmt: skip
_CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_CHUNK_SIZE: Final = 250
# Counted as one business in the limit of streams: exports that have several, or none.
_SEVERAL: Final = 0


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
        """The entries of the list, with the same filters and search, the newest first, as a file. The
        audit of each business in it says so."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if format not in _CONTENT_TYPES:
            raise Http404
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            messages.error(request, "The filter of the list is not valid.")
            return HttpResponseRedirect(reverse("admin:businesses_auditentry_changelist"))
        rows = listed.get_queryset(request).order_by("-pk")
        # Without the entry of this export, as the rows are read after it is written.
        last = rows.order_by().aggregate(last=Max("pk"))["last"] or 0
        found = rows.order_by().filter(pk__lte=last).values("business")
        exported = list(Business.objects.filter(pk__in=found))
        write = _csv if format == "csv" else _ndjson
        try:
            lines = LimitedStream(
                exported[0].pk if len(exported) == 1 else _SEVERAL, write(_chunks(rows, last))
            )
        except TooManyStreams as error:
            messages.error(request, error.message)
            url = reverse("admin:businesses_auditentry_changelist")
            return HttpResponseRedirect(f"{url}?{request.GET.urlencode()}")
        try:
            self._record(request, exported, format)
        except BaseException:
            lines.close()
            raise
        name = f"kaivox-audit-{timezone.now():%Y-%m-%d}.{format}"
        return StreamingHttpResponse(
            lines,
            content_type=_CONTENT_TYPES[format],
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    def _record(self, request: HttpRequest, exported: Iterable[Business], format: str) -> None:
        for business in exported:
            record_export(
                business=business,
                actor=cast(User, request.user),
                resource=f"audit.{format}",
                filters=sorted(request.GET),
                now=timezone.now(),
            )


def _chunks(rows: QuerySet[Any], last: int) -> Iterator[list[tuple[Any, ...]]]:
    """`rows` from the id `last` down, each chunk a query of its own: no cursor of the database stays open
    while a slow client reads."""
    rows = rows.select_related("business")
    while entries := list(rows.filter(pk__lte=last)[:_CHUNK_SIZE]):
        yield [_values(entry) for entry in entries]
        last = entries[-1].pk - 1


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


def _csv(chunks: Iterable[Iterable[tuple[Any, ...]]]) -> Iterator[bytes]:
    yield _csv_lines([_COLUMNS])
    for rows in chunks:
        yield _csv_lines(
            [
                json.dumps(cell, ensure_ascii=False)
                if isinstance(cell, dict)
                else escape_formula(str(cell))
                for cell in row
            ]
            for row in rows
        )


def _csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = StringIO()
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def _ndjson(chunks: Iterable[Iterable[tuple[Any, ...]]]) -> Iterator[bytes]:
    for rows in chunks:
        objects = (dict(zip(_COLUMNS, row, strict=True)) for row in rows)
        yield "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects).encode()
