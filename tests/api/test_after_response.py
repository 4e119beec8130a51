"""Work after the response runs once the server closes it, and cannot fail the request."""

from __future__ import annotations

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponse

from kaivox.api.after_response import after_response


@pytest.fixture(autouse=True)
def keep_connections():
    """As Django's test client does: a receiver of the signal closes the connections of the test."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


def test_runs_at_close_before_the_request_ends():
    steps = []

    def finished(**_):
        steps.append("finished")

    response = HttpResponse()
    after_response(response, lambda: steps.append("work"))
    request_finished.connect(finished)
    try:
        assert steps == []
        response.close()
    finally:
        request_finished.disconnect(finished)
    assert steps == ["work", "finished"]


def test_drops_errors_of_the_work():
    response = HttpResponse()
    after_response(response, lambda: 1 / 0)
    response.close()
    assert response.closed
