"""Work that nobody waits for, done by the thread that has just sent an answer."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponse


def after_answer(response: HttpResponse, work: Callable[[], None]) -> None:
    """Runs `work` when the server closes `response`, which it does once the answer is sent. What
    `work` raises is dropped: it must be something that can as well be done next time."""
    closers: list[Callable[[], None]] = response._resource_closers  # type: ignore[attr-defined]
    closers.append(work)
