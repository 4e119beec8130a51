"""Whom a browser speaks for: signing in with a key, and choosing the business to act as."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from kaivox.businesses.browser_keys import forget_key, sign_in_with_key
from kaivox.businesses.models import Business


@require_POST
def use_key(request: HttpRequest) -> HttpResponse:
    """Signs this browser in with a key; the session keeps which one, never the key."""
    if not sign_in_with_key(request, request.POST.get("key", "").strip()):
        messages.error(request, "This API key is not valid.")
    return back(request, "/api/v1/")


@require_POST
def drop_key(request: HttpRequest) -> HttpResponse:
    forget_key(request)
    return back(request, "/api/v1/")


@require_POST
def act_as(request: HttpRequest) -> HttpResponse:
    """As which of their businesses a person of the staff acts from now on."""
    chosen = request.POST.get("business", "")
    rows = Business.objects.all()
    if not getattr(request.user, "is_superuser", False):
        rows = rows.filter(memberships__user_id=request.user.pk)
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        found = rows.filter(pk=int(chosen)).first()
        if found is not None and request.user.is_authenticated:
            request.session["acting_business_id"] = found.pk
    return back(request, "/api/v1/")


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """To the page that the form stood on; never to another site."""
    wanted = request.POST.get("next", "")
    here = {request.get_host()}
    if not url_has_allowed_host_and_scheme(wanted, here, require_https=request.is_secure()):
        wanted = otherwise
    return redirect(wanted)
