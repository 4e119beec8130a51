"""A key in the URL, or in a header, reaches no log, no error and no report."""

from __future__ import annotations

import logging
import sys

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from kaivox.api.logging import RedactSecretsFilter, RedactSecretsFormatter
from kaivox.api.middleware import ScrubQueryApiKey

PATHS = (
    "/api/v1/business",
    "/api/v1/appointments",
    "/api/v1/appointments?per_page=1&surprise=1",
    "/api/v1/nothing-here",
    "/api/v1/customers/999",
)


@pytest.fixture
def log(monkeypatch):
    """Everything that is logged, as our handler writes it."""
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            RedactSecretsFilter().filter(record)
            lines.append(RedactSecretsFormatter("%(message)s").format(record))

    handler = Keep(level=logging.DEBUG)
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    root.addHandler(handler)
    yield lines
    root.removeHandler(handler)


class TestAnswers:
    @pytest.mark.parametrize("path", PATHS)
    def test_never_show_it(self, client, api_key, path):
        client.credentials()
        response = client.get(f"{path}{'&' if '?' in path else '?'}api_key={api_key}")

        assert api_key not in response.content.decode()
        assert api_key not in str(response.headers)
        assert "no-store" in response["Cache-Control"]

    def test_nor_does_a_crash_or_the_log(self, client, api_key, monkeypatch, log):
        def crash(*arguments, **named):
            raise RuntimeError(f"lost {api_key}")

        monkeypatch.setattr("appointments.views.AppointmentViewSet.list", crash)
        client.credentials()
        client.raise_request_exception = False
        response = client.get(f"/api/v1/appointments?api_key={api_key}")

        assert response.status_code == 500
        assert api_key not in response.content.decode()
        assert log
        assert api_key not in "\n".join(log)


class TestReports:
    @pytest.mark.parametrize("by", ("query", "header", "bearer"))
    def test_of_errors_hide_it(self, api_key, by):
        """Django's own report, which mails and error trackers are made of."""
        request = RequestFactory().get(
            "/api/v1/appointments",
            {"api_key": api_key} if by == "query" else {},
            headers={
                "header": {"X-API-Key": api_key},
                "bearer": {"Authorization": f"Bearer {api_key}"},
            }.get(by),
        )
        reports = []

        def crash(asked):
            try:
                raise RuntimeError
            except RuntimeError:
                reporter = ExceptionReporter(asked, *sys.exc_info(), is_email=True)
                reports.append(reporter.get_traceback_text())
            raise ConnectionAbortedError

        with pytest.raises(ConnectionAbortedError):
            ScrubQueryApiKey(crash)(request)

        assert "/api/v1/appointments" in reports[0]
        assert api_key not in reports[0]
