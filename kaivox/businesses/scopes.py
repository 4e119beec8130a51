"""What a key may do. A scope is `<resource>:<read|write>`."""

from typing import Final

ALL_SCOPES: Final = (
    "appointments:read",
    "appointments:write",
    "customers:read",
    "customers:write",
    "calls:read",
    "staff:read",
    "services:read",
    "webhooks:read",
    "webhooks:write",
)

READ_SCOPES: Final = tuple(scope for scope in ALL_SCOPES if scope.endswith(":read"))
