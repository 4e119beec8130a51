"""`/.well-known/security.txt`: contact for vulnerability reports (RFC 9116)."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone


def security_txt(request: HttpRequest) -> HttpResponse:
    expires = (timezone.now() + timedelta(days=180)).replace(microsecond=0, second=0)
    lines = (
        f"Contact: {settings.SECURITY_CONTACT}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Policy: {settings.PUBLIC_URL}/docs/security",
        f"Canonical: {settings.PUBLIC_URL}/.well-known/security.txt",
    )
    return HttpResponse("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")
