"""API keys that were found in public: revoked at once, and their owners are e-mailed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kaivox.businesses.audit import record_audit
from kaivox.businesses.auth import key_format
from kaivox.businesses.auth.authentication import find_api_key
from kaivox.businesses.operations import revoke_api_key
from kaivox.businesses.security_notices import notify_owners
from kaivox.db.transactions import atomic_write

_MAX_PLACE: Final = 500


@atomic_write
def revoke_leaked_key(*, secret: str, found_at: str, now: datetime) -> bool:
    """Whether `secret` is, or was, an API key. A key that is still active is revoked; `found_at` (a URL)
    goes into the audit and the e-mail. Idempotent."""
    key = find_api_key(secret) if key_format.is_well_formed(secret) else None
    if key is None:
        return False
    if key.is_revoked(now):
        return True
    place = "".join(filter(str.isprintable, found_at))[:_MAX_PLACE] or "not reported"
    revoke_api_key(key_id=key.pk, now=now)
    record_audit(
        business=key.business,
        actor=None,
        action="api_key.leaked",
        subject=key,
        changes={"found_at": place},
        now=now,
    )
    notify_owners(
        business=key.business,
        subject="A KaiVox API key was found in public and revoked",
        text=f"API key: {key}\nFound at: {place}\n\n"
        "It was revoked for the next request. Issue a new key, replace it in your programs, and check "
        "in the admin what the key was last used for.",
        now=now,
    )
    return True
