"""Rules of both windows, for every limiter backend."""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kaivox.redis import RedisUnavailable
from ratelimits.backends import FallbackRateLimiter
from ratelimits.limiter import DAY, MINUTE, SECOND, DayUsage, Quota, RateLimitDecision
from ratelimits.memory_limiter import MemoryLimiter
from tests.effort import examples
from tests.ratelimits.conftest import KINDS, NOON, ManualClock, make_limiter

QUOTA = Quota(per_minute=3, per_day=5)


def take(limiter, times=1, quota=QUOTA, subject="b1"):
    return [limiter.take(subject, quota) for _ in range(times)]


class TestTake:
    def test_admits_the_quota_and_no_more(self, limiter):
        decisions = take(limiter, 4)

        assert [decision.admitted for decision in decisions] == [True, True, True, False]
        assert [decision.minute_remaining for decision in decisions] == [2, 1, 0, 0]

    def test_slides_exactly(self, limiter, manual_clock):
        take(limiter)
        manual_clock.advance(40)
        take(limiter, 2)
        manual_clock.advance(19.999_999)
        rejected = limiter.take("b1", QUOTA)
        manual_clock.advance(0.000_001)

        assert not rejected.admitted
        assert rejected.wait == 1
        assert limiter.take("b1", QUOTA).admitted
        assert not limiter.take("b1", QUOTA).admitted

    def test_never_admits_more_in_a_minute_across_its_edge(self, limiter, manual_clock):
        quota = Quota(30, 100_000)
        admitted = []
        for _ in range(200):
            manual_clock.advance(0.7)
            if limiter.take("b1", quota).admitted:
                admitted.append(manual_clock.now)

        in_a_minute = [
            bisect_right(admitted, instant) - bisect_right(admitted, instant - MINUTE)
            for instant in admitted
        ]
        assert max(in_a_minute) == 30
        assert len(admitted) == 88

    def test_a_rejection_costs_nothing(self, limiter, manual_clock):
        take(limiter, 3)
        manual_clock.advance(30)
        rejected = take(limiter, 50)
        manual_clock.advance(30)
        again = limiter.take("b1", QUOTA)

        assert {decision.minute_reset for decision in rejected} == {NOON + MINUTE}
        assert {decision.day_used for decision in rejected} == {3}
        assert again.admitted

    def test_is_admitted_after_exactly_the_wait(self, limiter, manual_clock):
        take(limiter, 2)
        manual_clock.advance(12.345_678)
        take(limiter)
        rejected = limiter.take("b1", QUOTA)
        manual_clock.advance(rejected.retry_after)

        assert rejected.retry_after == 48
        assert limiter.take("b1", QUOTA).admitted

    def test_an_exhausted_day_waits_for_midnight(self, limiter, manual_clock):
        for _ in range(5):
            take(limiter)
            manual_clock.advance(60)
        rejected = limiter.take("b1", QUOTA)
        manual_clock.advance(rejected.retry_after - 1)
        too_early = limiter.take("b1", QUOTA)
        manual_clock.advance(1)
        next_day = limiter.take("b1", QUOTA)

        assert not rejected.admitted
        assert rejected.minute_used == 0
        assert rejected.wait == 12 * 3600 * SECOND - 300 * SECOND
        assert not too_early.admitted
        assert next_day.admitted
        assert next_day.day_used == 1

    def test_cost_zero_only_reads(self, limiter):
        take(limiter, 3)
        reads = [limiter.take("b1", QUOTA, cost=0) for _ in range(3)]

        assert {read.admitted for read in reads} == {True}
        assert {read.minute_used for read in reads} == {3}

    def test_subjects_are_independent(self, limiter):
        take(limiter, 3)

        assert limiter.take("b2", QUOTA).admitted

    def test_a_smaller_quota_applies_at_once(self, limiter, manual_clock):
        take(limiter, 10, Quota(500, 100_000))
        manual_clock.advance(10)
        take(limiter, 2, Quota(500, 100_000))
        rejected = limiter.take("b1", Quota(3, 100_000))
        manual_clock.advance(50)

        assert rejected.minute_remaining == 0
        assert rejected.minute_reset == NOON + MINUTE
        assert limiter.take("b1", Quota(3, 100_000)).admitted

    def test_a_larger_quota_applies_at_once(self, limiter):
        take(limiter, 4)

        assert limiter.take("b1", Quota(500, 100_000)).minute_remaining == 496

    def test_without_a_daily_quota(self, limiter):
        decisions = take(limiter, 3, Quota(2))

        assert [decision.admitted for decision in decisions] == [True, True, False]

    def test_more_than_the_quota_at_once_is_never_admitted(self, limiter):
        decision = limiter.take("b1", QUOTA, cost=4)

        assert (decision.admitted, decision.wait) == (False, MINUTE)

    def test_a_clock_set_back_admits_nothing_more(self, limiter, manual_clock):
        take(limiter, 3)
        manual_clock.advance(-30)
        rejected = limiter.take("b1", QUOTA)

        assert (rejected.admitted, rejected.wait) == (False, MINUTE)

    def test_a_clock_set_back_far_blocks_no_one(self, limiter, manual_clock):
        take(limiter, 3)
        manual_clock.advance(-3600)

        assert limiter.take("b1", Quota(3, 100)).admitted

    def test_threads_get_exactly_the_quota(self, limiter):
        with ThreadPoolExecutor(16) as pool:
            quota = Quota(30, 5000)
            decisions = list(pool.map(lambda _: limiter.take("b1", quota), range(200)))

        admitted = [decision for decision in decisions if decision.admitted]
        assert sorted(decision.minute_remaining for decision in admitted) == list(range(30))
        assert limiter.take("b1", Quota(30, 5000), cost=0).day_used == 30


