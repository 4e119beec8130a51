from __future__ import annotations

import json

import pytest

from kaivox.request_log.masking import (
    MAX_BODY_BYTES,
    mask_body,
    mask_path,
    mask_query,
    template_of,
)

pytestmark = pytest.mark.once

KEY = "kv_live_" + "a" * 38
CARD = "4111111111111111"


class TestMaskBody:
    @pytest.mark.parametrize(
        "body",
        (
            {"notes": "card 4111 1111 1111 1111"},
            {"notes": 4111111111111111},
            {"metadata": {"card": "4111-1111-1111-1111"}},
            {"4111111111111111": "x"},
            {"list": [["4111 1111 1111 1111"]]},
        ),
    )
    def test_masks_card_numbers(self, body):
        for text in (json.dumps(body), json.dumps(body)[:-1]):  # valid JSON, and not
            assert "1111" not in mask_body(text.encode())

    @pytest.mark.parametrize(
        ("body", "secret"),
        (
            ({"secret": "hunter2"}, "hunter2"),
            ({"client_secret": ["hunter2"]}, "hunter2"),
            ({"password": {"new": "hunter2"}}, "hunter2"),
            ({"apiKey": "hunter2"}, "hunter2"),
            ({"headers": {"X-Anything": "hunter2"}}, "hunter2"),
            ({"url": "https://ann:hunter2@example.com/hook"}, "hunter2"),
            ({"notes": KEY}, KEY),
            ({"notes": "whsec_c2VjcmV0"}, "c2VjcmV0"),
        ),
    )
    def test_masks_secrets(self, body, secret):
        text = json.dumps(body)
        assert secret in text
        assert secret not in mask_body(text.encode())

    @pytest.mark.parametrize(
        "text",
        (
            '{"secret": "hunter2"',
            '{"webhook_secret" : "hunter2", "a"',
            '{"secret": "hunter2',
            '{"headers": {"X-Anything": "hunter2"}',
            '{"url": "https://ann:hunter2@example.com/hook"',
            "name=ann&password=hunter2",
        ),
    )
    def test_masks_secrets_in_what_is_not_json(self, text):
        masked = mask_body(text.encode())
        assert "hunter2" not in masked
        assert "[masked]" in masked

    def test_masks_a_card_across_the_end_of_what_is_stored(self):
        body = b"x" * (MAX_BODY_BYTES - 8) + b" 4111 1111 1111 1111"
        assert "4111" not in mask_body(body)

    @pytest.mark.parametrize(
        "body",
        (b"", b"\xff\xfe", b"[" * 5_000, b'"text"', b"1" * 5_000, b'{"a": "\\ud800\\u0000"}'),
    )
    def test_accepts_any_bytes(self, body):
        masked = mask_body(body)
        assert len(masked.encode()) <= MAX_BODY_BYTES
        assert "\x00" not in masked

    def test_leaves_other_values_as_they_are(self):
        body = {"name": "Élodie", "duration_minutes": 30, "price": "1200.00", "ok": None}
        assert json.loads(mask_body(json.dumps(body).encode())) == body


class TestMaskQuery:
    @pytest.mark.parametrize(
        ("query", "masked"),
        (
            ("", ""),
            ("page=2&status=scheduled", "page=2&status=scheduled"),
            ("start_time=2026-12-01T09%3A00%3A00Z", "start_time=2026-12-01T09%3A00%3A00Z"),
            ("token=abc", "token=[masked]"),
            (f"search={CARD}", "search=[card]"),
            ("search=4111%201111%201111%201111", "search=[card]"),
            ("a=\n", "a=\\n"),
        ),
    )
    def test_masks_secrets_and_cards(self, query, masked):
        assert mask_query(query) == masked


class TestPaths:
    def test_are_one_line_without_keys(self):
        assert mask_path(f"/api/v1/{KEY}\n") == "/api/v1/kv_live_aaaa…\\n"

    def test_have_a_template(self):
        path = "/api/v1/webhooks/12/deliveries/3"
        assert template_of(path) == "/api/v1/webhooks/{id}/deliveries/{id}"
