"""Session endpoints of the browsable API: signing in with an API key, choosing a business."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from kaivox.api.request_context import context_of
from kaivox.api.values import parse_id
from kaivox.businesses.auth.session_keys import forget_key, sign_in_with_key
from kaivox.businesses.models import Business
from ratelimits.middleware import too_many_bad_keys


@require_POST
def use_key(request: HttpRequest) -> HttpResponse:
    """Signs this browser in with a key; the session stores the id of the key, never the key."""
    limit = context_of(request).failed_auth_limit
    retry_after = limit.retry_after() if limit else 0
    if retry_after:
        return too_many_bad_keys(retry_after)
    if not sign_in_with_key(request, request.POST.get("key", "").strip()):
        if limit:
            limit.charge()
        messages.error(request, "This API key is not valid.")
    return back(request, "/api/v1/")


@require_POST
def drop_key(request: HttpRequest) -> HttpResponse:
    forget_key(request)
    return back(request, "/api/v1/")


@require_POST
def act_as(request: HttpRequest) -> HttpResponse:
    """Chooses the business of this session; ignored unless the user is a member of it."""
    chosen = parse_id(request.POST.get("business", ""))
    rows = Business.objects.filter(pk=chosen or 0)
    if not request.user.is_superuser:
        rows = rows.filter(memberships__user_id=request.user.pk or 0)
    if rows.exists():
        request.session["acting_business_id"] = chosen
    return back(request, "/api/v1/")


def back(request: HttpRequest, default: str) -> HttpResponseRedirect:
    """Redirects to the page of the form, if it is on this host."""
    wanted = request.POST.get("next", "")
    here = {request.get_host()}
    # A bare word would be relative to this page; and redirect() would interpret it as the name of a view.
    is_ours = wanted.startswith(("/", "http")) and url_has_allowed_host_and_scheme(
        wanted, here, require_https=request.is_secure()
    )
    return HttpResponseRedirect(wanted if is_ours else default)
