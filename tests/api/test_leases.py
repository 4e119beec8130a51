"""Places that a business may take at once."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import suppress

import pytest
from django.core.cache import cache

from kaivox.api.leases import Lease


@pytest.fixture
def name():
    return f"test:{secrets.token_hex(4)}"


def acquire(name: str, *, places: int = 1, seconds: int = 60) -> Lease | None:
    return Lease.acquire(name, places=places, seconds=seconds)


def end(name: str) -> None:
    """As if the time of the lease were over."""
    cache.delete(f"{name}:0")


class TestLease:
    def test_is_given_so_often_as_there_are_places(self, name):
        first, second = acquire(name, places=2), acquire(name, places=2)
        assert first
        assert second
        assert acquire(name, places=2) is None
        first.release()
        assert acquire(name, places=2)
        assert acquire(name, places=2) is None

    def test_that_has_ended_leaves_the_place_of_another_alone(self, name):
        first = acquire(name)
        end(name)
        assert acquire(name, seconds=1)
        first.release()
        assert acquire(name) is None
        first.renew()
        time.sleep(1.1)
        assert acquire(name), "the first has prolonged the lease of the second"

    def test_that_has_ended_is_renewed_while_its_place_is_free(self, name):
        first = acquire(name)
        end(name)
        first.renew()
        assert acquire(name) is None
        first.release()
        assert acquire(name)

    def test_that_ends_while_it_is_released_frees_no_other(self, name, monkeypatch):
        """Whose place it is must not be read in one step and the place be freed in another."""
        first, read, others = acquire(name), cache.get, []
        with ThreadPoolExecutor(1) as pool:

            def take_over() -> Lease | None:
                end(name)
                return acquire(name)

            def get(key, *arguments, **options):
                value = read(key, *arguments, **options)
                other = pool.submit(take_over)
                others.append(other)
                with suppress(TimeoutError):  # in memory it waits for the first
                    other.result(timeout=0.5)
                return value

            with monkeypatch.context() as patch:
                patch.setattr(cache, "get", get)
                first.release()
        leases = [*(other.result() for other in others), acquire(name)]
        assert sum(one is not None for one in leases) == 1
