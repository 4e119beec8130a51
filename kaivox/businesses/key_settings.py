"""Rules for the settings of an API key: name, scopes, allowed networks, expiry."""

from __future__ import annotations

import ipaddress
from datetime import datetime

from kaivox.api.suggestions import unknown_name
from kaivox.api.values import problem_of_name
from kaivox.businesses.auth.scopes import KNOWN_SCOPES
from kaivox.businesses.models import ApiKey
from kaivox.errors import Invalid


def check_key_settings(key: ApiKey, now: datetime, *, expiry: bool = True) -> None:
    """Raises Invalid for settings that no key can have. `expiry`: also for an expiry in the past."""
    errors: dict[str, list[str]] = {}
    if not key.name or len(key.name) > 120:
        errors["name"] = ["Between 1 and 120 characters."]
    elif problem := problem_of_name(key.name):
        errors["name"] = [problem]
    unknown = [scope for scope in key.scopes if scope not in KNOWN_SCOPES]
    if unknown:
        errors["scopes"] = [unknown_name(scope, KNOWN_SCOPES, noun="scope") for scope in unknown]
    elif not key.scopes:
        errors["scopes"] = ["Choose at least one scope."]
    wrong = [cidr for cidr in key.allowed_cidrs if not _is_network(cidr)]
    if wrong:
        errors["allowed_cidrs"] = [
            f"{cidr} is not a CIDR block such as 203.0.113.0/24." for cidr in wrong
        ]
    if expiry and key.is_expired(now):
        errors["expires_at"] = ["This is in the past."]
    if errors:
        raise Invalid(errors=errors)


def _is_network(cidr: object) -> bool:
    try:
        ipaddress.ip_network(str(cidr))
    except ValueError:
        return False
    return isinstance(cidr, str)
