"""The rules of both windows, of every store that there is."""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kaivox.redis_store import StoreAway
from ratelimits.memory_window import MemoryWindow
from ratelimits.stores import GuardedWindow
from ratelimits.window import DAY, MINUTE, SECOND, DayUsage, Decision, Quota
from tests.ratelimits.conftest import KINDS, NOON, HandClock, make_window

QUOTA = Quota(per_minute=3, per_day=5)


def take(window, times=1, quota=QUOTA, subject="b1"):
    return [window.take(subject, quota) for _ in range(times)]


class TestTake:
    def test_admits_the_quota_and_no_more(self, window):
        decisions = take(window, 4)

        assert [decision.admitted for decision in decisions] == [True, True, True, False]
        assert [decision.minute_remaining for decision in decisions] == [2, 1, 0, 0]

    def test_slides(self, window, hand_clock):
        take(window)
        hand_clock.passes(40)
        take(window, 2)
        hand_clock.passes(19.999_999)
        refused = window.take("b1", QUOTA)
        hand_clock.passes(0.000_001)

        assert not refused.admitted
        assert refused.wait == 1
        assert window.take("b1", QUOTA).admitted
        assert not window.take("b1", QUOTA).admitted

    def test_never_admits_more_in_a_minute_across_its_edge(self, window, hand_clock):
        quota = Quota(30, 100_000)
        admitted = []
        for _ in range(200):
            hand_clock.passes(0.7)
            if window.take("b1", quota).admitted:
                admitted.append(hand_clock.now)

        in_a_minute = [
            bisect_right(admitted, instant) - bisect_right(admitted, instant - MINUTE)
            for instant in admitted
        ]
        assert max(in_a_minute) == 30
        assert len(admitted) == 88

    def test_refusing_costs_nothing(self, window, hand_clock):
        take(window, 3)
        hand_clock.passes(30)
        refused = take(window, 50)
        hand_clock.passes(30)
        again = window.take("b1", QUOTA)

        assert {decision.minute_reset for decision in refused} == {NOON + MINUTE}
        assert {decision.day_used for decision in refused} == {3}
        assert again.admitted

    def test_is_admitted_after_exactly_the_wait(self, window, hand_clock):
        take(window, 2)
        hand_clock.passes(12.345_678)
        take(window)
        refused = window.take("b1", QUOTA)
        hand_clock.passes(refused.retry_after)

        assert refused.retry_after == 48
        assert window.take("b1", QUOTA).admitted

    def test_a_full_day_waits_for_midnight(self, window, hand_clock):
        for _ in range(5):
            take(window)
            hand_clock.passes(60)
        refused = window.take("b1", QUOTA)
        hand_clock.passes(refused.retry_after - 1)
        too_early = window.take("b1", QUOTA)
        hand_clock.passes(1)
        next_day = window.take("b1", QUOTA)

        assert not refused.admitted
        assert refused.minute_used == 0
        assert refused.wait == 12 * 3600 * SECOND - 300 * SECOND
        assert not too_early.admitted
        assert next_day.admitted
        assert next_day.day_used == 1

    def test_looking_takes_nothing(self, window):
        take(window, 3)
        looks = [window.take("b1", QUOTA, cost=0) for _ in range(3)]

        assert {look.admitted for look in looks} == {True}
        assert {look.minute_used for look in looks} == {3}

    def test_subjects_do_not_share(self, window):
        take(window, 3)

        assert window.take("b2", QUOTA).admitted

    def test_a_smaller_quota_holds_at_once(self, window, hand_clock):
        take(window, 10, Quota(500, 100_000))
        hand_clock.passes(10)
        take(window, 2, Quota(500, 100_000))
        refused = window.take("b1", Quota(3, 100_000))
        hand_clock.passes(50)

        assert refused.minute_remaining == 0
        assert refused.minute_reset == NOON + MINUTE
        assert window.take("b1", Quota(3, 100_000)).admitted

    def test_a_larger_quota_holds_at_once(self, window):
        take(window, 4)

        assert window.take("b1", Quota(500, 100_000)).minute_remaining == 496

    def test_without_a_quota_of_the_day(self, window):
        decisions = take(window, 3, Quota(2))

        assert [decision.admitted for decision in decisions] == [True, True, False]

    def test_more_than_the_quota_at_once_is_never_admitted(self, window):
        decision = window.take("b1", QUOTA, cost=4)

        assert (decision.admitted, decision.wait) == (False, MINUTE)

    def test_a_clock_set_back_gives_nothing_away(self, window, hand_clock):
        take(window, 3)
        hand_clock.passes(-30)
        refused = window.take("b1", QUOTA)

        assert (refused.admitted, refused.wait) == (False, MINUTE)

    def test_a_clock_set_back_far_makes_nobody_wait_for_it(self, window, hand_clock):
        take(window, 3)
        hand_clock.passes(-3600)

        assert window.take("b1", Quota(3, 100)).admitted

    def test_threads_get_exactly_the_quota(self, window):
        with ThreadPoolExecutor(16) as pool:
            quota = Quota(30, 5000)
            decisions = list(pool.map(lambda _: window.take("b1", quota), range(200)))

        admitted = [decision for decision in decisions if decision.admitted]
        assert sorted(decision.minute_remaining for decision in admitted) == list(range(30))
        assert window.take("b1", Quota(30, 5000), cost=0).day_used == 30


