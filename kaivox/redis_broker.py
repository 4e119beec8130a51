"""kombu's Redis transport with a fix for workers that exit after a reconnect.

When the connection is lost, a worker acknowledges what it accepted on channels that are closed already. kombu
5.7 then raises AttributeError, which Celery does not expect, and the worker exits: in one of some fifteen
reconnects under load (`make drill-broker`). A ConnectionError is logged and the worker reconnects.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("The connection to the broker is closed.")
        return super()._connparams(asynchronous)  # type: ignore[misc]


class Transport(redis.Transport):
    Channel = Channel


def register_transport() -> None:
    """Makes kombu use this transport for `redis://` and `rediss://` URLs."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
