"""The choice of resources for a visit and the cut of its blocked ranges, against all possible ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from appointments.visits.blocked_ranges import Blocked, cut
from appointments.visits.resource_choice import choose_resources

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

# Of each part one list of ids per kind: those of the first are below 10, of the second above.
PARTS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
        st.lists(st.integers(10, 12), min_size=1, max_size=3, unique=True),
    ).flatmap(lambda kinds: st.sampled_from([[kinds[0]], list(kinds), []])),
    min_size=1,
    max_size=4,
)


class TestChooseResources:
    @given(PARTS, st.data())
    def test_is_the_first_of_all_choices_in_which_no_two_at_once_share_one(self, options, data):
        pairs = list(combinations(range(len(options)), 2))
        at_once = data.draw(st.sets(st.sampled_from(pairs)) if pairs else st.just(set()))
        all_choices = product(*(list(product(*kinds)) for kinds in options))
        possible = [
            list(chosen)
            for chosen in all_choices
            if all(set(chosen[one]).isdisjoint(chosen[other]) for one, other in at_once)
        ]
        assert choose_resources(options, at_once) == (possible[0] if possible else None)

    def test_is_fast_where_all_parts_are_at_once(self):
        ids = [list(range(1, 500))]
        at_once = list(combinations(range(6), 2))
        assert choose_resources([ids] * 6, at_once) == [(one,) for one in range(1, 7)]
        assert choose_resources([[[1, 2, 3, 4, 5]]] * 6, at_once) is None


class TestCut:
    @given(
        st.lists(
            st.tuples(*(st.integers(0, 90) for _ in range(3)), st.integers(1, 90)),
            min_size=1,
            max_size=6,
        )
    )
    def test_leaves_no_overlap_and_the_same_union(self, parts):
        ranges, begins = [], 0
        for gap, before, after, lasts in parts:
            begins += gap
            ranges.append(Blocked(*map(at, (begins, begins - before, begins + lasts + after))))
            begins += lasts
        found = cut(ranges)
        assert all(one.busy_end <= other.busy_start for one, other in pairwise(found))
        assert [one.start for one in found] == [one.start for one in ranges]
        assert all(one.busy_start <= one.start < one.busy_end for one in found)
        assert minutes_of(found) == minutes_of(ranges)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def minutes_of(ranges) -> set[int]:
    return {
        minute
        for one in ranges
        for minute in range(
            *(int((edge - NOON).total_seconds()) // 60 for edge in (one.busy_start, one.busy_end))
        )
    }
