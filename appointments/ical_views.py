"""`GET /calendar/<token>.ics`, authenticated by the token: calendar programs send no headers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from kaivox.api.etags import make_etag, parse_etags
from staff.calendar_feeds import find_feed


def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """The feed of one member of staff; 404 for an unknown token, a deleted one alike.

    No response is stored by a cache or names its URL to others, as with `?api_key=`.
    """
    response = _calendar(request, token)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


@require_safe
def _calendar(request: HttpRequest, token: str) -> HttpResponse:
    # Imported late: the library needs 2.5 MB of memory, and few processes ever write a calendar.
    from appointments.ical import calendar_of

    feed = find_feed(token)
    if feed is None:
        return HttpResponse("There is no such calendar.\n", status=404, content_type="text/plain")
    feed.staff.business = feed.business
    content = calendar_of(feed.staff, timezone.now())
    headers = {"ETag": make_etag(content)}
    if headers["ETag"] in parse_etags(request.META.get("HTTP_IF_NONE_MATCH", "")):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Disposition"] = 'inline; filename="kaivox.ics"'
    return HttpResponse(content, content_type="text/calendar; charset=utf-8", headers=headers)
