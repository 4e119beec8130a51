"""The embedded profile's broker: kombu's files in a folder, made safe for a reader that comes early.

kombu 5.7 writes a message under its final name. A worker that looks at that moment reads half of it,
cannot parse it and ends; it happens once in some hundred messages. Here a message gets its name when
it is whole, and one that is broken all the same (a power cut) is skipped: messages are hints. The
table of queues, which kombu empties before it locks it, is replaced whole, too.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)

Binding = filesystem.exchange_queue_t


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # As kombu names it: by time, and the queue at the end. Another ending is nobody's message.
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        unfinished = folder / f"{name}.part"
        unfinished.write_bytes(dumps(payload).encode())
        os.replace(unfinished, folder / name)

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
                unfinished = table.with_suffix(".part")
                unfinished.write_bytes(dumps([binding, *bindings]).encode())
                os.replace(unfinished, table)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)
        except ValueError:
            logger.warning("A broken message was dropped from queue %s", queue)
            return self._get(queue)


class Transport(filesystem.Transport):
    Channel = Channel


def take_over() -> None:
    """From here on `filesystem://` is this transport."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
