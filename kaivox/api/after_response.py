"""Work that runs after the response is sent, in the thread that sent it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from django.http.response import HttpResponseBase


def after_response(response: HttpResponseBase, work: Callable[[], None]) -> None:
    """Runs `work` when the server closes `response`, which it does once the response is sent.

    What `work` raises is dropped, so it must be something that the next request can do instead.
    """
    close = response.close

    def work_and_close() -> None:
        # Before Django's own close(), which ends the request and its database connections.
        with suppress(Exception):
            work()
        close()

    response.close = work_and_close  # type: ignore[method-assign]
