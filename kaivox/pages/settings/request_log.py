"""Settings → Request log: the API requests of the last days, and recent errors in groups."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from kaivox.admin.base import DEVELOPERS
from kaivox.api.values import parse_id
from kaivox.businesses.models import ApiKey, Business
from kaivox.pages.settings.access import Member, find_or_404, member_page, page
from kaivox.request_log.models import RequestLogEntry

PER_PAGE: Final = 50
_GROUPS: Final = 8
_GROUP_HOURS: Final = 24
# Errors that are grouped at most, so that a business with very many waits no longer than others.
_MAX_GROUPED: Final = 20_000
_STATUSES: Final = (
    ("", "All"),
    ("error", "Errors (4xx and 5xx)"),
    ("2", "2xx"),
    ("4", "4xx"),
    ("5", "5xx"),
    ("401", "401"),
    ("403", "403"),
    ("404", "404"),
    ("409", "409"),
    ("422", "422"),
    ("429", "429"),
)


class FilterForm(forms.Form):
    """Filters of the log; all are optional."""

    request_id = forms.CharField(label="Request id", required=False, max_length=128)
    status = forms.ChoiceField(choices=_STATUSES, required=False)
    path = forms.CharField(
        required=False, max_length=300, widget=forms.TextInput(attrs={"placeholder": "/api/v1/…"})
    )
    key = forms.ModelChoiceField(
        ApiKey.objects.none(), label="API key", required=False, empty_label="All"
    )

    def __init__(self, *args: Any, business: Business, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        status = str(self.data.get("status", ""))
        if status.isascii() and status.isdigit() and status not in dict(_STATUSES):
            # Of a link: any status may be chosen by number.
            self.fields["status"].choices = [*_STATUSES, (status, status)]  # type: ignore[attr-defined]
        self.fields["key"].queryset = ApiKey.objects.for_business(business).order_by("name", "pk")  # type: ignore[attr-defined]

    def apply(self, rows: Any) -> Any:
        """`rows` that match; no filter is applied for a value that is not valid."""
        values = self.cleaned_data if self.is_valid() else {}
        if request_id := values.get("request_id", "").strip():
            rows = rows.filter(request_id=request_id)
        if path := values.get("path", "").strip():
            rows = rows.filter(path__contains=path) | rows.filter(path_template__contains=path)
        if key := values.get("key"):
            rows = rows.filter(key=key)
        return rows.with_status(values.get("status", ""))


@require_safe
@member_page(roles=DEVELOPERS)
def requests(request: HttpRequest, member: Member) -> HttpResponse:
    """The newest requests first, with filters; pages by `before`, the id of the last one shown."""
    form = FilterForm(request.GET, business=member.business)
    rows = form.apply(RequestLogEntry.objects.for_business(member.business))
    before = parse_id(request.GET.get("before", ""))
    if before:
        rows = rows.filter(pk__lt=before)
    columns = rows.select_related("key").defer("request_body", "response_body")
    shown = list(columns.order_by("-pk")[: PER_PAGE + 1])
    entries, more = shown[:PER_PAGE], len(shown) > PER_PAGE
    filters = {
        name: str(value) for name, value in request.GET.items() if value and name != "before"
    }
    older = urlencode({**filters, "before": entries[-1].pk}) if more else ""
    return page(
        request,
        member,
        "requests",
        section="requests",
        form=form,
        entries=entries,
        older=older,
        newest=urlencode(filters) if before else None,
        is_filtered=bool(filters),
        groups=[] if filters or before else error_groups(member.business),
        days=settings.REQUEST_LOG_DAYS,
    )


@require_safe
@member_page(roles=DEVELOPERS)
def logged_request(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """One request with the bodies that were stored."""
    rows = RequestLogEntry.objects.for_business(member.business).select_related("key")
    entry = find_or_404(rows, pk)
    bodies = (("Request body", entry.request_body), ("Response body", entry.response_body))
    return page(
        request,
        member,
        "request",
        section="requests",
        entry=entry,
        bodies=[(title, _indented(body)) for title, body in bodies if body],
    )


def _indented(body: str) -> str:
    """`body` as JSON on several lines; as it is if it is not JSON, or was cut."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def error_groups(business: Business) -> list[dict[str, Any]]:
    """The errors of the last 24 hours by method, path and code: the most frequent first."""
    since = timezone.now() - timedelta(hours=_GROUP_HOURS)
    errors = RequestLogEntry.objects.for_business(business).errors()
    # The newest id from which on entries are counted: the index of errors is by id, not by time.
    oldest = errors.order_by("-pk").values_list("pk", flat=True)[_MAX_GROUPED : _MAX_GROUPED + 1]
    grouped = (
        errors.filter(at__gte=since, pk__gt=next(iter(oldest), 0))
        .values("method", "path_template", "status", "error_code")
        .annotate(count=Count("pk"), last_at=Max("at"), last_id=Max("pk"))
        .order_by("-count", "-last_id")
    )
    return list(grouped[:_GROUPS])