class TestUsage:
    def test_counts_admitted_rejected_and_the_peak_minute(self, limiter, manual_clock):
        take(limiter, 4)
        manual_clock.advance(90)
        take(limiter, 1)

        assert limiter.usage(["b1", "b2"]) == {
            "b1": [DayUsage(NOON // DAY, admitted=4, refused=1, peak_minute=3)],
            "b2": [],
        }


class TestBothImplementations:
    @pytest.mark.parametrize("kind", KINDS)
    @hypothesis_settings(max_examples=examples(60, quick=20))
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from([0, 0, 1, 500_000, 7 * SECOND, 59_999_999, MINUTE, DAY // 3]),
                st.integers(min_value=0, max_value=3),
                st.sampled_from([Quota(3, 5), Quota(1, 2), Quota(8, 20), Quota(4)]),
            ),
            max_size=40,
        )
    )
    def test_agree_with_a_naive_list_of_times(self, kind, steps):
        clock = ManualClock(NOON)
        limiter, naive = make_limiter(kind, clock), NaiveLimiter()
        for pause, cost, quota in steps:
            clock.now += pause
            assert limiter.take("b1", quota, cost) == naive.take(clock.now, quota, cost)

    @pytest.mark.skipif("redis" not in KINDS, reason="the embedded profile has one limiter")
    @pytest.mark.parametrize("seed", range(3))
    def test_agree_for_many_minutes_of_busy_traffic(self, seed):
        """Long enough for the script to rewrite its log many times, in every possible way."""
        chance, clock = random.Random(seed), ManualClock(NOON)
        script, memory = make_limiter("redis", clock), make_limiter("memory", clock)
        quota = Quota(200, 100_000)
        for _ in range(60):
            pause = chance.choice([0.001, 0.05, 0.3, 1, 20, 70])
            for _ in range(chance.randrange(100)):
                clock.advance(chance.uniform(0, 2 * pause))
                cost = chance.choice([0, 1, 1, 1, 5])
                assert script.take("b1", quota, cost) == memory.take("b1", quota, cost)
            if chance.random() < 0.1:
                clock.advance(-chance.choice([1, 59, 61, 90]))
            quota = chance.choice([quota, quota, Quota(200, 100_000), Quota(40, 100_000)])
        assert script.usage(["b1"])["b1"][-1:] == memory.usage(["b1"])["b1"]


class NaiveLimiter:
    """The reference implementation: a list of all admitted requests."""

    def __init__(self) -> None:
        self.admitted: list[int] = []
        self.of_days: list[int] = []  # instants charged to a daily quota

    def take(self, now: int, quota: Quota, cost: int) -> RateLimitDecision:
        wait = self._wait(now, quota, cost)
        if wait == 0:
            for _ in range(cost):
                insort(self.admitted, now)
                if quota.per_day is not None:
                    insort(self.of_days, now)
        return RateLimitDecision(
            quota,
            admitted=wait == 0,
            minute_used=len(self._minute(now)),
            minute_reset=self._reset(now, quota),
            day_used=0 if quota.per_day is None else self._day_used(now),
            wait=wait,
            now=now,
        )

    def _minute(self, now: int) -> list[int]:
        return [instant for instant in self.admitted if now - MINUTE < instant <= now]

    def _day_used(self, now: int) -> int:
        return sum(instant // DAY == now // DAY for instant in self.of_days)

    def _wait(self, now: int, quota: Quota, cost: int) -> int:
        """How long until both windows admit, found among the instants at which they change."""
        midnight = (now // DAY + 1) * DAY
        waits = [0]
        if cost and len(self._minute(now)) + cost > quota.per_minute:
            leaving = [instant + MINUTE for instant in self._minute(now)]
            free = (at for at in leaving if len(self._minute(at)) + cost <= quota.per_minute)
            waits.append(next(free, now + MINUTE) - now)
        if cost and quota.per_day is not None and self._day_used(now) + cost > quota.per_day:
            waits.append(midnight - now)
        return max(waits)

    def _reset(self, now: int, quota: Quota) -> int:
        used = self._minute(now)
        later = (instant + MINUTE for instant in used)
        below = min(len(used), quota.per_minute)
        return next((at for at in later if len(self._minute(at)) < below), now)


class TestDecisionHeaders:
    def test_describe_the_window_with_the_least_remaining(self):
        headers = RateLimitDecision(
            Quota(30, 5000), True, 1, NOON + MINUTE, 1, 0, NOON + 1
        ).headers()

        assert headers == {
            "X-RateLimit-Limit": "30",
            "X-RateLimit-Remaining": "29",
            "X-RateLimit-Reset": "1767614460",
            "RateLimit-Policy": '"minute";q=30;w=60, "day";q=5000;w=86400',
            "RateLimit": '"minute";r=29;t=60, "day";r=4999;t=43200',
        }

    @pytest.mark.parametrize("day_used", (4975, 4990))
    def test_describe_the_day_if_it_has_less_or_as_much(self, day_used):
        used = RateLimitDecision(
            Quota(30, 5000), True, 5, NOON + MINUTE, day_used, 0, NOON
        ).headers()

        assert used["X-RateLimit-Limit"] == "5000"
        assert used["X-RateLimit-Remaining"] == str(5000 - day_used)
        assert used["X-RateLimit-Reset"] == str(NOON // SECOND + 43_200)

    def test_round_waits_up(self):
        rejected = RateLimitDecision(Quota(30, 5000), False, 30, NOON + 1, 30, 1, NOON)

        assert rejected.headers()["Retry-After"] == "1"


class TestMemoryLimiter:
    def test_resumes_from_stored_usage(self, manual_clock):
        limiter = MemoryLimiter(
            clock=manual_clock, recall=lambda subject, day: DayUsage(day, 4, 7, 3)
        )

        assert limiter.take("b1", QUOTA).day_used == 5
        assert not limiter.take("b1", QUOTA).admitted
        assert limiter.usage(["b1"])["b1"] == [DayUsage(NOON // DAY, 5, 8, 3)]

    def test_drops_idle_subjects(self, manual_clock):
        limiter = MemoryLimiter(clock=manual_clock)
        for number in range(MemoryLimiter.MAX_IDLE_SUBJECTS):
            limiter.take(f"a{number}", Quota(60))
        manual_clock.advance(61)
        limiter.take("a-new", Quota(60))

        assert len(limiter) == 1


class TestFallbackRateLimiter:
    """During an outage of the shared limiter."""

    @pytest.fixture
    def shared(self, manual_clock):
        return FailingLimiter(clock=manual_clock)

    @pytest.fixture
    def fallback(self, shared, manual_clock):
        return FallbackRateLimiter(shared, MemoryLimiter(clock=manual_clock))

    def test_serves_within_the_same_quota(self, fallback, shared):
        shared.is_down = True

        assert [one.admitted for one in take(fallback, 5)] == [True] * 3 + [False] * 2

    def test_continues_from_the_usage_before(self, fallback, shared, manual_clock):
        take(fallback, 1)
        manual_clock.advance(20)
        take(fallback, 1)
        shared.is_down = True
        during = take(fallback, 2)
        manual_clock.advance(40)
        later = take(fallback, 2)

        assert [one.admitted for one in during] == [True, False]
        assert during[0].day_used == 3
        assert [one.admitted for one in later] == [True, False]

    def test_uses_the_shared_one_again_afterwards(self, fallback, shared, manual_clock):
        take(fallback, 2)
        shared.is_down = True
        take(fallback, 5)
        shared.is_down = False

        assert fallback.take("b1", QUOTA).minute_used == 3


class FailingLimiter(MemoryLimiter):
    is_down = False

    def take(self, subject, quota, cost=1):
        if self.is_down:
            raise RedisUnavailable
        return super().take(subject, quota, cost)
