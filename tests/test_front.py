"""The 304 that is given again in front of Django: only while nothing has changed, at the price of any
answer, and to whom it was given."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory
from django.utils import timezone

from kaivox import redis_store
from kaivox.api import settled
from kaivox.businesses import key_cache
from kaivox.businesses.operations import (
    change_api_key,
    issue_api_key,
    revoke_api_key,
    suspend_business,
)
from kaivox.front import Front
from kaivox.redis_store import Breaker
from ratelimits import stores, throttling
from ratelimits.stores import current_window, of_business
from ratelimits.throttling import EnterpriseThrottle
from ratelimits.window import Quota
from tests import factories
from tests.api.acts import ACTS, World

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis"),
]


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    monkeypatch.setattr(settled, "CLOCK_SKEW", timedelta(0))


class Server:
    """The application as a server calls it. `asked`: how often Django was."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.asked = 0
        self._django = get_wsgi_application()
        self._front = Front(self._count)

    def get(self, path: str, tag: str = "", **more: str) -> tuple[int, dict[str, str]]:
        extra = {"HTTP_X_API_KEY": self.secret, **({"HTTP_IF_NONE_MATCH": tag} if tag else {})}
        environ = RequestFactory().get(path, **{**extra, **more}).environ
        told: list[Any] = []
        body = self._front(environ, lambda status, headers, *_: told.extend((status, headers)))
        b"".join(body)
        getattr(body, "close", lambda: None)()
        return int(told[0].split()[0]), dict(told[1])

    def learn(self, path: str) -> str:
        """The tag, which is given again from now on."""
        tag = self.get(path)[1]["ETag"]
        for _ in range(2):  # the first is worked out while the key is remembered
            self.get(path, tag)
        self.asked = 0
        assert self.get(path, tag)[0] == 304
        assert not self.asked
        return tag

    def _count(self, environ: Any, start_response: Any) -> Any:
        self.asked += 1
        return self._django(environ, start_response)


@pytest.fixture
def issued(business):
    return issue_api_key(business_id=business.pk, name="Poller", now=timezone.now())


@pytest.fixture
def server(issued):
    return Server(issued.secret)


@pytest.fixture
def path(business):
    return f"/api/v1/appointments/{factories.make_appointment(business).pk}"


def used(business) -> tuple[int, ...]:
    """Admitted and refused today."""
    subject = of_business(business.pk)
    return tuple(current_window().usage([subject])[subject][-1][1:3])


class TestRows:
    @pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
    def test_a_change_of_any_kind_is_seen_at_once(self, act, client, business, server, monkeypatch):
        monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
        world = World(client, business)
        tags = {path: server.learn(path) for path in world.paths}
        world.learn()
        act(world)
        for path, tag in tags.items():
            true = world.truth(path)[0]
            assert server.get(path, tag)[0] == (304 if true == tag else 200), path

    def test_a_change_of_another_business_is_not(self, server, path, other_business):
        tag = server.learn(path)
        factories.make_appointment(other_business)
        assert server.get(path, tag)[0] == 304
        assert not server.asked


class TestCaller:
    def test_whose_key_was_revoked(self, server, path, issued, business):
        tag = server.learn(path)
        before = used(business)
        revoke_api_key(key_id=issued.key.pk, now=timezone.now())
        assert server.get(path, tag)[0] == 401
        assert used(business) == before

    def test_whose_key_was_narrowed(self, server, path, issued):
        tag = server.learn(path)
        change_api_key(key_id=issued.key.pk, scopes=["calls:read"], now=timezone.now())
        assert server.get(path, tag)[0] == 403

    def test_whose_key_has_expired(self, server, path, issued):
        change_api_key(
            key_id=issued.key.pk,
            expires_at=timezone.now() + timedelta(seconds=1.5),
            now=timezone.now(),
        )
        tag = server.learn(path)
        time.sleep(1.5)
        assert server.get(path, tag)[0] == 401

    def test_whose_key_is_to_be_looked_up_anew(self, server, path):
        tag = server.learn(path)
        key_cache.forget_all()
        assert server.get(path, tag)[0] == 304
        assert server.asked == 1

    def test_whose_business_is_suspended(self, server, path, business):
        tag = server.learn(path)
        suspend_business(business_id=business.pk, now=timezone.now())
        assert server.get(path, tag)[0] == 403

    @pytest.mark.parametrize(
        "more", ({"HTTP_X_API_KEY": "kv_live_no"}, {"REMOTE_ADDR": "203.0.113.9"}, {"HTTP_A": "b"})
    )
    def test_who_is_another(self, server, path, more):
        tag = server.learn(path)
        server.get(path, tag, **more)
        assert server.asked == 1


class TestQuota:
    def test_is_charged_one_for_each_however_it_ends(self, server, path, business):
        tag = server.learn(path)
        admitted, refused = used(business)
        server.get(path, tag)
        factories.make_appointment(business)
        assert server.get(path, tag)[0] == 304
        assert server.asked == 1
        assert used(business) == (admitted + 2, refused)

    def test_refuses_once(self, server, path, business, monkeypatch):
        monkeypatch.setattr(EnterpriseThrottle, "per_minute", 5)
        monkeypatch.setitem(throttling.QUOTAS, business.plan, Quota(5, 100))
        tag = server.learn(path)  # four
        assert server.get(path, tag)[0] == 304
        assert not server.asked
        status, headers = server.get(path, tag)
        assert (status, headers["X-RateLimit-Remaining"]) == (429, "0")
        assert used(business) == (5, 1)


class TestAnswer:
    def test_is_the_one_that_was_given(self, server, path):
        tag = server.learn(path)
        asked = {"HTTP_X_REQUEST_ID": "mine"}
        _, again = server.get(path, tag, **asked)
        assert not server.asked
        server._front._given.clear()
        _, given = server.get(path, tag, **asked)
        assert server.asked == 1
        assert int(again["X-RateLimit-Remaining"]) == int(given["X-RateLimit-Remaining"]) + 1
        passing = {"X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit"}
        assert _without(again, passing) == _without(given, passing)

    def test_is_asked_of_django_again_after_seconds(self, server, path, monkeypatch):
        tag = server.learn(path)
        later = time.monotonic() + 5.1
        monkeypatch.setattr("kaivox.front.time.monotonic", lambda: later)
        assert server.get(path, tag)[0] == 304
        assert server.asked == 1

    def test_is_asked_of_django_while_redis_is_away(self, server, path, monkeypatch, settings):
        tag = server.learn(path)
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        gone = redis_store.client.__wrapped__()
        monkeypatch.setattr(redis_store, "client", lambda: gone)
        monkeypatch.setattr(redis_store, "breaker", Breaker())
        stores.start_afresh(prefix="away")
        assert server.get(path, tag)[0] == 304
        assert server.asked == 1


def _without(headers: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name not in names}
