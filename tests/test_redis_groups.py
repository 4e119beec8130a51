"""Redis Sentinel and Redis Cluster: URLs, quotas and cache, and a failover under the limiter."""

from __future__ import annotations

import logging

import pytest
from django.core.cache import caches

from kaivox import redis
from kaivox.metrics import LOCAL_DECISIONS
from kaivox.redis import CircuitBreaker, connect, parse_group
from kaivox.service_urls import check_broker_url, check_redis_url, kombu_url
from ratelimits.backends import FallbackRateLimiter
from ratelimits.limiter import Quota
from ratelimits.memory_limiter import MemoryLimiter
from ratelimits.redis_limiter import RedisLimiter
from tests.drills import redis_groups

pytestmark = pytest.mark.once

needs_redis = pytest.mark.skipif(
    redis_groups.PROGRAM is None, reason="redis-server is not installed"
)
QUOTA = Quota(per_minute=30, per_day=1000)


class TestUrls:
    def test_of_a_sentinel(self):
        group = parse_group("redis+sentinel://u:p%40@a,b:26380/main/3?sentinel_password=s")
        assert group.nodes == (("a", 26379), ("b", 26380))
        assert (group.service, group.database) == ("main", 3)
        assert group.credentials == {"username": "u", "password": "p@"}
        assert group.sentinel_credentials == {"password": "s"}

    def test_of_a_cluster_with_tls(self):
        group = parse_group("rediss+cluster://:p@a,b:7000")
        assert group.nodes == (("a", 6379), ("b", 7000))
        assert group.credentials == {"password": "p", "ssl": True}

    @pytest.mark.parametrize(
        "url",
        (
            "redis+sentinel://a,b",
            "redis+sentinel://a/main/x",
            "redis+sentinel://a/main/0/1",
            "redis+sentinel://a,/main",
            "redis+sentinel://a/main?db=1",
            "redis+sentinel://:p@q@a/main",
            "redis+cluster://a/0",
            "redis+cluster://",
            "redis+cluster://a:port",
        ),
    )
    def test_that_name_no_group_are_rejected(self, url):
        with pytest.raises(ValueError, match=r"."):
            check_redis_url(url)

    def test_of_a_broker_become_those_of_kombu(self):
        url, options = kombu_url("redis+sentinel://:p%2F@a,b:26380/main/3")
        assert url == "sentinel://:p%2F@a:26379/3;sentinel://:p%2F@b:26380/3"
        assert options == {"master_name": "main", "sentinel_kwargs": {}}

    @pytest.mark.parametrize("url", ("redis+cluster://a", "rediss+sentinel://a/main"))
    def test_of_a_broker_that_celery_has_not_are_rejected(self, url):
        with pytest.raises(ValueError, match="Celery has no broker"):
            check_broker_url(url)


@pytest.fixture
def limiter_of(settings):
    """A limiter as in a web process, with the client and the cache of `url`."""

    def make(url):
        settings.REDIS_URL = url
        redis.client.cache_clear()
        breaker = CircuitBreaker(rest=0.2)
        shared = RedisLimiter(redis.client(), breaker, prefix="drill")
        return FallbackRateLimiter(shared, MemoryLimiter())

    yield make
    redis.client.cache_clear()


def local_decisions():
    return LOCAL_DECISIONS._value.get()


@needs_redis
class TestSentinel:
    def test_a_failover_is_reported_and_quotas_are_shared_again(
        self, tmp_path, limiter_of, caplog, settings
    ):
        with redis_groups.sentinel(tmp_path) as (group, primary):
            limiter = limiter_of(group.url)
            assert [limiter.take("b1", QUOTA).admitted for _ in range(31)] == [True] * 30 + [False]
            redis_groups.wait_until(lambda: connect(group.url).wait(1, 1000) == 1)
            before = local_decisions()

            with caplog.at_level(logging.WARNING, "kaivox.redis"):
                group.kill(primary)
                limiter.take("b1", QUOTA)
                assert local_decisions() == before + 1
                redis_groups.wait_until(lambda: _is_shared(limiter))
            # The replica knows what was used before the failover.
            assert not limiter.take("b1", QUOTA).admitted
            messages = [record.getMessage().partition(":")[0] for record in caplog.records]
            assert messages == ["Redis is unavailable", "Redis is available again"]


def _is_shared(limiter):
    """Whether the next decision is made in Redis."""
    before = local_decisions()
    limiter.take("another", QUOTA)
    return local_decisions() == before


@needs_redis
class TestCluster:
    def test_quotas_of_businesses_in_different_hash_slots(self, tmp_path, limiter_of):
        with redis_groups.cluster(tmp_path) as group:
            limiter = limiter_of(group.url)
            subjects = [f"b{number}" for number in range(9)]
            before = local_decisions()
            for subject in subjects:
                decisions = [limiter.take(subject, QUOTA).admitted for _ in range(31)]
                assert decisions == [True] * 30 + [False]
            used = limiter.usage(subjects)
            assert {days[0].admitted for days in used.values()} == {30}
            limiter.discard_days(subjects, before=10**6)
            assert not any(limiter.usage(subjects).values())
            assert local_decisions() == before

    def test_the_cache(self, tmp_path, limiter_of, settings):
        with redis_groups.cluster(tmp_path) as group:
            limiter_of(group.url)
            backend = {"BACKEND": "kaivox.redis.Cache", "LOCATION": group.url}
            settings.CACHES = {"default": backend}
            cache = caches["default"]
            for number in range(9):
                assert cache.add(f"stream:{number}", "token", 60)
                assert not cache.add(f"stream:{number}", "other", 60)
                assert cache.get(f"stream:{number}") == "token"
                assert cache.touch(f"stream:{number}", 90)
            assert cache.delete("stream:1")

    def test_that_is_away_when_the_process_starts_is_an_outage(self, limiter_of):
        limiter = limiter_of("redis+cluster://127.0.0.1:1")
        before = local_decisions()
        assert limiter.take("b1", QUOTA).admitted
        assert limiter.usage(["b1"])
        assert local_decisions() == before + 1
