"""Voice providers that send messages about calls: one module each, with two functions.

`is_signed(incoming, secret, now)`: whether the message was signed with the account's secret.
`read(incoming)`: its facts as a CallReport, or None where the message is not about a call's state.
Raises UnparsableMessage.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from calls.call_report import CallReport
from calls.models import Provider
from calls.providers import kaivox, retell, twilio, vapi, vobiz
from calls.providers.incoming import Incoming


class ProviderModule(Protocol):
    def is_signed(self, incoming: Incoming, secret: str, now: datetime) -> bool: ...

    def read(self, incoming: Incoming) -> CallReport | None: ...


PROVIDERS: Final[Mapping[str, ProviderModule]] = {
    Provider.KAIVOX: kaivox,
    Provider.TWILIO: twilio,
    Provider.VOBIZ: vobiz,
    Provider.VAPI: vapi,
    Provider.RETELL: retell,
}
