"""Fixtures of the whole suite. Two businesses stand in every test that asks for `other_business`."""

from __future__ import annotations

import math
import uuid

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import Client, TransactionTestCase
from rest_framework.test import APIClient

from kaivox.api import remembered
from kaivox.businesses import key_cache
from kaivox.businesses.models import Business
from ratelimits import stores
from tests import documented, factories

# What is the same whatever the database runs once, in the embedded profile: what a browser shows,
# `make up`, generated clients, and what asks no database at all.
collect_ignore: list[str] = []
if not django_settings.EMBEDDED:
    collect_ignore = [
        "test_architecture.py",
        "test_clients.py",
        "test_demo.py",
        "test_file_broker.py",
        "test_processes.py",
        "test_readme.py",
        "test_schema.py",
        "test_settings.py",
        "test_up.py",
        "appointments/test_availability.py",
        "businesses/test_addresses.py",
        "businesses/test_encryption.py",
        "businesses/test_keys.py",
        "calls/test_sentiment.py",
        "calls/test_transcripts.py",
        "customers/test_phones.py",
        "pages/test_admin_access.py",
        "pages/test_browsable.py",
        "pages/test_browser.py",
        "pages/test_docs.py",
        "pages/test_journeys.py",
        "pages/test_logins.py",
        "pages/test_recipes.py",
        "pages/test_settings_pages.py",
        "ratelimits/test_admin.py",
        "staff/test_hours.py",
        "staff/test_local_time.py",
        "webhooks/test_backoff.py",
        "webhooks/test_delivery.py",
        "webhooks/test_destinations.py",
        "webhooks/test_docs.py",
        "webhooks/test_signing.py",
    ]


def pytest_report_header() -> str | None:
    """Says what this profile leaves to the other one."""
    left = ", ".join(collect_ignore)
    return f"left to the embedded profile, the same on any database: {left}" if left else None


@pytest.fixture(autouse=True)
def fresh_quotas(settings):
    """No test sees what another has used up, nor what another has looked up or counted. Notes that
    are written now and then, after an answer, would make the number of queries a matter of luck."""
    settings.KEY_USE_WRITTEN_EVERY_SECONDS = settings.USAGE_WRITTEN_EVERY_SECONDS = math.inf
    stores.start_afresh(prefix=f"test:{uuid.uuid4().hex}")
    key_cache.forget_all()
    remembered.forget_all()


@pytest.fixture(autouse=True, scope="session")
def answers_are_documented():
    """Every answer that any test gets is compared with openapi.json (`tests.documented`)."""
    plain = Client.request

    def request(self, **extra):
        response = plain(self, **extra)
        asked = response.request
        documented.check(asked["REQUEST_METHOD"], asked["PATH_INFO"], response)
        return response

    Client.request = request
    yield
    Client.request = plain


@pytest.fixture(autouse=True, scope="session")
def tables_are_emptied_quickly():
    """After a test that commits its rows are deleted. Django's own way, TRUNCATE of every table, makes
    hundreds of files anew on PostgreSQL and then fills the tables of permissions again: 0.7 s a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: _empty_tables())
        yield


def _empty_tables() -> None:
    tables = set(connection.introspection.django_table_names(only_existing=True))
    with transaction.atomic(), connection.cursor() as cursor:
        for table in sorted(tables - {"django_content_type", "auth_permission"}):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 - ours


@pytest.fixture(autouse=True)
def one_factor(settings) -> None:
    """A password is enough, in both profiles alike; tests of the second factor ask for it."""
    settings.TWO_FACTOR_REQUIRED = False


@pytest.fixture
def business(db) -> Business:
    """A business in India, on Enterprise: quotas are far away."""
    return factories.make_business(name="Smile Dental", slug="smile")


@pytest.fixture
def other_business(db) -> Business:
    """Somebody else's."""
    return factories.make_business(name="Stranger", slug="stranger")


@pytest.fixture
def api_key(business) -> str:
    """A key of `business` with all scopes, in the clear."""
    return factories.make_key(business)


@pytest.fixture
def client(api_key) -> APIClient:
    """An HTTP client that carries `api_key`."""
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=api_key)
    return client


@pytest.fixture
def stranger(other_business) -> APIClient:
    """An HTTP client with a key of `other_business`."""
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=factories.make_key(other_business))
    return client


@pytest.fixture
def client_of():
    """Makes an HTTP client that carries a given key."""

    def make(secret: str, **headers: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_X_API_KEY=secret, **headers)
        return client

    return make
