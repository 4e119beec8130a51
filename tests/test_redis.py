"""The Redis client and its circuit breaker."""

from __future__ import annotations

import logging
import pickle
import socket
import threading

import pytest
from django.conf import settings
from django.core.cache import cache, caches
from redis import Redis
from redis.exceptions import ConnectionError as NotConnected

from kaivox import redis
from kaivox.redis import CircuitBreaker, RedisUnavailable, SignedSerializer


def fails():
    raise NotConnected("refused")


@pytest.fixture
def seconds():
    return [0.0]


@pytest.fixture
def breaker(seconds):
    return CircuitBreaker(rest=2.0, timer=lambda: seconds[0])


@pytest.mark.once
class TestSignedSerializer:
    @pytest.mark.parametrize("value", (0, -7, "text", b"bytes", None, {"a": [1, True]}, 2.5))
    def test_reads_what_it_wrote(self, value):
        serializer = SignedSerializer()
        stored = serializer.dumps(value)
        # As Redis returns it.
        assert serializer.loads(str(stored).encode() if type(stored) is int else stored) == value

    def test_never_unpickles_what_others_wrote(self, settings):
        class Attack:
            def __reduce__(self):
                return (pytest.fail, ("The value of an attacker was unpickled.",))

        serializer, attack = SignedSerializer(), pickle.dumps(Attack())
        for stored in (attack, b"x" * 32 + attack, b"", b"x"):
            assert serializer.loads(stored) is None
        ours = serializer.dumps("ours")
        settings.SECRET_KEY = "another key"
        assert serializer.loads(ours) is None


@pytest.mark.skipif(not settings.REDIS_URL, reason="the cache is in memory")
def test_the_cache_uses_the_signed_serializer():
    assert isinstance(cache._cache._serializer, SignedSerializer)


class TestBreaker:
    def call(self, breaker, command):
        try:
            return breaker.call(command)
        except RedisUnavailable:
            return "away"

    def test_sends_nothing_for_two_seconds_after_a_failure(self, breaker, seconds):
        sent = []
        self.call(breaker, fails)
        for moment in (0.1, 1.9, 2.0, 2.1):
            seconds[0] = moment
            self.call(breaker, lambda: sent.append(seconds[0]))

        assert sent == [2.0, 2.1]

    def test_lets_one_call_through_to_try(self, breaker, seconds):
        self.call(breaker, fails)
        seconds[0] = 2.0
        sent = []

        def command():
            sent.append(self.call(breaker, lambda: "others too"))
            return "back"

        assert self.call(breaker, command) == "back"
        assert sent == ["away"]

    def test_warns_once_per_outage(self, breaker, seconds, caplog):
        with caplog.at_level(logging.WARNING, "kaivox.redis"):
            for outage in range(2):
                for moment in range(10):
                    seconds[0] = outage * 100.0 + moment * 2
                    self.call(breaker, fails)
                seconds[0] += 2
                self.call(breaker, lambda: "back")

        messages = [record.getMessage().split(":")[0] for record in caplog.records]
        assert messages == ["Redis is unavailable", "Redis is available again"] * 2

    def test_warns_later_of_an_outage_that_follows_another(self, breaker, seconds, caplog):
        with caplog.at_level(logging.WARNING, "kaivox.redis"):
            self.call(breaker, fails)
            seconds[0] = 2.0
            self.call(breaker, lambda: "back")
            for moment in range(4, 84, 2):
                seconds[0] = moment
                self.call(breaker, fails)

        messages = [record.getMessage().split(":")[0] for record in caplog.records]
        lasting = "Redis is unavailable"
        assert messages == [lasting, "Redis is available again", lasting]

    def test_limits_the_warnings_of_a_flapping_server(self, breaker, seconds, caplog):
        with caplog.at_level(logging.WARNING, "kaivox.redis"):
            for moment in range(0, 58, 3):
                seconds[0] = moment
                self.call(breaker, fails)
                seconds[0] = moment + 2
                self.call(breaker, lambda: "back")

        assert len(caplog.records) == 2

    def test_passes_other_errors_on(self, breaker):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)

        assert self.call(breaker, lambda: "here") == "here"


class TestClient:
    @pytest.fixture
    def silent(self):
        """A server that accepts connections and never responds."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    @pytest.fixture
    def client_to(self, settings):
        def make(port) -> Redis:
            settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
            settings.REDIS_CLIENT_OPTIONS = {
                **settings.REDIS_CLIENT_OPTIONS,
                "socket_connect_timeout": settings.REDIS_TIMEOUT_SECONDS,
                "socket_timeout": settings.REDIS_TIMEOUT_SECONDS,
            }
            return redis.client.__wrapped__()

        return make

    def test_waits_a_tenth_of_a_second_for_a_redis_that_hangs(self, silent, client_to):
        client, breaker = client_to(silent), CircuitBreaker(rest=3600)
        limits = client.connection_pool.connection_kwargs
        assert limits["socket_timeout"] <= 0.1
        assert limits["socket_connect_timeout"] <= 0.1
        sent = []

        def command():
            sent.append("get")
            return client.get("x")

        for _ in range(3):
            with pytest.raises(RedisUnavailable):
                breaker.call(command)
        assert sent == ["get"]  # the others fail at once

    def test_replaces_a_connection_that_died(self, client_to):
        """As after a restart of Redis, without an error."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            responder = threading.Thread(target=_respond_once_per_connection, args=(server, 2))
            responder.start()
            client, breaker = client_to(server.getsockname()[1]), CircuitBreaker()
            assert [breaker.call(lambda: client.get("x")) for _ in range(2)] == [b"1", b"1"]
            responder.join()
        client.close()


@pytest.mark.skipif(not settings.REDIS_URL, reason="needs Redis")
def test_djangos_cache_is_on_the_same_client():
    cache = caches.create_connection("default")
    cache.set("kaivox-test", [1, True], 10)
    assert cache.get("kaivox-test") == [1, True]
    assert cache._cache.get_client() is redis.client()
    cache.delete("kaivox-test")


def _respond_once_per_connection(server, times):
    for _ in range(times):
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"$1\r\n1\r\n")
