"""Rows per second that pruning deletes from each growing table, while nothing else uses the database.

    make bench ARGS="pruning"
    python -m tests.servers python -m tests.bench.pruning [--rows N]

Everything is past its retention. Events are deleted with their deliveries and attempts, which count as rows.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
django.setup()

from django.db.models import Model  # noqa: E402 - after the set-up
from django.utils import timezone  # noqa: E402

import kaivox.idempotency.operations  # noqa: E402
import kaivox.request_log.operations  # noqa: E402
from calls import ingestion, tool_calls  # noqa: E402
from calls.models import ProviderMessage, ToolCall  # noqa: E402
from kaivox.idempotency.models import IdempotencyRecord  # noqa: E402
from kaivox.request_log.models import RequestLogEntry  # noqa: E402
from tests.bench.call_table import bench_database  # noqa: E402
from tests.bench.full_size import make_worlds  # noqa: E402
from webhooks import retention  # noqa: E402
from webhooks.models import Attempt, Delivery, Event  # noqa: E402

ROWS: Final = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help="in each table")
    rows = parser.parse_args().rows
    later = timezone.now() + timedelta(days=365)
    tasks: dict[str, tuple[tuple[type[Model], ...], Callable[[], object]]] = {
        "events, deliveries, attempts": (
            (Event, Delivery, Attempt),
            lambda: retention.prune(before=later),
        ),
        "request log": (
            (RequestLogEntry,),
            lambda: kaivox.request_log.operations.prune(now=later),
        ),
        "idempotency records": (
            (IdempotencyRecord,),
            lambda: kaivox.idempotency.operations.prune(now=later),
        ),
        "messages of voice providers": (
            (ProviderMessage,),
            lambda: ingestion.forget_old_messages(now=later),
        ),
        "tool calls of AI agents": (
            (ToolCall,),
            lambda: tool_calls.delete_old_tool_calls(now=later),
        ),
    }
    with bench_database():
        make_worlds(rows)
        for name, (models, prune) in tasks.items():
            before = _count(models)
            started = time.perf_counter()
            prune()
            seconds = time.perf_counter() - started
            deleted = before - _count(models)
            assert deleted >= before * 0.99, f"{name}: {deleted:,} of {before:,} rows were deleted"
            print(f"{name:30} {deleted:>9,} rows {deleted / seconds:>8,.0f} rows/s", flush=True)


def _count(models: tuple[type[Model], ...]) -> int:
    return sum(model._default_manager.count() for model in models)


if __name__ == "__main__":
    main()
