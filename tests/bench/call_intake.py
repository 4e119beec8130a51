"""Throughput of ingesting calls of 40 turns on two cores.

    make bench ARGS=call_intake

Two processes, with 100,000 calls stored before. Each message is signed, and its call, event and
encrypted payload are stored; one in five comes from a new caller.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from urllib.parse import urlsplit

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
django.setup()

from django.conf import settings  # noqa: E402 - after the set-up
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from calls import ingestion  # noqa: E402
from calls.models import Call, ProviderAccount  # noqa: E402
from calls.providers.incoming import Incoming  # noqa: E402
from tests.bench.call_table import CUSTOMERS, bench_database, make_business_with_calls  # noqa: E402
from tests.bench.call_texts import transcript  # noqa: E402
from tests.calls.providers import signature  # noqa: E402

ALLOWED = 200
PROCESSES = 2
SECRET = "bench"
TURNS = 40
_WARM_UP = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=4_000, help="to take in, all processes together"
    )
    parser.add_argument("--before", type=int, default=100_000, help="that are there already")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    share = options.calls // PROCESSES
    if options.worker:
        slug, number = options.worker
        return _take_in(slug, share, int(number))
    with bench_database():
        business = make_business_with_calls(options.before)
        ProviderAccount.objects.create(business=business, provider="kaivox", secret=SECRET)
        rate = _measure(business.slug, share)
        assert Call.objects.count() == options.before + PROCESSES * (share + _WARM_UP)
    print(f"{rate:,.0f} calls of {TURNS} turns ingested in a second; allowed: {ALLOWED}")
    return 0 if rate >= ALLOWED else 1


def _measure(slug: str, share: int) -> float:
    """Calls a second, of `share` in each process."""
    name = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    command = [sys.executable, "-m", "tests.bench.call_intake", "--calls", str(share * PROCESSES)]
    workers = [
        subprocess.Popen(
            [*command, "--worker", slug, str(number)],
            env={**os.environ, "DATABASE_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.stdout.readline()  # its messages are prepared
    began = time.perf_counter()
    for worker in workers:
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0
    return PROCESSES * share / (time.perf_counter() - began)


# --- In each of the processes --------------------------------------------------------------------


def _take_in(slug: str, count: int, share: int) -> int:
    messages = [make_message(number, share) for number in range(_WARM_UP + count)]
    _receive(slug, messages[:_WARM_UP])
    print("ready", flush=True)
    sys.stdin.readline()
    _receive(slug, messages[_WARM_UP:])
    return 0


def _receive(slug: str, messages: list[Incoming]) -> None:
    settings.VOICE_MESSAGES_PER_MINUTE = 10_000_000  # the limit of an account is not measured here
    for incoming in messages:
        message = ingestion.receive(
            slug=slug, provider="kaivox", incoming=incoming, now=timezone.now()
        )
        assert message.state == message.State.READ, message.error


def make_message(number: int, share: int) -> Incoming:
    """A complete call; four of five callers are customers already."""
    known, new = f"+91970{number % CUSTOMERS:07d}", f"+9196{share}{number:07d}"
    message = {
        "call_id": f"{share}-{number}",
        "status": "completed",
        "direction": "inbound",
        "from_number": known if number % 5 else new,
        "to_number": "+918012345678",
        "started_at": timezone.now().isoformat(),
        "duration_seconds": 160,
        "sentiment": "neutral",
        "sentiment_score": 0,
        "summary": "Asked about an appointment.",
        "transcript": transcript(random.Random(number), TURNS),
    }
    body = json.dumps(message).encode()
    headers = signature("kaivox", body, secret=SECRET, url="", at=time.time())
    lowered = {name.lower(): value for name, value in headers.items()}
    return Incoming(body, "application/json", lowered)


if __name__ == "__main__":
    sys.exit(main())
