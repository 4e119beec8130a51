"""The promises about quotas and keys, rehearsed at full size on real processes.

    make drill-quotas, or  python -m tests.servers python -m tests.drills.quotas [--only NAME]

gunicorn with four processes, PostgreSQL, and a Redis of the drill's own, which it kills. Callers
are several processes too. Each part prints what it measured and ends the drill where a promise is
broken. About five minutes; one part, the minute's edge, takes two of them.
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


class Broken(Exception):
    """A promise is."""


def promise(kept: bool, text: str) -> None:
    print(f"  {'kept  ' if kept else 'BROKEN'}  {text}", flush=True)
    if not kept:
        raise Broken(text)


# --- Parts -----------------------------------------------------------------------------------


def exactly_thirty(web: Web) -> None:
    """200 concurrent requests at 30 a minute, twenty times."""
    for number in range(20):
        key = new_key("starter")
        answers = all_at_once([Call(web.url + LIST, key)] * 200, processes=4)
        statuses = Counter(answer.status for answer in answers)
        remaining = {one.headers["x-ratelimit-remaining"] for one in answers if one.status == 200}
        usage = look(web, key)["usage"]
        exact = statuses == {200: 30, 429: 170} and len(remaining) == 30
        exact = exact and usage["day"]["used"] == 30
        if not exact or number == 19:
            promise(
                exact,
                f"round {number + 1}: {dict(statuses)}, {len(remaining)} different Remaining, "
                f"the day charged {usage['day']['used']}",
            )


def the_minutes_edge(web: Web) -> None:
    """Hammers for over two minutes: never more than 30 in any 60 s."""
    key = new_key("starter")
    answers = keep_calling([Call(web.url + LIST, key)], seconds=130, threads=4, pause=0.05)
    admitted = sorted((one for one in answers if one.status == 200), key=lambda one: one.sent)
    # An admission lies between sending and answering. 31 that lie within 60 s are a proof.
    most = max(
        sum(other.sent >= one.sent and other.answered < one.sent + 60 for other in admitted)
        for one in admitted
    )
    promise(
        most <= 30 and len(admitted) in (89, 90, 91),
        f"{len(answers)} requests in 130 s, {len(admitted)} admitted, at most {most} in any 60 s",
    )


def the_wait_is_right(web: Web) -> None:
    """After sleeping exactly Retry-After the next call is admitted; a moment before, it is not."""
    keys = [new_key("starter") for _ in range(10)]
    for key in keys:
        all_at_once([Call(web.url + LIST, key)] * 30, processes=1)
        time.sleep(0.137)
    refused = one_by_one([Call(web.url + LIST, key) for key in keys])
    due = {
        key: answer.answered + int(answer.headers["retry-after"])
        for key, answer in zip(keys, refused, strict=True)
    }
    # Waits are rounded up by less than a second; the other half is for the way there.
    moments = [(at - 1.5, key, 429) for key, at in due.items()]
    moments += [(at, key, 200) for key, at in due.items()]
    right: Counter[int] = Counter()
    for at, key, status in sorted(moments):
        time.sleep(max(0.0, at - time.time()))
        right[status] += one_by_one([Call(web.url + LIST, key)])[0].status == status
    waits = ", ".join(sorted({answer.headers["retry-after"] for answer in refused}))
    promise(right[200] == 10, f"{right[200]} of 10 admitted after sleeping Retry-After ({waits} s)")
    promise(right[429] == 10, f"{right[429]} of 10 still refused a second and a half earlier")


def shared_and_not_shared(web: Web) -> None:
    """Two keys of one business share a quota; two businesses do not."""
    first = new_key("starter")
    second = another_key_of(first)
    mixed = [Call(web.url + LIST, key) for key in (first, second)] * 50
    other = [Call(web.url + LIST, new_key("starter"))] * 30
    statuses = Counter(one.status for one in all_at_once(mixed, processes=2))
    others = Counter(one.status for one in all_at_once(other, processes=2))
    promise(statuses == {200: 30, 429: 70}, f"two keys of one business: {dict(statuses)}")
    promise(others == {200: 30}, f"another business meanwhile: {dict(others)}")


def a_change_holds_everywhere(web: Web) -> None:
    """A revoked key, a narrowed one, a suspended business, another plan: at the next request on
    every web process, though all of them remember the key."""
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
        promise(
            before == {200: 800} and after == {status: 800},
            f"{name}: {dict(before)} before, {dict(after)} after, on {PROCESSES} processes",
        )


def redis_dies(web: Web) -> None:
    """kill -9 in mid-traffic, back after four seconds. Then a Redis that hangs."""
    _outage(web, "killed", web.redis.kill, web.redis.start)
    time.sleep(60)  # A process tells of an outage once a minute at most.
    _outage(web, "hanging", web.redis.stop, web.redis.go_on)


def _outage(web: Web, name: str, away: Callable[[], None], back: Callable[[], None]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    busy, small = new_key("enterprise", agreed=100_000), new_key("starter")
    calls = [Call(web.url + BUSINESS, busy), Call(web.url + LIST, small)]
    log_before = len(web.log())
    with ThreadPoolExecutor(1) as pool:
        traffic = pool.submit(keep_calling, calls, seconds=14, threads=6, pause=0.004)
        time.sleep(5)
        away()
        gone = time.time()
        time.sleep(4)
        back()
        returned = time.time()
        answers = traffic.result()
    statuses = Counter(one.status for one in answers)
    before = [one.took for one in answers if one.answered < gone]
    during = [one.took for one in answers if gone <= one.sent and one.answered < returned]
    after = [one.took for one in answers if one.sent > returned + 2.5]
    promise(
        all(status < 500 for status in statuses),
        f"{name}: {len(answers):,} answers, none of 500 and above: {dict(statuses)}",
    )
    p99 = [percentile(times, 99) * 1000 for times in (before, during, after)]
    promise(
        p99[1] <= p99[0] + 100,
        f"{name}: p99 {p99[0]:.0f} ms before, {p99[1]:.0f} ms while away, {p99[2]:.0f} ms after",
    )
    admitted = sum(
        one.status == 200 and one.url.endswith(LIST) and gone <= one.sent < returned
        for one in answers
    )
    promise(
        admitted <= 30 * PROCESSES,
        f"{name}: the small business got {admitted} while away; the cap is 30 in each of "
        f"{PROCESSES} processes",
    )
    lines = web.log()[log_before:].splitlines()
    warnings = sum("Redis is away" in line for line in lines)
    promise(
        1 <= warnings <= PROCESSES,
        f"{name}: {warnings} warnings in the log of {PROCESSES} processes, for one outage",
    )
    again = Counter(
        one.status
        for one in all_at_once([Call(web.url + LIST, new_key("starter"))] * 100, processes=2)
    )
    promise(again == {200: 30, 429: 70}, f"{name}: exact again: {dict(again)}")


def guesses_tell_nothing(web: Web) -> None:
    """10,000 random keys: one body, one set of headers; wrong and unknown take equally long."""
    from kaivox.businesses import keys

    def call(secret: str, number: int) -> Call:
        return Call(web.url + LIST, secret, {**_from(number), "X-Request-ID": "drill"})

    random_keys = [keys.make_key(livemode=bool(number % 2)) for number in range(10_000)]
    guesses = [call(key, number) for number, key in enumerate(random_keys)]
    answers = all_at_once(guesses, processes=4, threads=4)
    shapes = {
        (one.status, one.body, tuple(sorted((k, v) for k, v in one.headers.items() if k != "date")))
        for one in answers
    }
    promise(len(shapes) == 1, f"{len(answers):,} guesses, {len(shapes)} kind of answer")

    known = new_key("starter")

    def with_known_prefix() -> str:
        body = known[:16] + keys.make_key(livemode=True)[16:-6]
        return body + keys._checksum(body)

    makers = {"wrong": with_known_prefix, "unknown": lambda: keys.make_key(livemode=True)}
    times: dict[str, list[float]] = {name: [] for name in makers}
    for number in range(3_000):
        for name, make in makers.items():
            guess = call(make(), 20_000 + 2 * number + (name == "wrong"))
            times[name] += [one.took for one in one_by_one([guess])]
    medians = {name: statistics.median(taken) * 1e6 for name, taken in times.items()}
    spread = statistics.quantiles(times["unknown"], n=4)
    noise = (spread[2] - spread[0]) * 1e6
    promise(
        abs(medians["wrong"] - medians["unknown"]) < noise,
        f"medians: wrong {medians['wrong']:.0f} us, unknown {medians['unknown']:.0f} us; "
        f"half of all lie within {noise:.0f} us",
    )


PARTS = (
    exactly_thirty,
    shared_and_not_shared,
    a_change_holds_everywhere,
    guesses_tell_nothing,
    the_wait_is_right,
    redis_dies,
    the_minutes_edge,
)


def _from(number: int) -> dict[str, str]:
    """An address of its own for each call: here it is not the address's limit that is rehearsed."""
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


# --- What the parts need ---------------------------------------------------------------------


def new_key(plan: str, *, agreed: int | None = None) -> str:
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
    if agreed is not None:
        QuotaOverride.objects.create(
            business=business, per_minute=agreed, per_day=agreed, ends_at=now + timedelta(days=1)
        )
    return issue_api_key(business_id=business.pk, name="drill", now=now).secret


def another_key_of(secret: str) -> str:
    from django.utils import timezone

    from kaivox.businesses.models import ApiKey
    from kaivox.businesses.operations import issue_api_key

    business_id = ApiKey.objects.get(prefix=secret[:16]).business_id
    return issue_api_key(business_id=business_id, name="second", now=timezone.now()).secret


def look(web: Web, key: str) -> dict[str, dict[str, dict[str, int]]]:
    """What `GET /business` tells."""
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
            except Broken:
                print("".join(f"  log: {line}\n" for line in web.complaints()))
                raise
        connections.close_all()
    print("\nEvery promise was kept.")


if __name__ == "__main__":
    try:
        main()
    except Broken:
        sys.exit(1)
