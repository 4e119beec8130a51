"""The breaker before Redis."""

from __future__ import annotations

import logging
import socket
import threading
import time

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotConnected

from kaivox import redis_store
from kaivox.redis_store import Breaker, Line, StoreAway


def fails():
    raise NotConnected("refused")


@pytest.fixture
def seconds():
    return [0.0]


@pytest.fixture
def breaker(seconds):
    return Breaker(rest=2.0, timer=lambda: seconds[0])


class TestBreaker:
    def ask(self, breaker, ask):
        try:
            return breaker.call(ask)
        except StoreAway:
            return "away"

    def test_asks_nobody_for_two_seconds_after_a_failure(self, breaker, seconds):
        asked = []
        self.ask(breaker, fails)
        for moment in (0.1, 1.9, 2.0, 2.1):
            seconds[0] = moment
            self.ask(breaker, lambda: asked.append(seconds[0]))

        assert asked == [2.0, 2.1]

    def test_lets_one_through_to_try(self, breaker, seconds):
        self.ask(breaker, fails)
        seconds[0] = 2.0
        asked = []

        def ask():
            asked.append(self.ask(breaker, lambda: "others too"))
            return "back"

        assert self.ask(breaker, ask) == "back"
        assert asked == ["away"]

    def test_warns_once_an_outage(self, breaker, seconds, caplog):
        with caplog.at_level(logging.WARNING, "kaivox.redis_store"):
            for outage in range(2):
                for moment in range(10):
                    seconds[0] = outage * 100.0 + moment * 2
                    self.ask(breaker, fails)
                seconds[0] += 2
                self.ask(breaker, lambda: "back")

        told = [record.getMessage().split(":")[0] for record in caplog.records]
        assert told == ["Redis is away", "Redis is back"] * 2

    def test_does_not_tell_of_each_coming_and_going(self, breaker, seconds, caplog):
        with caplog.at_level(logging.WARNING, "kaivox.redis_store"):
            for moment in range(0, 58, 3):
                seconds[0] = moment
                self.ask(breaker, fails)
                seconds[0] = moment + 2
                self.ask(breaker, lambda: "back")

        assert len(caplog.records) == 2

    def test_other_errors_are_the_callers(self, breaker):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)

        assert self.ask(breaker, lambda: "here") == "here"


class TestClientAndLine:
    """The two ways to ask; `ask` is either."""

    @pytest.fixture(params=("client", "line"))
    def ask_of(self, request):
        def make(client):
            if request.param == "client":
                return lambda: client.get("x")
            line = Line(client)
            return lambda: line.ask("GET", "x")

        return make

    @pytest.fixture
    def silent(self):
        """A server that accepts and never answers."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    @pytest.fixture
    def client_to(self, settings):
        def make(port) -> Redis:
            settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
            return redis_store.client.__wrapped__()

        return make

    def test_a_redis_that_hangs_costs_less_than_a_tenth_of_a_second(
        self, silent, client_to, ask_of
    ):
        ask, breaker = ask_of(client_to(silent)), Breaker()
        began = time.monotonic()
        with pytest.raises(StoreAway):
            breaker.call(ask)
        first = time.monotonic() - began
        with pytest.raises(StoreAway):
            breaker.call(ask)
        both = time.monotonic() - began

        assert 0.08 < first < 0.3
        assert both - first < 0.05

    def test_a_connection_that_died_is_made_anew(self, client_to, ask_of):
        """As after a restart of Redis: nobody notices."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            answers = threading.Thread(target=_answer_once_a_connection, args=(server, 2))
            answers.start()
            client, breaker = client_to(server.getsockname()[1]), Breaker()
            ask = ask_of(client)

            assert [breaker.call(ask) for _ in range(2)] == [b"1", b"1"]
            answers.join()
        client.close()


def _answer_once_a_connection(server, times):
    for _ in range(times):
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"$1\r\n1\r\n")
