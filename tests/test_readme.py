"""README shows a receiver: it is run as it stands there."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import requests

from webhooks.signing import new_secret, signature_headers

README = Path(__file__).resolve().parent.parent / "README.md"
EVENT = b'{"id":"evt_1","type":"appointment.booked","data":{"id":680}}'


@pytest.fixture
def receiver(tmp_path):
    """README's receiver as a process: its URL, its secret, and what it has printed so far."""
    block = README.read_text().partition("## One verified webhook")[2].partition("Subscribe")[0]
    program, secret, printed = textwrap.dedent(block), new_secret(), tmp_path / "printed"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = tmp_path / "receiver.py"
    script.write_text(program.replace("9000", str(port)))
    with printed.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-u", str(script), secret], stdout=output, stderr=subprocess.DEVNULL
        )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/", secret, printed
    finally:
        process.kill()
        process.wait()


class TestReceiver:
    def test_prints_an_event_that_is_ours(self, receiver):
        url, secret, printed = receiver
        answer = requests.post(url, data=EVENT, headers=_headers(secret), timeout=5)
        assert answer.status_code == 204
        assert printed.read_text() == "appointment.booked 680\n"

    def test_takes_no_event_of_somebody_else(self, receiver):
        url, _, printed = receiver
        with pytest.raises(requests.ConnectionError):
            requests.post(url, data=EVENT, headers=_headers(new_secret()), timeout=5)
        assert printed.read_text() == ""


def _headers(secret: str) -> dict[str, str]:
    return signature_headers(EVENT, event_id="evt_1", timestamp=int(time.time()), secrets=[secret])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("README's receiver does not start")
