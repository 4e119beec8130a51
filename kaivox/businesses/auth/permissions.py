"""Permissions of API callers: allowed addresses, suspended businesses, scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from kaivox.businesses.auth.authentication import MissingApiKey, StaffPrincipal
from kaivox.businesses.auth.client_ip import client_address, in_networks
from kaivox.businesses.models import ApiKey, Role
from kaivox.errors import Forbidden

if TYPE_CHECKING:  # REST framework imports this module while it builds its views
    from rest_framework.views import APIView


class AddressNotAllowed(Forbidden):
    code = "ip_not_allowed"
    message = "This API key may not be used from your address."


class BusinessSuspended(Forbidden):
    code = "business_suspended"
    message = "This business is suspended. Contact KaiVox to have it reactivated."


class InsufficientScope(Forbidden):
    code = "insufficient_scope"
    message = "This API key lacks a scope."


class HasScope(BasePermission):
    """Requires the scope of the view's resource: with `scope = "appointments"`, `appointments:read`
    for safe methods and `appointments:write` for others. `action_scopes` maps an action to another
    resource. None: any valid key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise MissingApiKey(_why_no_key(request))
        _check_address(caller, request)
        if caller.business.is_suspended:
            raise BusinessSuspended
        wanted = _scope_for(request, view)
        if wanted is not None and not _is_staff_action(caller, view):
            require_scope(caller, wanted)
        return True


def _why_no_key(request: Request) -> str | None:
    """The message for an `Authorization` that was ignored. Never its value, which may be a key."""
    if not request.META.get("HTTP_AUTHORIZATION", "").strip():
        return None
    return (
        'Authorization is read only as "Bearer <API key>". '
        "Put Bearer and a space before the key, or send it in the header X-API-Key."
    )


def require_scope(caller: Any, wanted: str, *, purpose: str = "") -> None:
    """Raises InsufficientScope, which names `wanted`, unless the key or session has it.

    `purpose` says what it is needed for: "to subscribe to call.completed".
    """
    if caller.has_scope(wanted):
        return
    who = "Your role" if isinstance(caller, StaffPrincipal) else "This API key"
    because = f", which is needed {purpose}" if purpose else ""
    raise InsufficientScope(
        f"{who} lacks the scope {wanted}{because}.", meta={"required_scope": wanted}
    )


def _is_staff_action(caller: Any, view: APIView) -> bool:
    """Whether a session of role staff may run the action without its scope, as on the settings pages."""
    action = getattr(view, "action", None)
    is_staff = isinstance(caller, StaffPrincipal) and caller.role == Role.STAFF
    return is_staff and action in getattr(view, "staff_actions", ())


def _check_address(caller: Any, request: Request) -> None:
    if not isinstance(caller, ApiKey) or not caller.allowed_cidrs:
        return
    address = client_address(request.META, settings.TRUSTED_PROXIES)
    if not in_networks(address, caller.allowed_cidrs):
        raise AddressNotAllowed


def _scope_for(request: Request, view: APIView) -> str | None:
    actions: dict[str, str] = getattr(view, "action_scopes", {})
    resource = actions.get(getattr(view, "action", None) or "", getattr(view, "scope", None))
    # A wrong method is a 405 whatever the scopes.
    if resource is None or request.method not in view.allowed_methods:
        return None
    return f"{resource}:{'read' if request.method in SAFE_METHODS else 'write'}"
