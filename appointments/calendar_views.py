"""`GET /calendar/<token>.ics`: the token in the address is the key, as calendar programs need it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from kaivox.api.encoding import etag_of, tags_of
from staff.feeds import find_feed


@require_safe
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """A closed address and one that never was look alike."""
    # Here, as few processes ever write a calendar: the library takes 2.5 MB.
    from appointments.calendar import calendar_of

    feed = find_feed(token)
    if feed is None:
        return HttpResponse("There is no such calendar.\n", status=404, content_type="text/plain")
    feed.staff.business = feed.business
    written = calendar_of(feed.staff, timezone.now())
    headers = {
        "ETag": etag_of(written),
        "Cache-Control": "private, no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
    if headers["ETag"] in tags_of(request.META.get("HTTP_IF_NONE_MATCH", "")):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Disposition"] = 'inline; filename="kaivox.ics"'
    return HttpResponse(written, content_type="text/calendar; charset=utf-8", headers=headers)
