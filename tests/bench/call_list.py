"""Response times of the list of calls, with each filter and the search, on a million calls.

    make bench ARGS=call_list

Each query in three cases: after a change of any call, when its total is counted again; without a
change, when the total is cached; and by cursor, where nothing is counted.
`python -m tests.bench.call_list --calls 100000` has a smaller table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
django.setup()

from django.utils import timezone  # noqa: E402 - after the set-up
from rest_framework.test import APIClient  # noqa: E402

from calls.models import Call  # noqa: E402
from kaivox.businesses.models import Business  # noqa: E402
from tests import factories  # noqa: E402
from tests.bench.call_table import bench_database, make_business_with_calls  # noqa: E402

MOST_MS = 50
# Requests of each kind; fewer where one is slow.
ROUNDS = 15
ENOUGH_SECONDS = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    with bench_database():
        return _measure(make_business_with_calls(parser.parse_args().calls))


def _measure(business: Business) -> int:
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=factories.make_key(business))
    one = Call.objects.for_business(business).order_by("-pk")[:1].get()
    change = Call.objects.filter(pk=one.pk).update
    print(f"\n{'p50 in ms':32} {'total':>9} {'changed':>7} {'again':>7} {'cursor':>7}", flush=True)
    slow = 0
    for name, query in _queries(business).items():
        _request(client, query)  # fills the page cache
        changed = _time(client, query, before=lambda: change(end_reason="hangup"))
        total = [_request(client, query) for _ in range(3)][-1]
        again = _time(client, query)
        by_cursor = _time(client, {"cursor": "", **query})
        slow += again > MOST_MS
        mark = "  <-- slow" if again > MOST_MS else ""
        print(
            f"{name:32} {total:>9} {changed:7.1f} {again:7.1f} {by_cursor:7.1f}{mark}", flush=True
        )
    print(f"{slow} slower than {MOST_MS} ms." if slow else f"All within {MOST_MS} ms.")
    return 1 if slow else 0


def _time(
    client: APIClient, query: dict[str, str], *, before: Callable[[], object] = lambda: None
) -> float:
    """The median in milliseconds of a request, each after a call of `before`."""
    times: list[float] = []
    while len(times) < ROUNDS and sum(times) < 1000 * ENOUGH_SECONDS:
        before()
        began = time.perf_counter()
        _request(client, query)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _request(client: APIClient, query: dict[str, str]) -> str:
    """The total, or "-"."""
    response = client.get("/api/v1/calls", query)
    assert response.status_code == 200, response.content
    total = response.json()["meta"]["total"]
    return "-" if total is None else f"{total:,}"


def _queries(business: Business) -> dict[str, dict[str, str]]:
    one = Call.objects.for_business(business).order_by("-started_at")[1000]
    day = one.started_at.astimezone(business.zone).date()
    ago = (timezone.now() - timedelta(days=2)).isoformat()
    return {
        "the list": {},
        "sentiment=negative": {"sentiment": "negative"},
        "sentiment=positive,neutral": {"sentiment": "positive,neutral"},
        "status=missed": {"status": "missed"},
        "status=failed": {"status": "failed"},
        "direction=outbound": {"direction": "outbound"},
        "customer_id": {"customer_id": str(one.customer_id)},
        "phone": {"phone": one.from_number},
        "date": {"date": day.isoformat()},
        "date_from, date_to (30 days)": {
            "date_from": (day - timedelta(days=30)).isoformat(),
            "date_to": day.isoformat(),
        },
        "min_duration=30": {"min_duration": "30"},
        "min_duration=600": {"min_duration": "600"},
        "updated_since, ordering": {"updated_since": ago, "ordering": "updated_at"},
        "ordering=-duration_seconds": {"ordering": "-duration_seconds"},
        "search: in most calls": {"search": "appointment"},
        "search: in one of ten": {"search": "incisor"},
        "search: in few": {"search": one.words.split()[-1]},
        "search: two words": {"search": "whitening jaw"},
        "search: in none": {"search": "xylophone"},
        "search, status, sentiment": {
            "search": "molar",
            "status": "completed",
            "sentiment": "negative",
        },
    }


if __name__ == "__main__":
    sys.exit(main())
