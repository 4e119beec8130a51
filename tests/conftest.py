"""Fixtures of the whole suite. Two businesses stand in every test that asks for `other_business`."""

from __future__ import annotations

import math
import uuid
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import Client, TransactionTestCase
from rest_framework.test import APIClient

from kaivox.api import remembered, unchanged
from kaivox.businesses import key_cache
from kaivox.businesses.models import Business
from ratelimits import stores
from tests import documented, factories

TESTS = Path(__file__).parent

# What is the same whatever the database: what a browser shows, `make up`, generated clients, and what
# asks no database at all. It runs once, embedded, as a part of its own (`tests.profiles`).
SAME_ON_ANY_DATABASE = (
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
    # Refused before the database is asked for more than the key.
    "test_hostile.py::TestBrokenBody",
    "test_hostile.py::TestHeaders",
    "test_hostile.py::TestMethod",
    "test_hostile.py::TestUnknownParameter",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part",
        choices=("all", "profile", "once"),
        default="all" if django_settings.EMBEDDED else "profile",
        help="what each profile runs, what is the same on any database and runs once, or all",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Imports no module of which this part runs nothing."""
    if not collection_path.match("test_*.py"):
        return None
    name, part = str(collection_path.relative_to(TESTS)), config.getoption("part")
    if part == "once" and not any(listed.startswith(name) for listed in SAME_ON_ANY_DATABASE):
        return True
    return True if part == "profile" and name in SAME_ON_ANY_DATABASE else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part = config.getoption("part")
    kept = {True: [], False: []}
    for item in items:
        name = str(item.path.relative_to(TESTS))
        names = {name} if item.cls is None else {name, f"{name}::{item.cls.__name__}"}
        once = not names.isdisjoint(SAME_ON_ANY_DATABASE)
        kept[part == "all" or once is (part == "once")].append(item)
    items[:] = kept[True]
    config.hook.pytest_deselected(items=kept[False])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what this part leaves to the others, and why."""
    part = terminalreporter.config.getoption("part")
    if part == "once":
        terminalreporter.write_line("LEFT to the suites of both profiles: all that asks a database")
    if part == "profile":
        names = ", ".join(SAME_ON_ANY_DATABASE)
        terminalreporter.write_line(f"LEFT to run once, the same on any database: {names}")


@pytest.fixture(autouse=True)
def fresh_quotas(settings):
    """No test sees what another has used up, nor what another has looked up or counted. Notes that
    are written now and then, after an answer, would make the number of queries a matter of luck."""
    settings.KEY_USE_WRITTEN_EVERY_SECONDS = settings.USAGE_WRITTEN_EVERY_SECONDS = math.inf
    stores.start_afresh(prefix=f"test:{uuid.uuid4().hex}")
    key_cache.forget_all()
    remembered.forget_all()
    unchanged.forget_all()


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
