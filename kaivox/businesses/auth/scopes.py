"""Scopes of API keys and sessions: `<resource>:<read|write>`, and OVERRIDE_SCOPE."""

from collections.abc import Collection
from typing import Final

# What a key may do that is issued without a choice of scopes.
ALL_SCOPES: Final = (
    "appointments:read",
    "appointments:write",
    "slots:read",
    "customers:read",
    "customers:write",
    "calls:read",
    "staff:read",
    "staff:write",
    "services:read",
    "services:write",
    "webhooks:read",
    "webhooks:write",
)

# Changes appointments after the window of their service. A key has it only where it was chosen, so
# that the window holds for programs that know nothing of it.
OVERRIDE_SCOPE: Final = "appointments:override"

# All that a key can be issued with.
KNOWN_SCOPES: Final = (*ALL_SCOPES, OVERRIDE_SCOPE)

READ_SCOPES: Final = tuple(scope for scope in ALL_SCOPES if scope.endswith(":read"))

# Scopes of role staff in a session: only owners decide where events are sent.
STAFF_SCOPES: Final = tuple(scope for scope in KNOWN_SCOPES if scope != "webhooks:write")

# Scope → a wider scope that includes it: free times can be derived from appointments.
_CONTAINED_IN: Final = {"slots:read": "appointments:read"}


def has_scope(scopes: Collection[str], wanted: str) -> bool:
    """Whether a caller with `scopes` has `wanted`, directly or through a wider scope."""
    return wanted in scopes or _CONTAINED_IN.get(wanted) in scopes
