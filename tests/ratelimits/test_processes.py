"""Several processes, many threads, one quota. `make drill-quotas` does it over HTTP, at full size."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.conf import settings

from kaivox import redis_store
from kaivox.redis_store import Breaker
from ratelimits.redis_window import RedisWindow
from ratelimits.window import Quota

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS = 4, 50
QUOTA = Quota(30, 5000)

CALLER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from redis import Redis
from kaivox.redis_store import Breaker
from ratelimits.redis_window import RedisWindow
from ratelimits.window import Quota

url, prefix, threads = sys.argv[1:]
window = RedisWindow(Redis.from_url(url), Breaker(), prefix=prefix)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(int(threads)) as pool:
    for decision in pool.map(lambda _: window.take("b1", Quota(30, 5000)), range(int(threads))):
        if decision.admitted:
            print(decision.minute_remaining)
"""


@pytest.mark.skipif(not settings.REDIS_URL, reason="memory is one process's own")
class TestTwoHundredAtOnce:
    def test_thirty_are_admitted_each_with_another_remaining(self):
        prefix = f"test:{uuid.uuid4().hex}"
        command = [sys.executable, "-c", CALLER, settings.REDIS_URL, prefix, str(THREADS)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        callers = [subprocess.Popen(command, **pipes) for _ in range(PROCESSES)]
        for caller in callers:
            assert caller.stdout.readline() == "ready\n"
        for caller in callers:
            caller.stdin.write("go\n")
            caller.stdin.flush()
        told = [caller.communicate(timeout=60)[0] for caller in callers]
        remaining = [int(line) for text in told for line in text.split()]
        look = RedisWindow(redis_store.client(), Breaker(), prefix=prefix).take("b1", QUOTA, cost=0)

        assert sorted(remaining) == list(range(30))
        assert look.day_used == 30
