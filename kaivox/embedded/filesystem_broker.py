"""kombu's filesystem transport with atomic writes: the broker of the embedded profile.

kombu 5.7 writes a message under its final name, so a worker may read a part of it, fail to parse it and
exit; that happens about once in some hundred messages. Here a message is renamed when it is complete, and
one that is truncated nevertheless (power failure) is skipped, as messages are only wake-ups. The table of
bindings, which kombu truncates before it locks it, is replaced in the same way.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)

Binding = filesystem.exchange_queue_t

_SLICE_SECONDS: Final = 0.2
# Set by the worker's signal handler (kaivox.celery).
shutting_down = threading.Event()


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # kombu's file names: they sort by time, and readers select messages by the end of the name.
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        temporary = folder / f"{name}.part"
        temporary.write_bytes(dumps(payload).encode())
        os.replace(temporary, folder / name)

    def _queue_bind(  # type: ignore[override]
        self, exchange: str, routing_key: str, pattern: str, queue: str
    ) -> None:
        table = self._exchange_file(exchange)  # type: ignore[attr-defined]
        table.parent.mkdir(exist_ok=True)
        with table.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            bindings = self.get_table(exchange)
            binding = Binding(routing_key or "", pattern or "", queue or "")
            if binding not in bindings:
                temporary = table.with_suffix(".part")
                temporary.write_bytes(dumps([binding, *bindings]).encode())
                os.replace(temporary, table)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)
        except ValueError:
            logger.warning("Skipped a truncated message in queue %s", queue)
            return self._get(queue)


class Transport(filesystem.Transport):
    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]
        """As kombu's, but ends early when the worker shuts down: Celery's loop waits for two seconds
        at a time, and once more after SIGTERM. Raises TimeoutError."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                super().drain_events(connection, timeout=_SLICE_SECONDS)
            except TimeoutError:
                expired = deadline is not None and time.monotonic() >= deadline
                if expired or shutting_down.is_set():
                    raise
            else:
                return


def register_transport() -> None:
    """Makes kombu use this transport for `filesystem://` URLs."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
