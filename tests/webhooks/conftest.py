from __future__ import annotations

import pytest

from tests.webhooks.receivers import running_receiver
from webhooks.dispatch import Dispatcher


@pytest.fixture
def receiver(settings):
    """A receiver on loopback, where private receivers are allowed."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_HTTPS_ONLY = False
    settings.WEBHOOK_PORTS = []
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def deliver():
    """Sends what is due, as a worker does; `deliver(at)` as if it were then."""

    def run(at=None):
        (Dispatcher(lambda: at) if at is not None else Dispatcher()).run()

    return run
