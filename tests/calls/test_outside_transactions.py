"""What takes time in proportion to a text runs while no row is locked."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from calls import operations, sentiment, tool_calls
from calls.models import Call

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = [{"speaker": "caller", "text": "It was great, my card is 4111 1111 1111 1111. " * 20}] * 50


@pytest.fixture
def calls_made(monkeypatch):
    """`(function, whether a transaction was open)` of each call of the slow functions."""
    made = []

    def watch(module, name):
        plain = getattr(module, name)

        def watched(*args):
            made.append((name, connection.in_atomic_block))
            return plain(*args)

        monkeypatch.setattr(module, name, watched)

    watch(operations, "mask_turns")
    watch(operations, "mask")
    watch(tool_calls, "mask")
    watch(sentiment, "score")
    return made


class TestMaskingAndSentiment:
    def test_run_before_the_transaction(self, client, business, settings, calls_made):
        settings.VOICE_ALLOW_UNSIGNED = True
        report = {
            "call_id": "c-1",
            "status": "completed",
            "summary": "4111 1111 1111 1111",
            "transcript": TURNS,
        }
        for _ in range(2):  # also where it changes nothing
            response = client.post(f"/voice/kaivox/{business.slug}", report)
            assert response.status_code == 200
        operations.finish_due_calls(now=timezone.now() + timedelta(days=1))
        tool_calls.record_tool_call(
            business=business, source="mcp", tool="find_caller", status="ok", duration_ms=1,
            arguments={"text": "4111 1111 1111 1111"}, result={},
        )  # fmt: skip
        assert Call.objects.get().sentiment == "positive"
        assert {name for name, _ in calls_made} == {"mask_turns", "mask", "score"}
        assert [name for name, is_open in calls_made if is_open] == []
        assert "4111" not in json.dumps(Call.objects.get().transcript)
