"""Client IP address behind trusted proxies, and matching against CIDR blocks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNSPECIFIED: Final = ipaddress.IPv4Address("0.0.0.0")  # noqa: S104 - not bound to: a socket file has no address


def client_address(meta: Mapping[str, Any], trusted_proxies: int) -> Address:
    """The caller's address.

    Each proxy appends its peer to `X-Forwarded-For`; entries to the left of those that our own
    proxies appended are controlled by the caller. So with n trusted proxies the address is the n-th
    entry from the right, and with none the header is ignored.
    """
    forwarded = [part.strip() for part in meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if trusted_proxies and len(forwarded) >= trusted_proxies:
        found = _parse(forwarded[-trusted_proxies])
        if found is not None:
            return found
    return _parse(meta.get("REMOTE_ADDR", "")) or UNSPECIFIED


def address_of_request(request: HttpRequest) -> str:
    """The caller's address, as django-axes counts failed logins."""
    return str(client_address(request.META, settings.TRUSTED_PROXIES))


def rate_limit_block(address: Address) -> str:
    """The block that a provider assigns to one customer: an IPv4 address, an IPv6 /64 (RFC 6177)."""
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def in_networks(address: Address, cidrs: Iterable[str]) -> bool:
    """Whether `address` is in one of `cidrs`, such as `203.0.113.0/24`."""
    return any(address in ipaddress.ip_network(cidr) for cidr in cidrs)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(_without_port(text))
    except ValueError:
        return None
    # A socket for both families shows 203.0.113.9 as ::ffff:203.0.113.9.
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(text: str) -> str:
    """Some proxies write `203.0.113.9:5123` or `[2001:db8::1]:5123`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
