"""SSRF policy: webhooks are sent only to addresses of the public Internet.

The rules are our own and not `ipaddress.is_global`: that one lets multicast, NAT64 and 6to4 of
private addresses through on some Pythons. IPv4: all but the special-purpose blocks (IANA registry,
RFC 6890). IPv6: only global unicast 2000::/3, without the special-purpose blocks inside it; that
leaves out loopback, link-local, unique local, NAT64 and every other way to write an inner address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from functools import lru_cache
from typing import Final

from django.conf import settings
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

# How long a web thread waits for a DNS lookup, and how many may wait at once in a process: an
# attacker's name server that does not respond must not use up the web threads.
LOOKUP_SECONDS: Final = 1.0
dns_slots: Final = threading.BoundedSemaphore(2)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What getaddrinfo returns: family, kind, protocol, canonical name, socket address.
Resolved = tuple[int, int, int, str, tuple[str | int, ...]]


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(item) for item in text.split())


# The last three look public and are not: Azure's wire server, which hands out a machine's
# configuration and extension secrets, and IBM Cloud's internal services.
_SPECIAL_4: Final = _networks(
    """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 161.26.0.0/16 166.8.0.0/14"""
)
_GLOBAL_6: Final = ipaddress.ip_network("2000::/3")
_SPECIAL_6: Final = _networks("2001::/23 2001:db8::/32 2002::/16 3fff::/20 2620:4f:8000::/48")

# Allowed besides where WEBHOOK_ALLOW_PRIVATE is on: this machine and private networks.
_PRIVATE: Final = _networks(
    "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 ::1/128 fc00::/7"
)
# Inside those, what hands out a cloud machine's credentials: never. Alibaba; then by IPv6 AWS,
# Google, Oracle, Scaleway and Linode.
_METADATA: Final = _networks(
    """100.100.100.200/32 fd00:ec2::/32 fd20:ce::/32 fd00:c1::/32 fd00:42::/32
    fd00:a9fe:a9fe::/48"""
)


class BadDestination(ValueError):
    """A URL that is not allowed, with a message for users that never names an address."""


def is_public(address: str) -> bool:
    """Whether `address` (as text, a zone id allowed) belongs to the public Internet."""
    ip = _parse(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return not _inside(ip, _SPECIAL_4)
    return ip in _GLOBAL_6 and not _inside(ip, _SPECIAL_6)


def is_allowed(address: str) -> bool:
    """Whether we may connect to `address` under the current settings."""
    if is_public(address):
        return True
    ip = _parse(address)
    return settings.WEBHOOK_ALLOW_PRIVATE and _inside(ip, _PRIVATE) and not _inside(ip, _METADATA)


def check_url(url: str, *, look_up: bool = True) -> str:
    """`url`, trimmed, where it may be the URL of an endpoint. Raises BadDestination.

    `look_up`: its name is resolved too, for an early error; the check that protects is that of each
    connection. A name that cannot be resolved now is accepted: it may exist tomorrow.
    """
    url = url.strip()
    parsed = _check_spelling(url)
    host, port = str(parsed.host).strip("[]"), port_of(parsed)
    found = _resolve_for_entry(host, port) if look_up or _is_number(host) else []
    if not all(is_allowed(str(item[4][0])) for item in found):
        raise BadDestination(
            "This address cannot receive webhooks: use one of the public Internet."
        )
    return url


def _resolve_for_entry(host: str, port: int) -> list[Resolved]:
    """The addresses of `host`, or none where that cannot be said in time."""
    is_number = _is_number(host)  # no name server is asked: this one is always checked
    if not is_number and not dns_slots.acquire(blocking=False):
        return []
    try:
        return resolve(host, port, seconds=LOOKUP_SECONDS)
    except OSError:
        return []
    finally:
        if not is_number:
            dns_slots.release()


@lru_cache(maxsize=1024)
def host_header(url: str) -> str:
    """The `Host` of a request to `url`."""
    return parse_url(url).netloc or ""


def port_of(url: Url) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def resolve(host: str, port: int, *, seconds: float) -> list[Resolved]:
    """All addresses of `host`. Raises socket.gaierror where it is not found, TimeoutError where it
    is not found within `seconds`.

    `getaddrinfo` has no time limit of its own, so it runs on a thread that is left behind when it
    takes too long.
    """
    found: list[Resolved] = []
    failures: list[OSError] = []

    def lookup() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))  # type: ignore[arg-type]
        except OSError as error:
            failures.append(error)
        except UnicodeError:  # a label that IDNA cannot encode
            failures.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    if _is_number(host):
        lookup()
    else:
        thread = threading.Thread(target=lookup, name="webhook-dns", daemon=True)
        thread.start()
        thread.join(seconds)
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError("The DNS lookup took too long.")
    return found


def _check_spelling(url: str) -> Url:
    if len(url) > 2048:
        raise BadDestination("A URL has at most 2048 characters.")
    if any(character <= " " or character == "\x7f" for character in url):
        raise BadDestination("A URL contains no spaces or control characters.")
    if "://" not in url:
        raise BadDestination("Write a whole URL, like https://example.com/webhooks.")
    try:
        parsed = parse_url(url)
    except LocationParseError as error:
        raise BadDestination("This is not a valid URL.") from error
    schemes = ("https",) if settings.WEBHOOK_HTTPS_ONLY else ("https", "http")
    if parsed.scheme not in schemes:
        raise BadDestination(f"The URL must begin with {' or '.join(s + '://' for s in schemes)}.")
    if not parsed.host:
        raise BadDestination("The URL names no host.")
    if parsed.auth is not None:
        raise BadDestination("Leave user name and password out of the URL; verify our signature.")
    if parsed.fragment is not None:
        raise BadDestination("Leave the part from # on out of the URL: it is never sent.")
    allowed = settings.WEBHOOK_PORTS
    if allowed and port_of(parsed) not in allowed:
        ports = ", ".join(str(port) for port in allowed)
        raise BadDestination(f"The port must be one of {ports}.")
    return parsed


def _parse(address: str) -> Address:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _inside(ip: Address, networks: tuple[Network, ...]) -> bool:
    return any(ip in network for network in networks)


def _is_number(host: str) -> bool:
    """An address rather than a name, in any spelling that getaddrinfo takes (`127.1`, `0x7f.1`,
    `2130706433`): no name server is asked for it."""
    return (
        ":" in host
        or re.fullmatch(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}", host, re.I) is not None
    )
