"""One of the two processes of the intake in `call_list`: makes its messages, waits, takes them in."""

from __future__ import annotations

import json
import os
import random
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
django.setup()

from django.utils import timezone  # noqa: E402 - after the set-up

from calls import inbox  # noqa: E402
from calls.providers.incoming import Incoming  # noqa: E402
from tests.bench.call_texts import transcript  # noqa: E402
from tests.calls.providers import signature  # noqa: E402

SECRET = "bench"


def take_in(slug: str, count: int, share: int) -> None:
    messages = [_message(f"{share}-{number}", number, share) for number in range(count)]
    print("ready", flush=True)
    sys.stdin.readline()
    for incoming in messages:
        inbox.receive(slug=slug, provider="kaivox", incoming=incoming, now=timezone.now())


def _message(call_id: str, number: int, share: int) -> Incoming:
    """A whole call; four of five callers are customers already."""
    caller = f"+9196{share}{number:07d}" if number % 5 == 0 else f"+91970{number % 1000:07d}"
    told = {
        "call_id": call_id,
        "status": "completed",
        "direction": "inbound",
        "from_number": caller,
        "to_number": "+918012345678",
        "started_at": timezone.now().isoformat(),
        "duration_seconds": 160,
        "sentiment": "neutral",
        "sentiment_score": 0,
        "summary": "Asked about an appointment.",
        "transcript": transcript(random.Random(number), 40),
    }
    body = json.dumps(told).encode()
    headers = signature("kaivox", body, secret=SECRET, url="", at=time.time())
    lowered = {name.lower(): value for name, value in headers.items()}
    return Incoming(body, "application/json", lowered)


if len(sys.argv) == 4:
    take_in(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