class TestUsage:
    def test_tells_admitted_refused_and_the_peak_minute(self, window, hand_clock):
        take(window, 4)
        hand_clock.passes(90)
        take(window, 1)

        assert window.usage(["b1", "b2"]) == {
            "b1": [DayUsage(NOON // DAY, admitted=4, refused=1, peak_minute=3)],
            "b2": [],
        }


class TestTheTwins:
    @pytest.mark.parametrize("kind", KINDS)
    @hypothesis_settings(max_examples=60, deadline=None)
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
        clock = HandClock(NOON)
        window, naive = make_window(kind, clock), NaiveWindow()
        for pause, cost, quota in steps:
            clock.now += pause
            assert window.take("b1", quota, cost) == naive.take(clock.now, quota, cost)

    @pytest.mark.skipif("redis" not in KINDS, reason="the embedded profile has one window")
    @pytest.mark.parametrize("seed", range(3))
    def test_agree_for_many_minutes_of_busy_traffic(self, seed):
        """Long enough for the script's log to be begun anew many times, in every way there is."""
        chance, clock = random.Random(seed), HandClock(NOON)
        script, memory = make_window("redis", clock), make_window("memory", clock)
        quota = Quota(200, 100_000)
        for _ in range(60):
            pause = chance.choice([0.001, 0.05, 0.3, 1, 20, 70])
            for _ in range(chance.randrange(100)):
                clock.passes(chance.uniform(0, 2 * pause))
                cost = chance.choice([0, 1, 1, 1, 5])
                assert script.take("b1", quota, cost) == memory.take("b1", quota, cost)
            if chance.random() < 0.1:
                clock.passes(-chance.choice([1, 59, 61, 90]))
            quota = chance.choice([quota, quota, Quota(200, 100_000), Quota(40, 100_000)])
        assert script.usage(["b1"])["b1"][-1:] == memory.usage(["b1"])["b1"]


class NaiveWindow:
    """The rules in their plainest form: a list of all that was ever admitted."""

    def __init__(self) -> None:
        self.admitted: list[int] = []
        self.of_days: list[int] = []  # what was charged to a quota of the day

    def take(self, now: int, quota: Quota, cost: int) -> Decision:
        wait = self._wait(now, quota, cost)
        if wait == 0:
            for _ in range(cost):
                insort(self.admitted, now)
                if quota.per_day is not None:
                    insort(self.of_days, now)
        return Decision(
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
        """The first instant at which both windows have room, found among those that change it."""
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
    def test_shows_the_window_with_the_least_left(self):
        headers = Decision(Quota(30, 5000), True, 1, NOON + MINUTE, 1, 0, NOON + 1).headers()

        assert headers == {
            "X-RateLimit-Limit": "30",
            "X-RateLimit-Remaining": "29",
            "X-RateLimit-Reset": "1767614460",
            "RateLimit-Policy": '"minute";q=30;w=60, "day";q=5000;w=86400',
            "RateLimit": '"minute";r=29;t=60, "day";r=4999;t=43200',
        }

    @pytest.mark.parametrize("day_used", (4975, 4990))
    def test_shows_the_day_where_it_has_less_or_as_much(self, day_used):
        used = Decision(Quota(30, 5000), True, 5, NOON + MINUTE, day_used, 0, NOON).headers()

        assert used["X-RateLimit-Limit"] == "5000"
        assert used["X-RateLimit-Remaining"] == str(5000 - day_used)
        assert used["X-RateLimit-Reset"] == str(NOON // SECOND + 43_200)

    def test_rounds_waits_up(self):
        refused = Decision(Quota(30, 5000), False, 30, NOON + 1, 30, 1, NOON)

        assert refused.headers()["Retry-After"] == "1"


class TestMemoryWindow:
    def test_goes_on_from_what_was_written_down(self, hand_clock):
        window = MemoryWindow(clock=hand_clock, recall=lambda subject, day: DayUsage(day, 4, 7, 3))

        assert window.take("b1", QUOTA).day_used == 5
        assert not window.take("b1", QUOTA).admitted
        assert window.usage(["b1"])["b1"] == [DayUsage(NOON // DAY, 5, 8, 3)]

    def test_forgets_subjects_that_left_both_windows(self, hand_clock):
        window = MemoryWindow(clock=hand_clock)
        for number in range(MemoryWindow.MANY):
            window.take(f"a{number}", Quota(60))
        hand_clock.passes(61)
        window.take("a-new", Quota(60))

        assert len(window._logs) == 1


class TestGuardedWindow:
    """While the shared window is away."""

    @pytest.fixture
    def shared(self, hand_clock):
        return FailingWindow(clock=hand_clock)

    @pytest.fixture
    def guarded(self, shared, hand_clock):
        return GuardedWindow(shared, MemoryWindow(clock=hand_clock))

    def test_serves_within_the_same_quota(self, guarded, shared):
        shared.is_away = True

        assert [one.admitted for one in take(guarded, 5)] == [True] * 3 + [False] * 2

    def test_goes_on_from_what_was_used_before(self, guarded, shared, hand_clock):
        take(guarded, 1)
        hand_clock.passes(20)
        take(guarded, 1)
        shared.is_away = True
        away = take(guarded, 2)
        hand_clock.passes(40)
        later = take(guarded, 2)

        assert [one.admitted for one in away] == [True, False]
        assert away[0].day_used == 3
        assert [one.admitted for one in later] == [True, False]

    def test_is_the_shared_one_again_afterwards(self, guarded, shared, hand_clock):
        take(guarded, 2)
        shared.is_away = True
        take(guarded, 5)
        shared.is_away = False

        assert guarded.take("b1", QUOTA).minute_used == 3


class FailingWindow(MemoryWindow):
    is_away = False

    def take(self, subject, quota, cost=1):
        if self.is_away:
            raise StoreAway
        return super().take(subject, quota, cost)
