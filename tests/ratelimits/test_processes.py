"""One quota for several processes with many threads; `make drill-quotas` is the full size over HTTP."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.conf import settings

from kaivox import redis
from kaivox.redis import CircuitBreaker
from ratelimits.limiter import Quota
from ratelimits.redis_limiter import RedisLimiter

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS = 4, 50
QUOTA = Quota(30, 5000)

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from redis import Redis
from kaivox.redis import CircuitBreaker
from ratelimits.redis_limiter import RedisLimiter
from ratelimits.limiter import Quota

url, prefix, threads = sys.argv[1:]
limiter = RedisLimiter(Redis.from_url(url), CircuitBreaker(), prefix=prefix)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(int(threads)) as pool:
    for decision in pool.map(lambda _: limiter.take("b1", Quota(30, 5000)), range(int(threads))):
        if decision.admitted:
            print(decision.minute_remaining)
"""


@pytest.mark.skipif(not settings.REDIS_URL, reason="without Redis each process has its own limiter")
class TestTwoHundredConcurrently:
    def test_thirty_are_admitted_each_with_a_distinct_remaining(self):
        prefix = f"test:{uuid.uuid4().hex}"
        command = [sys.executable, "-c", PROGRAM, settings.REDIS_URL, prefix, str(THREADS)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        processes = [subprocess.Popen(command, **pipes) for _ in range(PROCESSES)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0] for process in processes]
        remaining = [int(line) for text in outputs for line in text.split()]
        usage = RedisLimiter(redis.client(), CircuitBreaker(), prefix=prefix).take(
            "b1", QUOTA, cost=0
        )

        assert sorted(remaining) == list(range(30))
        assert usage.day_used == 30
