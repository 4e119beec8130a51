from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest
from django.utils import timezone

from kaivox.reporting.logins import LoginsUnavailable, issue_login, revoke_login


@pytest.fixture
def login(business):
    """The URL of a BI login of `business`, which is revoked after the test."""
    try:
        yield issue_login(business=business, now=timezone.now())
    finally:
        with suppress(LoginsUnavailable):  # the test revoked it
            revoke_login(business=business, now=timezone.now())


@pytest.fixture
def session(login):
    """A psycopg connection of the login, in autocommit."""
    with psycopg.connect(login, autocommit=True) as connection:
        yield connection
