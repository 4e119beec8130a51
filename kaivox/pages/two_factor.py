"""The page that sets up a second factor, and asks for it. The codes are django-otp's work."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any, Final

import qrcode
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django_otp import login, match_token, user_has_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from qrcode.image.svg import SvgPathImage

RECOVERY_CODES: Final = 10


@never_cache
@login_required(login_url="login")
def two_factor(request: HttpRequest) -> HttpResponse:
    """Asks for the code of a person's device; where they have none, sets one up with them."""
    user: Any = request.user
    if user.is_verified():
        return _manage(request)
    if user_has_device(user):
        return _ask(request)
    return _set_up(request)


def _ask(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        device = match_token(request.user, request.POST.get("code", "").replace(" ", ""))
        if device is not None:
            login(request, device)
            return HttpResponseRedirect(_next(request))
        messages.error(request, "This code is not right. Codes change every 30 seconds.")
    return _page(request, "ask")


def _set_up(request: HttpRequest) -> HttpResponse:
    device, _ = TOTPDevice.objects.get_or_create(
        user=request.user, confirmed=False, defaults={"name": "Authenticator app"}
    )
    if request.method == "POST":
        if device.verify_token(request.POST.get("code", "").replace(" ", "")):
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            login(request, device)
            return _page(request, "done", codes=_new_recovery_codes(request.user))
        messages.error(request, "This code is not right. Wait for the next one and try again.")
    secret = base64.b32encode(device.bin_key).decode()
    return _page(request, "set_up", qr=_qr(device.config_url), secret=secret)


def _manage(request: HttpRequest) -> HttpResponse:
    act = request.POST.get("act") if request.method == "POST" else None
    if act == "codes":
        return _page(request, "done", codes=_new_recovery_codes(request.user))
    if act == "remove":
        TOTPDevice.objects.filter(user_id=request.user.pk).delete()
        StaticDevice.objects.filter(user_id=request.user.pk).delete()
        messages.success(request, "Your second factor is removed. Set up another one here.")
        return HttpResponseRedirect(request.path)
    left = StaticToken.objects.filter(device__user_id=request.user.pk).count()
    return _page(request, "manage", codes_left=left)


def _new_recovery_codes(user: Any) -> list[str]:
    device, _ = StaticDevice.objects.get_or_create(user=user, name="Recovery codes")
    device.token_set.all().delete()
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    device.token_set.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def _qr(text: str) -> SafeString:
    file = BytesIO()
    qrcode.make(text, image_factory=SvgPathImage, border=2).save(file)
    return mark_safe(file.getvalue().decode().partition("?>")[2])  # noqa: S308 - drawn by us


def _next(request: HttpRequest) -> str:
    """Where the person wanted to go; never to another site."""
    wanted = request.GET.get("next", "")
    here = {request.get_host()}
    return (
        wanted
        if url_has_allowed_host_and_scheme(wanted, here, request.is_secure())
        else "/settings"
    )


def _page(request: HttpRequest, step: str, **context: Any) -> HttpResponse:
    shown = {"place": "settings", "step": step, "next": _next(request), **context}
    return render(request, "settings/two_factor.html", shown)
