"""The page of two-factor authentication: asks for a code, sets it up, renews or removes it.

Verification is django-otp's; `kaivox.businesses.auth.devices` has the devices.
"""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any, Final

import qrcode
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django_otp import login, user_has_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from qrcode.image.svg import SvgPathImage

from kaivox.admin.base import person
from kaivox.businesses.auth.devices import (
    AlreadySetUp,
    AuthenticatorDevice,
    confirm_device,
    device_to_set_up,
    new_recovery_codes,
    verify_code,
)
from kaivox.businesses.auth.second_factor import record_two_factor_change
from kaivox.db.encrypted_fields import DecryptionError

_INVALID_CODE: Final = (
    "This code is not valid, or it was used before. Codes change every 30 seconds."
)
_ALREADY_SET_UP: Final = (
    "Two-factor authentication is on. Recovery codes are shown once: if you have not stored them, generate "
    "new ones."
)
_REMOVED: Final = "Two-factor authentication is removed. You can set it up again."
# The SECRET_KEY with which the seed was encrypted is missing; recovery codes do not depend on it.
_UNREADABLE: Final = (
    "Codes of the authenticator app cannot be verified at the moment. Use a recovery code, or ask the "
    "operator of this server to add the former SECRET_KEY to SECRET_KEY_FALLBACKS."
)


@never_cache
@login_required(login_url="login")
def two_factor(request: HttpRequest) -> HttpResponse:
    """Asks for a code if the user has a device, sets one up otherwise; manages it once verified."""
    user: Any = request.user
    try:
        if request.method == "POST" and (response := _repeated(request)) is not None:
            return response
        if user.is_verified():
            return _manage(request)
        return _ask(request) if user_has_device(user) else _set_up(request)
    except DecryptionError:
        messages.error(request, _UNREADABLE)
        return _page(request, "ask", status=503)


def _repeated(request: HttpRequest) -> HttpResponse | None:
    """The response to a form that was sent twice, where the first request has done what it asks for."""
    user: Any = request.user
    has_device, step = user_has_device(user), request.POST.get("step")
    if step == "set_up" and has_device:
        return _already_set_up(request)
    if step == "ask" and user.is_verified():
        return HttpResponseRedirect(_next(request))
    if "change" in request.POST and not has_device:
        messages.success(request, _REMOVED)
        return HttpResponseRedirect(request.path)
    return None


def _already_set_up(request: HttpRequest) -> HttpResponse:
    messages.success(request, _ALREADY_SET_UP)
    # Where it asks for a code first, it leads back to itself, where recovery codes are generated.
    return HttpResponseRedirect(f"{request.path}?next={request.path}")


def _ask(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        device = verify_code(request.user, _code_in(request))
        if device is not None:
            login(request, device)
            return HttpResponseRedirect(_next(request))
        messages.error(request, _INVALID_CODE)
    return _page(request, "ask")


def _set_up(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        try:
            confirmed = confirm_device(request.user, _code_in(request))
        except AlreadySetUp:
            return _already_set_up(request)
        if confirmed is not None:
            device, codes = confirmed
            login(request, device)
            record_two_factor_change(user=request.user, what="added", now=timezone.now())
            return _page(request, "done", codes=codes)
        messages.error(request, _INVALID_CODE)
    device = device_to_set_up(person(request))
    secret = base64.b32encode(device.bin_key).decode()
    return _page(request, "set_up", qr=_qr(device.config_url), secret=secret)


def _manage(request: HttpRequest) -> HttpResponse:
    change = request.POST.get("change") if request.method == "POST" else None
    if change in ("codes", "remove"):
        # A verified session is not enough: it may be a browser that was left open.
        if verify_code(request.user, _code_in(request)) is None:
            messages.error(request, _INVALID_CODE)
        elif change == "codes":
            codes = new_recovery_codes(request.user)
            record_two_factor_change(user=request.user, what="codes_renewed", now=timezone.now())
            return _page(request, "done", codes=codes)
        else:
            AuthenticatorDevice.objects.filter(user=person(request)).delete()
            StaticDevice.objects.filter(user=person(request)).delete()
            record_two_factor_change(user=request.user, what="removed", now=timezone.now())
            messages.success(request, _REMOVED)
            return HttpResponseRedirect(request.path)
    codes_left = StaticToken.objects.filter(device__user=person(request)).count()
    return _page(request, "manage", codes_left=codes_left)


def _code_in(request: HttpRequest) -> str:
    return request.POST.get("code", "")


def _qr(text: str) -> SafeString:
    file = BytesIO()
    qrcode.make(text, image_factory=SvgPathImage, border=2).save(file)
    return mark_safe(file.getvalue().decode().partition("?>")[2])  # noqa: S308 - drawn by us


def _next(request: HttpRequest) -> str:
    """The page to return to, if it is on this host; the settings otherwise."""
    wanted = request.GET.get("next", "")
    here = {request.get_host()}
    return (
        wanted
        if url_has_allowed_host_and_scheme(wanted, here, request.is_secure())
        else "/settings"
    )


def _page(request: HttpRequest, step: str, status: int = 200, **context: Any) -> HttpResponse:
    shown = {"place": "settings", "step": step, "next": _next(request), **context}
    return render(request, "pages/settings/two_factor.html", shown, status=status)
