"""Long polls on the real web server: however many wait, other requests find a thread."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import urllib3
from django.conf import settings

CLIENTS = 2 * settings.WEB_THREADS
EMPTY = "/api/v1/events?since=2199-01-01T00:00:00Z"


@pytest.mark.skipif(not settings.EMBEDDED, reason="the stack of the tests is the embedded one")
def test_other_requests_are_served_while_some_wait(stack):
    with ThreadPoolExecutor(CLIENTS) as clients:
        key = stack.manage("issue_api_key", "--business", "studio-nine", "--name", "Feed")
        http = urllib3.PoolManager(maxsize=CLIENTS + 1, headers={"X-API-Key": key.strip()})

        def status_of(path: str) -> int:
            return http.request("GET", stack.url + path, timeout=60, retries=False).status

        polls = [clients.submit(status_of, f"{EMPTY}&wait=20") for _ in range(CLIENTS)]
        # The rejected ones return at once, so those that are left are waiting.
        while len(wait(polls, timeout=0.1).not_done) > settings.WEB_THREADS // 8:
            pass
        assert [status_of(path) for path in ("/healthz", "/api/v1/business", EMPTY)] == [200] * 3
        still_waiting = [poll for poll in polls if not poll.done()]
        statuses = Counter(poll.result() for poll in polls)
    assert still_waiting
    assert statuses == {200: settings.WEB_THREADS // 8, 429: CLIENTS - settings.WEB_THREADS // 8}
