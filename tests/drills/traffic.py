"""Clients that book through nginx, as the documentation says: a failed request is sent again with its
Idempotency-Key until it succeeds."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.nginx import HOST, Nginx

MINUTES: Final = 5
CLIENTS: Final = 4
# How long a client repeats one booking after the end of the traffic.
GIVE_UP_SECONDS: Final = 120
_PATH: Final = "/api/v1/appointments"
_NO_RESPONSE: Final = 0


@dataclass(frozen=True)
class Clinic:
    """A business whose members of staff work around the clock, one for each client."""

    key: str
    business: Any
    service_id: int
    customer_id: int
    staff: list[int]
    start: datetime


@dataclass(frozen=True)
class Sent:
    """A request: when its response arrived, in seconds of the monotonic clock, and its status."""

    at: float
    status: int


def make_clinic(receiver_url: str) -> Clinic:
    from kaivox.businesses.operations import issue_api_key
    from ratelimits.models import QuotaOverride
    from tests import factories

    now = datetime.now(UTC)
    business = factories.make_business(timezone="UTC", slug="drill")
    QuotaOverride.objects.create(
        business=business, per_minute=10**7, per_day=10**7, ends_at=now + timedelta(days=1)
    )
    factories.make_endpoint(business, url=receiver_url, max_in_flight=16)
    service = factories.make_service(business, duration_minutes=MINUTES)
    staff = [
        factories.make_staff(business, services=[service], hours=["00:00-24:00"]).pk
        for _ in range(CLIENTS)
    ]
    customer = factories.make_customer(business).pk
    key = issue_api_key(business_id=business.pk, name="drill", now=now).secret
    start = (now + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    return Clinic(key, business, service.pk, customer, staff, start)


class Traffic:
    """Starts with the object; `end` waits until every booking that began has been acknowledged."""

    def __init__(self, clinic: Clinic, nginx: Nginx, name: str, first: int) -> None:
        """`first` is the number of the first five minutes to book: each is booked once."""
        self.sent: list[Sent] = []
        self.booked: dict[str, int] = {}  # id of the appointment by Idempotency-Key
        self.given_up: list[str] = []
        self.started = time.monotonic()
        self.next = first
        self._clinic, self._nginx, self._name = clinic, nginx, name
        self._ended = threading.Event()
        self._ended_at = 0.0
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._book_on, args=(staff,)) for staff in clinic.staff
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended_at = time.monotonic()
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def statuses(self) -> Counter[int]:
        return Counter(one.status for one in self.sent)

    @property
    def longest_pause(self) -> float:
        """The longest time in seconds during which no request succeeded."""
        ends = [one.at for one in self.sent if 200 <= one.status < 300]
        moments = [self.started, *sorted(ends)]
        return max((b - a for a, b in itertools.pairwise(moments)), default=0.0)

    def _book_on(self, staff: int) -> None:
        connection = _Connection(self._nginx)
        while not self._ended.is_set():
            with self._lock:
                number, self.next = self.next, self.next + 1
            self._book(connection, f"{self._name}-{number}", staff, number)

    def _book(self, connection: _Connection, key: str, staff: int, number: int) -> None:
        start = self._clinic.start + timedelta(minutes=MINUTES * number)
        body = {
            "service_id": self._clinic.service_id,
            "customer_id": self._clinic.customer_id,
            "staff_id": staff,
            "start_time": start.isoformat(),
            "metadata": {"drill": key},
        }
        headers = {
            "X-API-Key": self._clinic.key,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        while not self._gave_up():
            status, answer = connection.request("POST", _PATH, headers, json.dumps(body))
            self.sent.append(Sent(time.monotonic(), status))
            if status == 201:
                appointment = answer["data"]["id"]
                self.booked[key] = appointment
                status, _ = connection.request("GET", f"{_PATH}/{appointment}", headers)
                self.sent.append(Sent(time.monotonic(), status))
                return
            if status in (_NO_RESPONSE, 429) or status >= 500 or _still_runs(answer):
                time.sleep(0.5 if status == 409 else 0.2)
                continue
            raise AssertionError(f"{key}: {status} {answer}")
        self.given_up.append(key)

    def _gave_up(self) -> bool:
        return self._ended.is_set() and time.monotonic() - self._ended_at > GIVE_UP_SECONDS


def _still_runs(answer: Any) -> bool:
    return bool(answer.get("code") == "idempotency_in_progress")


class _Connection:
    """A persistent connection to nginx that is replaced after an error."""

    def __init__(self, nginx: Nginx) -> None:
        self._nginx = nginx
        self._context = ssl.create_default_context(cafile=str(nginx.folder / "fullchain.pem"))
        self._open: http.client.HTTPSConnection | None = None

    def request(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, Any]:
        """Status and body; status 0 where the connection failed or nothing came within 40 s."""
        try:
            if self._open is None:
                self._open = http.client.HTTPSConnection(
                    HOST, self._nginx.https, timeout=40, context=self._context
                )
                plain = socket.create_connection(("127.0.0.1", self._nginx.https), 40)
                self._open.sock = self._context.wrap_socket(plain, server_hostname=HOST)
            self._open.request(method, path, body, headers)
            response = self._open.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError):
            self._close()
            return _NO_RESPONSE, {}

    def _close(self) -> None:
        with suppress(OSError):
            if self._open is not None:
                self._open.close()
        self._open = None
