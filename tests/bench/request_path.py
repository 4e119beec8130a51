"""Files and functions of ours that a request passes, and where its CPU time goes.

    make bench ARGS=request_path, or  python -m tests.servers python -m tests.bench.request_path

In one process, through the WSGI application, PostgreSQL and Redis as in production, warmed up.
Counts are of the product's own modules: a request that passes few of them is easy to follow. Fails past
BOUNDS, which tests/test_request_path.py compares as well. SHOW_PATH=1 prints what is passed,
SHOW_PROFILE=1 where the time goes.
"""

from __future__ import annotations

import cProfile
import io
import json
import os
import pstats
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from tests.bench.clinic import make_clinic
from tests.stack import ROOT, empty_database

# The most files and functions that a request may pass, in either profile, and the largest share of its CPU time in
# compiling queries: what is above it belongs in a CompiledQuery.
BOUNDS = {"GET list": (44, 144), "POST": (64, 226)}
MAX_COMPILING = 0.2
PACKAGES = (
    "kaivox", "appointments", "customers", "calls", "staff", "services", "webhooks", "ratelimits",
)  # fmt: skip
HOURS = ((9 * 60, 18 * 60),)
WARM, PROFILED = 5, 30  # in all fewer requests than the plan allows in a minute
# Where Django builds a query and compiles it to SQL.
COMPILING = ("django/db/models/", "django/utils/tree.py", "django/utils/hashable.py")

Ask = Callable[[], int]


def main() -> None:
    os.environ["HTTPS_ONLY"] = "0"  # as behind a proxy that ends TLS
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        clinic = make_clinic(url, people=20, appointments=5_000, hours=HOURS)
        from django.db import connection

        from kaivox.businesses.models import Business
        from ratelimits.models import QuotaOverride

        # As most businesses: an agreed quota is a module more.
        QuotaOverride.objects.all().delete()
        Business.objects.update(plan="enterprise")
        try:
            _tell(_asks(clinic))
        finally:
            connection.close()


def _tell(asks: dict[str, Ask]) -> None:
    past = []
    print(f"\n{'':22}{'files':>7}{'functions':>11}{'at most':>12}{'compiling queries':>20}")
    for name, ask in asks.items():
        for _ in range(WARM):
            assert ask() < 300, name
        files, functions = passed_by(ask)
        bound = BOUNDS.get(name)
        share = _share_of_compiling(ask)
        print(
            f"{name:22}{len(files):7}{len(functions):11}"
            f"{' / '.join(map(str, bound or ())):>12}{share:19.0%}"
        )
        if share > MAX_COMPILING or (
            bound and (len(files) > bound[0] or len(functions) > bound[1])
        ):
            past.append(name)
    if past:
        sys.exit(f"Past its bound: {', '.join(past)}.")


def wsgi_call(
    application: Any, key: str, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    """Status and JSON of a request with `key` to `path` under /api/v1."""
    content = b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": f"/api/v1{path}",
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_X_API_KEY": key,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    statuses: list[int] = []
    response = application(environ, lambda status, headers: statuses.append(int(status[:3])))
    try:
        return statuses[0], json.loads(b"".join(response) or b"{}")
    finally:
        response.close()


def _asks(clinic: Any) -> dict[str, Ask]:
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    # Each booking has another day and minute.
    starts = (
        datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
        + timedelta(days=40 + number // 8, hours=number % 8)
        for number in count()
    )

    def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return wsgi_call(application, clinic.key, method, path, body)

    def get(path: str) -> Ask:
        return lambda: call("GET", path)[0]

    def first_id(path: str) -> int:
        return int(call("GET", path)[1]["data"][0]["id"])

    def book() -> tuple[int, Any]:
        return call(
            "POST",
            "/appointments",
            {
                "customer_id": clinic.customer_ids[0],
                "service_id": clinic.service_id,
                "staff_id": clinic.staff_ids[0],
                "start_time": next(starts).isoformat(),
            },
        )

    booked = iter([book()[1]["data"]["id"] for _ in range(2 * (WARM + PROFILED + 1))])

    def move() -> int:
        body = {"start_time": next(starts).isoformat()}
        return call("PATCH", f"/appointments/{next(booked)}", body)[0]

    return {
        "GET list": get("/appointments"),
        "GET one": get(f"/appointments/{first_id('/appointments')}"),
        "GET customers": get("/customers"),
        "GET customer": get(f"/customers/{clinic.customer_ids[0]}"),
        "GET calls": get("/calls"),
        "GET staff": get("/staff"),
        "GET services": get("/services"),
        "GET service": get(f"/services/{clinic.service_id}"),
        "GET slots": get(f"/appointments/slots?service_id={clinic.service_id}"),
        "GET business": get("/business"),
        "POST": lambda: book()[0],
        "PATCH (move)": move,
        "DELETE": lambda: call("DELETE", f"/appointments/{next(booked)}")[0],
    }


def passed_by(ask: Ask) -> tuple[set[str], set[tuple[str, str]]]:
    """Files of ours, and functions with their file, that run while `ask` does."""
    files: set[str] = set()
    functions: set[tuple[str, str]] = set()

    def enter(frame: FrameType, event: str, arg: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        path = Path(code.co_filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES:
            name = str(path.relative_to(ROOT))
            files.add(name)
            if not code.co_name.startswith("<"):  # a comprehension or lambda is part of a function
                functions.add((name, code.co_qualname))

    sys.setprofile(enter)
    try:
        ask()
    finally:
        sys.setprofile(None)
    if os.environ.get("SHOW_PATH"):
        print("\n".join(" ".join(one) for one in sorted(functions)))
    return files, functions


def _share_of_compiling(ask: Ask) -> float:
    """The share of the CPU time in Django's modules of queries, expressions and lookups."""
    profile = cProfile.Profile()
    for _ in range(PROFILED):
        profile.enable()
        ask()
        profile.disable()
    stats: Any = pstats.Stats(profile)
    if os.environ.get("SHOW_PROFILE"):
        stats.sort_stats("tottime").print_stats(45)
    compiling = sum(
        own
        for (file, _, _), (_, _, own, _, _) in stats.stats.items()
        if any(part in file for part in COMPILING)
    )
    return float(compiling / stats.total_tt)


if __name__ == "__main__":
    main()
