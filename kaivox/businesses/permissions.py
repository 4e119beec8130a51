"""May the caller do this? From this address, with this business in good standing, by its scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from kaivox.businesses.addresses import client_address, is_inside
from kaivox.businesses.authentication import MissingApiKey
from kaivox.businesses.models import ApiKey
from kaivox.errors import Forbidden

if TYPE_CHECKING:  # REST framework imports this module while it builds its views
    from rest_framework.views import APIView


class AddressNotAllowed(Forbidden):
    code = "ip_not_allowed"
    message = "This API key may not be used from your address."


class BusinessSuspended(Forbidden):
    code = "business_suspended"
    message = "This business is suspended. Write to KaiVox to have it opened again."


class InsufficientScope(Forbidden):
    code = "insufficient_scope"
    message = "This API key lacks a scope."


class HasScope(BasePermission):
    """A view's `scope` is the resource: `appointments` asks for `appointments:read` to look and
    `appointments:write` to change. None: any valid key will do."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise MissingApiKey
        _refuse_foreign_address(caller, request)
        if caller.business.is_suspended:
            raise BusinessSuspended
        wanted = _scope_for(request, view)
        if wanted is not None and wanted not in caller.scopes:
            raise InsufficientScope(
                f"This API key lacks the scope {wanted}.", meta={"required_scope": wanted}
            )
        return True


def _refuse_foreign_address(caller: Any, request: Request) -> None:
    if not isinstance(caller, ApiKey) or not caller.allowed_cidrs:
        return
    address = client_address(request.META, settings.TRUSTED_PROXIES)
    if not is_inside(address, caller.allowed_cidrs):
        raise AddressNotAllowed


def _scope_for(request: Request, view: APIView) -> str | None:
    resource: str | None = getattr(view, "scope", None)
    # A wrong method is a 405 whatever the scopes: there is no `staff:write` to ask for.
    if resource is None or request.method not in view.allowed_methods:
        return None
    return f"{resource}:{'read' if request.method in SAFE_METHODS else 'write'}"
