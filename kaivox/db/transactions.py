"""Write transactions, and the lock that queues SQLite's writers.

PostgreSQL queues writers itself, row by row. SQLite has one writer at a time, and waiting ones poll
with sleeps of up to 100 ms, unfairly; behind a file lock the same load went from 136 to 828 writes
a second. So on SQLite the transaction runs inside a lock: between threads a `threading.Lock`, between
processes an `flock` on a file beside the database, which the kernel releases even after `kill -9`.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, ParamSpec, TypeVar

from django.db import connection, transaction

from kaivox.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

LOCK_TIMEOUT_SECONDS: Final = 20.0  # SQLite's own busy timeout in settings
_POLL_SECONDS: Final = 0.001

_threads = threading.Lock()


@contextmanager
def write_transaction(*, assigns_xid: bool = False) -> Iterator[None]:
    """`transaction.atomic()`; on SQLite behind the write lock.

    Inside a transaction it is a savepoint. `assigns_xid`: its first statement locks a row, which
    assigns the transaction id. Raises Unavailable after LOCK_TIMEOUT_SECONDS.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        outermost = not connection.in_atomic_block
        with transaction.atomic():
            if outermost and not assigns_xid:
                _assign_xid()
            yield
        return
    with ExitStack() as lock:
        lock.enter_context(_write_lock(str(connection.settings_dict["NAME"])))
        with transaction.atomic():
            # The first hook after the commit, so that no later one makes writers wait.
            transaction.on_commit(lock.close)
            yield


def _assign_xid() -> None:
    """Assigns the transaction id now, not at the first write: a reader that sees no writer then knows
    that any later one also writes a later `updated_at` (`kaivox.db.commit_horizon`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")


def atomic_write(operation: Callable[P, R]) -> Callable[P, R]:
    """Runs `operation` in a `write_transaction`."""

    @functools.wraps(operation)
    def in_transaction(*args: P.args, **kwargs: P.kwargs) -> R:
        with write_transaction():
            return operation(*args, **kwargs)

    return in_transaction


def atomic_join(operation: Callable[P, R]) -> Callable[P, R]:
    """Runs `operation` as a part of the caller's transaction, or in a `write_transaction` of its own.

    No savepoint is made, which would cost two more statements: what the operation raises rolls back
    the caller's change as well, even where it is caught.
    """

    @functools.wraps(operation)
    def in_transaction(*args: P.args, **kwargs: P.kwargs) -> R:
        joins = connection.in_atomic_block
        with transaction.atomic(savepoint=False) if joins else write_transaction():
            return operation(*args, **kwargs)

    return in_transaction


def advisory_lock(*what: object, shared: bool = False) -> None:
    """Locks `what`, which need not be a row yet, until the end of the transaction; with others who lock
    it `shared`, too. On SQLite all writers wait for each other anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [json.dumps(what)])


@contextmanager
def _write_lock(database: str) -> Iterator[None]:
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    if not _threads.acquire(timeout=LOCK_TIMEOUT_SECONDS):
        raise Unavailable(retry_after=1)
    try:
        # Opened each time: a descriptor shared by threads or inherited by a fork shares its lock.
        descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock_file(descriptor, deadline)
            yield
        finally:
            os.close(descriptor)
    finally:
        _threads.release()


def _lock_file(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(retry_after=1) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _reset_thread_lock() -> None:
    global _threads
    _threads = threading.Lock()


os.register_at_fork(after_in_child=_reset_thread_lock)
