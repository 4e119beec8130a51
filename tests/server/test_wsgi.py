"""The WSGI entry point: API keys in URLs, unread request bodies, log lines."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from django.conf import settings
from django.test import RequestFactory

from kaivox.api.logging import RedactSecretsFormatter, escape_control
from kaivox.api.request_context import context_in
from kaivox.wsgi import EntryPoint


class TestKeyInUrl:
    @pytest.mark.parametrize(
        ("query", "key", "rest"),
        (
            ("api_key=k1", "k1", ""),
            ("a=1&api_key=k1&b=2", "k1", "a=1&b=2"),
            ("api%5Fkey=k%31", "k1", ""),
            ("%61pi_key=k1&api_key=k2", "k1", ""),
            ("api_keys=1", None, "api_keys=1"),
        ),
    )
    def test_is_removed_before_django_sees_it(self, query, key, rest):
        environ = RequestFactory().get("/x").environ
        uri = f"/x?{query}"
        environ |= {"QUERY_STRING": query, "REQUEST_URI": uri, "RAW_URI": uri}
        seen = []
        EntryPoint(lambda environ, _: seen.append(dict(environ)) or [])(environ, None)
        assert seen[0]["QUERY_STRING"] == rest
        assert seen[0]["RAW_URI"] == seen[0]["REQUEST_URI"] == (f"/x?{rest}" if rest else "/x")
        assert context_in(seen[0]).query_api_key == (key or "")


class TestBody:
    def test_is_read_to_the_end_whatever_the_response(self):
        body = io.BytesIO(b"x" * 900_000)
        environ = {"CONTENT_LENGTH": "900000", "wsgi.input": body}
        assert EntryPoint(lambda *_: [b"401"])(environ, None) == [b"401"]
        assert not body.read()

    def test_of_a_disconnected_client_is_no_error(self):
        class Disconnected:
            def read(self, size):
                raise ConnectionResetError

        environ = {"CONTENT_LENGTH": "900000", "wsgi.input": Disconnected()}
        assert EntryPoint(lambda *_: [b"401"])(environ, None) == [b"401"]


class TestLogLine:
    def test_is_one_entry_whatever_it_quotes(self):
        record = logging.makeLogRecord(
            {"msg": "path %s", "args": ("/a\nFORGED\x1b[31m\x85\u2028x",)}
        )
        written = RedactSecretsFormatter("%(message)s").format(record)
        assert written == "path /a\n  FORGED\\x1b[31m\\x85\\x2028x"

    def test_of_a_request_is_one_line(self):
        assert escape_control("/a\n\t\r\x00b") == "/a\\n\\t\\x0d\\x00b"


def test_threads_wait_at_most_a_millisecond_for_each_other():
    """A request waits so long for one that computes, after each query: Python's default is 5 ms."""
    assert sys.getswitchinterval() == pytest.approx(0.0002 if settings.EMBEDDED else 0.001)
