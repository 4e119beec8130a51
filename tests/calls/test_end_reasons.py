"""The table of end reasons, and defaults for reasons that it does not have."""

from __future__ import annotations

import csv

import pytest

from calls.providers import end_reasons
from calls.providers.end_reasons import BROKEN, is_known, kind_of, status_of

ROWS = list(csv.DictReader(end_reasons.TABLE.read_text().splitlines(), delimiter="\t"))


class TestTable:
    def test_has_one_row_per_reason(self):
        keys = [(row["provider"], row["reason"]) for row in ROWS]
        assert len(keys) == len(set(keys)) > 600
        ends = {"completed", "missed", "failed", "in_progress", BROKEN}
        assert {row["end"] for row in ROWS} <= ends

    @pytest.mark.parametrize(
        ("provider", "reason", "end"),
        (
            ("vapi", "call.ringing.sip-inbound-caller-hungup-before-call-connect", "missed"),
            ("vapi", "call.forwarding.no-answer", "missed"),
            ("vapi", "call.forwarding.operator-busy", "missed"),
            ("vapi", "assistant-not-found", BROKEN),
            ("vapi", "assistant-request-failed", BROKEN),
            ("vapi", "worker-shutdown", BROKEN),
            ("vapi", "sip-outbound-unallocated-number", "missed"),
            ("vapi", "customer-ended-call", "completed"),
            ("retell", "credit_exhausted", BROKEN),
            ("retell", "budget_reached", BROKEN),
            ("retell", "no_concurrency_fallback", BROKEN),
            ("retell", "error_unknown", BROKEN),
            ("retell", "user_hangup", "completed"),
            ("twilio", "busy", "missed"),
        ),
    )
    def test_has_the_status_of_unanswered_and_broken_calls(self, provider, reason, end):
        assert kind_of(provider, reason) == end

    @pytest.mark.parametrize(
        ("reason", "end"),
        (
            ("call.in-progress.error-newprovider-llm-failed", BROKEN),
            ("dial_unreachable", "missed"),
            ("callee-no-answer", "missed"),
            ("said-goodbye", "completed"),
            ("", "completed"),
        ),
    )
    def test_unknown_reasons_count_by_their_words(self, reason, end):
        assert not is_known("vapi", reason)
        assert kind_of("vapi", reason) == end

    def test_broken_calls_depend_on_whether_the_caller_was_heard(self):
        reason = "pipeline-error-openai-llm-failed"
        assert status_of("vapi", reason, heard=True, inbound=True) == "completed"
        assert status_of("vapi", reason, heard=False, inbound=True) == "missed"
        assert status_of("vapi", reason, heard=False, inbound=False) == "failed"
