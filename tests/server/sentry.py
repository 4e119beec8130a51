"""Sentry with the product's options and a transport in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport

from kaivox.server import error_reporting


class InMemory(Transport):
    """Stores the envelopes that would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent.append(envelope.serialize().decode())


@contextmanager
def reporting() -> Iterator[list[str]]:
    """Error reports are on within the block; yields what Sentry would be sent."""
    transport = InMemory()
    before = sentry_sdk.get_global_scope().client
    error_reporting.start("http://public@127.0.0.1:9/1", transport=transport)
    try:
        yield transport.sent
    finally:
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(before)
