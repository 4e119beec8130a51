"""Time that authentication and quotas add to a request, beside REST framework's own classes.

    make bench ARGS=quotas, or  python -m tests.servers python -m tests.bench.quotas

One thread in one process, PostgreSQL and Redis as in production. The same empty view is requested
without authentication, with ours (key, both windows, scope), and with a database look-up of the key
and `UserRateThrottle` for minute and day on the Redis cache. Requests alternate, so that other load of
the machine affects all. Then: the script inside Redis, and the memory of a business at 500 a minute.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

from tests.stack import ROOT, empty_database

ROUNDS = 4_000
QUOTA = 1_000_000_000


def main() -> None:
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        django.setup()
        from django.db import connection

        try:
            _requests()
            _script()
        finally:
            connection.close()


def _requests() -> None:
    asks = _asks()
    times: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(ROUNDS + 200):
        for name, ask in asks.items():
            began = time.perf_counter()
            ask()
            if turn >= 200:  # warmed up
                times[name].append(time.perf_counter() - began)
    nothing = statistics.median(times["no caller"])
    print(f"\nAn empty view, {ROUNDS:,} requests each, one thread; microseconds")
    print(f"{'':34}{'p50':>8}{'p99':>8}{'added p50':>11}")
    for name, durations in times.items():
        p50, p99 = statistics.median(durations), sorted(durations)[len(durations) * 99 // 100]
        print(f"{name:34}{p50 * 1e6:8.0f}{p99 * 1e6:8.0f}{(p50 - nothing) * 1e6:11.0f}")


def _asks() -> dict[str, Callable[[], None]]:
    """The three kinds of request, by name."""
    from django.contrib.auth.models import User
    from django.http import HttpResponse
    from django.utils import timezone
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.test import APIRequestFactory
    from rest_framework.throttling import UserRateThrottle

    from kaivox.api.request_context import context_of
    from kaivox.api.responses import EnvelopeResponse
    from kaivox.api.views import ApiView
    from kaivox.businesses.models import ApiKey
    from kaivox.businesses.operations import create_business, issue_api_key
    from ratelimits.models import QuotaOverride

    now = timezone.now()
    business = create_business(
        name="Bench", slug="bench", timezone="UTC", country="IN", currency="INR", now=now
    )
    QuotaOverride.objects.create(
        business=business, per_minute=QUOTA, per_day=QUOTA, ends_at=now + timedelta(days=1)
    )
    key = issue_api_key(business_id=business.pk, name="bench", now=now).secret

    class Ours(ApiView):
        scope = "appointments"

        def get(self, request: Any) -> EnvelopeResponse:
            return EnvelopeResponse(None)

    class NoCaller(Ours):
        authentication_classes = ()
        throttle_classes = ()
        permission_classes = ()

    class KeyOfTheDatabase(BaseAuthentication):
        def authenticate(self, request: Any) -> tuple[User, ApiKey]:
            secret = request.META["HTTP_X_API_KEY"]
            found = ApiKey.objects.select_related("business").get(
                prefix=secret[:16],
                digest=hashlib.sha256(secret.encode()).hexdigest(),
                revoked_at=None,
            )
            return User(pk=found.business_id), found

    class Minute(UserRateThrottle):
        scope, rate = "minute", "500/min"

        def allow_request(self, request: Any, view: Any) -> bool:
            super().allow_request(request, view)
            return True

    class Day(Minute):
        scope, rate = "day", "5000/day"

    class Plain(Ours):
        authentication_classes = (KeyOfTheDatabase,)
        throttle_classes = (Minute, Day)
        permission_classes = ()

    request = APIRequestFactory()

    def ask(view: Any, *, by_us: bool = False) -> Callable[[], None]:
        called = view.as_view()

        def once() -> None:
            asked = request.get("/", HTTP_X_API_KEY=key)
            response: HttpResponse = called(asked)
            if by_us:  # as the middleware does
                context = context_of(asked)
                context.quota.headers()
                context.end_progress()
            assert response.status_code == 200, response.data

        return once

    return {
        "no caller": ask(NoCaller),
        "ours: key, both windows, scope": ask(Ours, by_us=True),
        "REST framework's, key by query": ask(Plain),
    }


def _script() -> None:
    from django.conf import settings
    from redis import Redis

    from kaivox.redis import CircuitBreaker
    from ratelimits.limiter import Quota
    from ratelimits.redis_limiter import RedisLimiter

    redis = Redis.from_url(settings.REDIS_URL)
    prefix = f"bench:{secrets.token_hex(4)}"
    window, quota = RedisLimiter(redis, CircuitBreaker(), prefix=prefix), Quota(500, 100_000)

    def spent(subjects: list[str]) -> str:
        redis.config_resetstat()
        for subject in subjects:
            window.take(subject, quota)
        return f"{redis.info('commandstats')['cmdstat_evalsha']['usec_per_call']:5.1f} us a call"

    one, many = ["b1"] * 5_000, [f"b{number % 500 + 10}" for number in range(5_000)]
    print(f"\nThe script inside Redis: {spent(one)}, a tenth of them admitted")
    keys = sorted(redis.scan_iter(f"{prefix}:*"))
    memory = sum(redis.memory_usage(key, samples=0) for key in keys)
    spent(many)
    print(f"                         {spent(many)}, all admitted, 500 businesses")
    redis.delete(*redis.scan_iter(f"{prefix}:*"))
    print(f"Memory of a business at 500 a minute: {memory:,} bytes in {len(keys)} keys")


if __name__ == "__main__":
    main()
