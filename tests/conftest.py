"""Fixtures of the whole suite. A test of isolation uses two businesses: `business` and
`other_business`, or their API clients `client` and `stranger`."""

from __future__ import annotations

import gc
import math
import os
import uuid
from collections.abc import Set
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.http import StreamingHttpResponse
from django.test import Client, TransactionTestCase, override_settings
from rest_framework.test import APIClient

import webhooks.tasks
from kaivox.businesses.models import Business
from kaivox.request_log import recording as request_log
from ratelimits import backends
from tests import documented, factories, migrated
from tests.servers import production_servers
from tests.stack import ADMINISTRATOR_PASSWORD, BEHIND_NGINX, running_stack
from webhooks.dispatcher import Dispatcher

# The same examples in each run, and no time limits of the library: a pause of a loaded machine in
# the middle of generating them must not look like a fault.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("suite")

# The folders of the first half of the production profile: as long as all others.
_FIRST_HALF = (
    "admin", "agents", "api", "appointments", "businesses", "calls", "customers", "ratelimits", "services",
    "staff",
)  # fmt: skip

_streams: list[StreamingHttpResponse] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part",
        choices=("all", "profile", "shared", "once", "browser"),
        default="all" if django_settings.EMBEDDED else "profile",
        help="profile: all but those marked `once`; shared: of these, all but those marked "
        "`once_in_production`, which the production profile runs beside it; browser: those that drive "
        "one; once: the others marked `once`",
    )
    parser.addoption("--half", choices=("first", "second"), help="of the modules; by default all")


