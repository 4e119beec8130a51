"""Drill of quotas and API keys: the guarantees, checked at full size with real processes.

    make drill-quotas, or  python -m tests.servers python -m tests.drills.quotas [--only NAME]

gunicorn with four processes, PostgreSQL, and a separate Redis, which the drill kills. Clients are several
processes too. Each part prints its measurements and ends the drill where a guarantee does not hold.
Takes about five minutes, two of them for `window_boundary`.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import django

from tests.drills.callers import Call, all_at_once, keep_calling, one_by_one
from tests.drills.redis_server import RedisServer
from tests.drills.web import PROCESSES, Web, manage, web_server
from tests.stack import empty_database

LIST = "/api/v1/appointments"
BUSINESS = "/api/v1/business"


class GuaranteeViolated(Exception):
    """A measured value contradicts a guarantee."""


def guarantee(holds: bool, text: str) -> None:
    """Prints the measurement. Raises GuaranteeViolated unless it `holds`."""
    print(f"  {'ok    ' if holds else 'FAILED'}  {text}", flush=True)
    if not holds:
        raise GuaranteeViolated(text)


# --- Parts -----------------------------------------------------------------------------------


def exactly_thirty(web: Web) -> None:
    """200 concurrent requests at 30 a minute, twenty times."""
    for number in range(20):
        key = new_key("starter")
        answers = all_at_once([Call(web.url + LIST, key)] * 200, processes=4)
        statuses = Counter(answer.status for answer in answers)
        remaining = {one.headers["x-ratelimit-remaining"] for one in answers if one.status == 200}
        usage = business_of(web, key)["usage"]
        exact = statuses == {200: 30, 429: 170} and len(remaining) == 30
        exact = exact and usage["day"]["used"] == 30
        if not exact or number == 19:
            guarantee(
                exact,
                f"round {number + 1}: {dict(statuses)}, {len(remaining)} different Remaining, "
                f"the day charged {usage['day']['used']}",
            )


def window_boundary(web: Web) -> None:
    """Continuous requests for over two minutes: never more than 30 admitted in any 60 s."""
    key = new_key("starter")
    answers = keep_calling([Call(web.url + LIST, key)], seconds=130, threads=4, pause=0.05)
    admitted = sorted((one for one in answers if one.status == 200), key=lambda one: one.sent)
    # A request was admitted between `sent` and `answered`; 31 within 60 s would prove a violation.
    most = max(
        sum(other.sent >= one.sent and other.answered < one.sent + 60 for other in admitted)
        for one in admitted
    )
    guarantee(
        most <= 30 and len(admitted) in (89, 90, 91),
        f"{len(answers)} requests in 130 s, {len(admitted)} admitted, at most {most} in any 60 s",
    )


def retry_after_is_exact(web: Web) -> None:
    """After sleeping exactly Retry-After the next request is admitted; earlier it is not."""
    keys = [new_key("starter") for _ in range(10)]
    for key in keys:
        all_at_once([Call(web.url + LIST, key)] * 30, processes=1)
        time.sleep(0.137)
    rejected = one_by_one([Call(web.url + LIST, key) for key in keys])
    due = {
        key: answer.answered + int(answer.headers["retry-after"])
        for key, answer in zip(keys, rejected, strict=True)
    }
    # Retry-After is rounded up by less than a second; half a second is for the network.
    moments = [(at - 1.5, key, 429) for key, at in due.items()]
    moments += [(at, key, 200) for key, at in due.items()]
    right: Counter[int] = Counter()
    for at, key, status in sorted(moments):
        time.sleep(max(0.0, at - time.time()))
        right[status] += one_by_one([Call(web.url + LIST, key)])[0].status == status
    waits = ", ".join(sorted({answer.headers["retry-after"] for answer in rejected}))
    guarantee(
        right[200] == 10, f"{right[200]} of 10 admitted after sleeping Retry-After ({waits} s)"
    )
    guarantee(right[429] == 10, f"{right[429]} of 10 still rejected 1.5 s earlier")


def quota_per_business(web: Web) -> None:
    """Two keys of one business share a quota; two businesses do not."""
    first = new_key("starter")
    second = another_key_of(first)
    mixed = [Call(web.url + LIST, key) for key in (first, second)] * 50
    other = [Call(web.url + LIST, new_key("starter"))] * 30
    statuses = Counter(one.status for one in all_at_once(mixed, processes=2))
    others = Counter(one.status for one in all_at_once(other, processes=2))
    guarantee(statuses == {200: 30, 429: 70}, f"two keys of one business: {dict(statuses)}")
    guarantee(others == {200: 30}, f"another business meanwhile: {dict(others)}")


def changes_apply_everywhere(web: Web) -> None:
    """A revoked key, a key with fewer scopes, a suspended business, another plan: effective at the next
    request in every web process, although all have seen the key."""
    from django.utils import timezone

    from kaivox.businesses import operations
    from kaivox.businesses.models import ApiKey

    for name, change, status in (
        ("revoked", lambda key: operations.revoke_api_key(key_id=key.pk, now=timezone.now()), 401),
        (
            "narrowed",
            lambda key: operations.change_api_key(
                key_id=key.pk, scopes=["calls:read"], now=timezone.now()
            ),
            403,
        ),
        (
            "suspended",
            lambda key: operations.suspend_business(
                business_id=key.business_id, now=timezone.now()
            ),
            403,
        ),
        (
            "on a plan whose minute is used up",
            lambda key: operations.change_plan(
                business_id=key.business_id, plan="starter", now=timezone.now()
            ),
            429,
        ),
    ):
        before: Counter[int] = Counter()
        after: Counter[int] = Counter()
        for _ in range(10):
            secret = new_key("enterprise")
            calls = [Call(web.url + LIST, secret, _from(number)) for number in range(80)]
            before.update(one.status for one in all_at_once(calls, processes=1))
            change(ApiKey.objects.get(prefix=secret[:16]))
            after.update(one.status for one in all_at_once(calls, processes=1))
        guarantee(
            before == {200: 800} and after == {status: 800},
            f"{name}: {dict(before)} before, {dict(after)} after, on {PROCESSES} processes",
        )


def redis_outage(web: Web) -> None:
    """Redis is killed under load and restarted after four seconds; then it hangs."""
    _outage(web, "killed", web.redis.kill, web.redis.start)
    time.sleep(60)  # a process logs at most one outage a minute
    _outage(web, "hanging", web.redis.stop, web.redis.resume)


def _outage(web: Web, name: str, begin: Callable[[], None], end: Callable[[], None]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    busy, small = new_key("enterprise", override=100_000), new_key("starter")
    calls = [Call(web.url + BUSINESS, busy), Call(web.url + LIST, small)]
    log_before = len(web.log())
    with ThreadPoolExecutor(1) as pool:
        traffic = pool.submit(keep_calling, calls, seconds=14, threads=6, pause=0.004)
        time.sleep(5)
        begin()
        outage_start = time.time()
        time.sleep(4)
        end()
        outage_end = time.time()
        answers = traffic.result()
    statuses = Counter(one.status for one in answers)
    before = [one.took for one in answers if one.answered < outage_start]
    during = [one.took for one in answers if outage_start <= one.sent and one.answered < outage_end]
    after = [one.took for one in answers if one.sent > outage_end + 2.5]
    guarantee(
        all(status < 500 for status in statuses),
        f"{name}: {len(answers):,} responses, no 5xx: {dict(statuses)}",
    )
    p99 = [percentile(times, 99) * 1000 for times in (before, during, after)]
    guarantee(
        p99[1] <= p99[0] + 100,
        f"{name}: p99 {p99[0]:.0f} ms before, {p99[1]:.0f} ms during the outage, {p99[2]:.0f} ms after",
    )
    admitted = sum(
        one.status == 200 and one.url.endswith(LIST) and outage_start <= one.sent < outage_end
        for one in answers
    )
    guarantee(
        admitted <= 30 * PROCESSES,
        f"{name}: the small business got {admitted} during the outage; the cap is 30 in each of "
        f"{PROCESSES} processes",
    )
    lines = web.log()[log_before:].splitlines()
    warnings = sum("Redis is unavailable" in line for line in lines)
    guarantee(
        1 <= warnings <= PROCESSES,
        f"{name}: {warnings} warnings in the log of {PROCESSES} processes, for one outage",
    )
    again = Counter(
        one.status
        for one in all_at_once([Call(web.url + LIST, new_key("starter"))] * 100, processes=2)
    )
    guarantee(again == {200: 30, 429: 70}, f"{name}: exact again: {dict(again)}")


def uniform_rejections(web: Web) -> None:
    """10,000 random keys: one body, one set of headers; wrong and unknown keys take equally long."""
    from kaivox.businesses.auth import key_format

    def call(secret: str, number: int) -> Call:
        return Call(web.url + LIST, secret, {**_from(number), "X-Request-ID": "drill"})

    random_keys = [key_format.make_key(livemode=bool(number % 2)) for number in range(10_000)]
    guesses = [call(key, number) for number, key in enumerate(random_keys)]
    answers = all_at_once(guesses, processes=4, threads=4)
    shapes = {
        (one.status, one.body, tuple(sorted((k, v) for k, v in one.headers.items() if k != "date")))
        for one in answers
    }
    guarantee(len(shapes) == 1, f"{len(answers):,} guesses, {len(shapes)} kind of response")

    known = new_key("starter")

    def with_known_prefix() -> str:
        body = known[:16] + key_format.make_key(livemode=True)[16:-6]
        return body + key_format._checksum(body)

    makers = {"wrong": with_known_prefix, "unknown": lambda: key_format.make_key(livemode=True)}
    times: dict[str, list[float]] = {name: [] for name in makers}
    for number in range(3_000):
        for name, make in makers.items():
            guess = call(make(), 20_000 + 2 * number + (name == "wrong"))
            times[name] += [one.took for one in one_by_one([guess])]
    medians = {name: statistics.median(durations) * 1e6 for name, durations in times.items()}
    spread = statistics.quantiles(times["unknown"], n=4)
    noise = (spread[2] - spread[0]) * 1e6
    guarantee(
        abs(medians["wrong"] - medians["unknown"]) < noise,
        f"medians: wrong {medians['wrong']:.0f} us, unknown {medians['unknown']:.0f} us; "
        f"half of all lie within {noise:.0f} us",
    )


PARTS = (
    exactly_thirty,
    quota_per_business,
    changes_apply_everywhere,
    uniform_rejections,
    retry_after_is_exact,
    redis_outage,
    window_boundary,
)


def _from(number: int) -> dict[str, str]:
    """A separate address per request, so that the limit per address does not apply."""
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


# --- Businesses and keys ---------------------------------------------------------------------


def new_key(plan: str, *, override: int | None = None) -> str:
    """The key of a new business on `plan`."""
    from datetime import timedelta

    from django.utils import timezone

    from kaivox.businesses.operations import create_business, issue_api_key
    from ratelimits.models import QuotaOverride

    now = timezone.now()
    name = f"drill-{secrets.token_hex(5)}"
    business = create_business(
        name=name, slug=name, timezone="UTC", country="IN", currency="INR", plan=plan, now=now
    )
    if override is not None:
        QuotaOverride.objects.create(
            business=business,
            per_minute=override,
            per_day=override,
            ends_at=now + timedelta(days=1),
        )
    return issue_api_key(business_id=business.pk, name="drill", now=now).secret


def another_key_of(secret: str) -> str:
    from django.utils import timezone

    from kaivox.businesses.models import ApiKey
    from kaivox.businesses.operations import issue_api_key

    business_id = ApiKey.objects.get(prefix=secret[:16]).business_id
    return issue_api_key(business_id=business_id, name="second", now=timezone.now()).secret


def business_of(web: Web, key: str) -> dict[str, dict[str, dict[str, int]]]:
    """`data` of `GET /business`."""
    found: dict[str, dict[str, dict[str, int]]] = one_by_one([Call(web.url + BUSINESS, key)])[
        0
    ].json()["data"]
    return found


def percentile(times: Sequence[float], percent: int) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[part.__name__ for part in PARTS], action="append")
    chosen = parser.parse_args().only
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(RedisServer.running(folder))
        database = stack.enter_context(empty_database(f"drill_{secrets.token_hex(4)}"))
        os.environ |= {
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "CELERY_BROKER_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "kaivox.settings",
            "KAIVOX_VAR": str(folder),
        }
        manage("migrate", "-v0")
        django.setup()
        from django.db import connections

        web = stack.enter_context(web_server(folder, redis))
        for part in PARTS:
            if chosen and part.__name__ not in chosen:
                continue
            print(f"\n{part.__name__.replace('_', ' ')}: {(part.__doc__ or '').splitlines()[0]}")
            try:
                part(web)
            except GuaranteeViolated:
                print("".join(f"  log: {line}\n" for line in web.problems()))
                raise
        connections.close_all()
    print("\nAll guarantees hold.")


if __name__ == "__main__":
    try:
        main()
    except GuaranteeViolated:
        sys.exit(1)
