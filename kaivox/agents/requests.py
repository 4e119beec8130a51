"""What every entry point reads from a request: language, header values, limits."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import Throttled

from kaivox.agents.sentences import Language, find_language
from kaivox.businesses.auth.client_ip import client_address, rate_limit_block
from kaivox.businesses.models import Business
from ratelimits.backends import current_limiter
from ratelimits.limiter import Quota

# MCP clients reconnect and list the tools for every phone call.
LISTING: Final = Quota(per_minute=300)
# Of one business, through its voice providers: some ten calls of tools a second.
TOOL_CALLS: Final = Quota(per_minute=600)
_LONGEST_HEADER: Final = 200


def language_of(request: HttpRequest) -> Language:
    """`?language=es`: part of the URL with which an agent is configured."""
    return find_language(request.GET.get("language", ""))


def clean_header(request: HttpRequest, name: str) -> str:
    """A header that a provider fills in; empty where its template was left as it was."""
    value = request.headers.get(name, "").strip()
    if "{{" in value or not value.isprintable():
        return ""
    return value[:_LONGEST_HEADER]


def take_listing(request: HttpRequest) -> None:
    """Raises Throttled where an address lists and connects too often."""
    block = rate_limit_block(client_address(request.META, settings.TRUSTED_PROXIES))
    _take(f"l{block}", LISTING)


def take_tool_call(business: Business) -> None:
    """Raises Throttled where a business's voice providers call tools too often."""
    _take(f"t{business.pk}", TOOL_CALLS)


def _take(subject: str, quota: Quota) -> None:
    decision = current_limiter().take(subject, quota)
    if not decision.admitted and not settings.RATE_LIMIT_SHADOW:
        raise Throttled(wait=decision.retry_after)