def pytest_configure(config: pytest.Config) -> None:
    """A loaded machine must not look like an outage of Redis: the limiter would fail open, and the
    quota that a test expects would not hold. `tests/test_redis.py` tests the real timeout."""
    cache_options = django_settings.CACHES["default"].get("OPTIONS", {})
    for options in (django_settings.REDIS_CLIENT_OPTIONS, cache_options):
        if options:
            options |= {"socket_connect_timeout": 30.0, "socket_timeout": 30.0}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tests of the part that is asked for."""
    part = config.getoption("part")
    if part == "all":
        return
    chosen = {True: [], False: []}
    for item in items:
        # A module that is named on the command line is collected by both halves.
        chosen[part in _parts_of(item) and _is_in_half(item.path, config)].append(item)
    items[:] = chosen[True]
    config.hook.pytest_deselected(items=chosen[False])


def _parts_of(item: pytest.Item) -> Set[str]:
    marks = {mark.name for mark in item.iter_markers()}
    if "once" in marks:
        return {"browser"} if "browser" in marks else {"once"}
    return {"profile"} if "once_in_production" in marks else {"profile", "shared"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the modules of the other half. And the parts of few modules do not import the others: importing
    all took 3 s of CPU."""
    part = config.getoption("part")
    if not (collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    if not _is_in_half(collection_path, config):
        return True
    if part in {"once", "browser"}:
        return f"mark.{part}" not in collection_path.read_text(encoding="utf-8") or None
    return None


def _is_in_half(module: Path, config: pytest.Config) -> bool:
    half = config.getoption("half")
    is_first = module.relative_to(Path(__file__).parent).parts[0] in _FIRST_HALF
    return half is None or is_first == (half == "first")


def pytest_collection_finish() -> None:
    """Excludes from garbage collection what lives as long as the run.

    After test collection the modules, models and 4,500 tests stay alive, and every full garbage
    collection visited them all: 500 tests took 24 s of CPU instead of 20 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    elsewhere = len(terminalreporter.stats.get("deselected", ()))
    part = terminalreporter.config.getoption("part")
    if part == "profile" and elsewhere:
        terminalreporter.write_line(
            f"Not here but in the parts `once` and `browser`: {elsewhere} tests"
        )
    if part == "shared" and elsewhere:
        terminalreporter.write_line(
            f"Not here but in `once`, `browser` or production: {elsewhere} tests"
        )


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb):
    """Whether the test database exists already: a copy of another process's (`tests.migrated`)."""
    return django_db_keepdb or migrated.copy()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """pytest-django's, which migrates the test database."""
    with django_db_blocker.unblock():
        migrated.share()


@pytest.fixture(autouse=True)
def fresh_process():
    """Each test begins with an unused quota, and with a dispatcher that is idle: the process's own may still
    be in use by a thread of an earlier test, and a sweep would do nothing then.

    And with an empty cache in memory: SQLite gives the ids of rows that were rolled back to others.
    """
    if django_settings.EMBEDDED:
        cache.clear()
    request_log.discard()
    backends.reset_limiter(prefix=f"test:{uuid.uuid4().hex}")
    webhooks.tasks.dispatcher = Dispatcher()
    yield
    _close_streams()


def _close_streams() -> None:
    """Ends the responses that the test has not read to their end, as a server does: each has one of the
    places for whole lists, of which later tests with the same business id would find none."""
    # As Django's test client does: the connection is the test's.
    request_finished.disconnect(close_old_connections)
    while _streams:
        _streams.pop().close()
    request_finished.connect(close_old_connections)


@pytest.fixture(autouse=True, scope="session")
def responses_are_documented():
    """Compares every response of the test clients with openapi.json (`tests.documented`).

    Patches `django.test.Client.request`, which DRF's APIClient calls too, instead of giving tests a
    client class of their own: so a test cannot forget it.
    """
    plain = Client.request

    def request(self, **extra):
        response = plain(self, **extra)
        sent = response.request
        documented.check(sent["REQUEST_METHOD"], sent["PATH_INFO"], response)
        if response.streaming:
            _streams.append(response)
        return response

    Client.request = request
    yield
    Client.request = plain


@pytest.fixture(autouse=True, scope="session")
def tables_are_emptied_quickly():
    """Empties the tables after a `transaction=True` test with DELETE.

    Replaces `TransactionTestCase._fixture_teardown`, Django's `flush`: its TRUNCATE of 40 tables
    creates their files again on PostgreSQL, and its post_migrate fills content types and permissions
    again, 0.7 s a test. Django has no setting for it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: _empty_tables())
        yield


def _empty_tables() -> None:
    tables = set(connection.introspection.django_table_names(only_existing=True))
    with transaction.atomic(), connection.cursor() as cursor:
        for table in sorted(tables - {"django_content_type", "auth_permission"}):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 - ours


@pytest.fixture(autouse=True, scope="session")
def settings_of_tests():
    """MD5 instead of PBKDF2, whose 1,000,000 rounds take 0.25 s of CPU for each password and login.
    No two-factor authentication in either profile: its own tests switch it on. Nothing is flushed at
    intervals, after a response: the number of queries would depend on the time.

    For the session, as each change of a setting is sent to twenty receivers, and back.
    """
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        TWO_FACTOR_REQUIRED=False,
        KEY_USE_FLUSH_SECONDS=math.inf,
        USAGE_FLUSH_SECONDS=math.inf,
        REQUEST_LOG_FLUSH_SECONDS=math.inf,
    ):
        yield


@pytest.fixture
def business(db) -> Business:
    """A business in India on the Enterprise plan, whose quota no test reaches by chance."""
    return factories.make_business(name="Smile Dental", slug="smile")


@pytest.fixture
def other_business(db) -> Business:
    """Another business, whose data `business` must never see."""
    return factories.make_business(name="Stranger", slug="stranger")


@pytest.fixture
def api_key(business) -> str:
    """The secret of a key of `business` with all scopes."""
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
    """Makes an HTTP client with the key `secret`."""

    def make(secret: str, **headers: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_X_API_KEY=secret, **headers)
        return client

    return make


@pytest.fixture(scope="session")
def stack(django_db_setup, django_db_blocker, tmp_path_factory):
    """A running KaiVox with the demo's data, on a copy of the suite's own database while it is empty.

    One for all tests that need real processes: a start takes 15 s of CPU. It has a Redis database and a
    broker of its own: its worker would consume the messages that tests look for.
    """
    with django_db_blocker.unblock():
        connection.close()
    with ExitStack() as servers:
        variables = {}
        if not django_settings.EMBEDDED:
            ours = {"REDIS_URL", "CELERY_BROKER_URL"}
            others = {name: value for name, value in os.environ.items() if name not in ours}
            found = servers.enter_context(production_servers(others))
            variables = BEHIND_NGINX | {name: found[name] for name in ours}
        yield servers.enter_context(
            running_stack(
                tmp_path_factory.mktemp("stack"),
                str(connection.settings_dict["NAME"]) if migrated.is_test_database() else "",
                WEBHOOK_RETRY_SCHEDULE="0.2,0.2,0.2",
                DJANGO_SUPERUSER_PASSWORD=ADMINISTRATOR_PASSWORD,
                **variables,
            )
        )
