"""Management commands of webhooks."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
import urllib3
from django.core.management import CommandError, call_command

from webhooks import signing
from webhooks.models import Endpoint


@pytest.mark.django_db
class TestAddWebhook:
    def test_prints_only_the_secret(self, business, settings, capsys):
        settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
        settings.WEBHOOK_PORTS = []
        call_command(
            "add_webhook", business="smile", url="http://127.0.0.1:9/", event=["missed_call"]
        )
        endpoint = Endpoint.objects.get()
        assert capsys.readouterr().out == endpoint.secret + "\n"
        assert (endpoint.business, endpoint.event_types) == (business, ["call.missed"])

    @pytest.mark.parametrize(
        "wrong",
        ({"business": "unknown"}, {"url": "ftp://x/"}, {"event": ["call.lost"]}),
    )
    def test_says_what_is_wrong(self, business, wrong):
        right = {"business": "smile", "url": "https://1.1.1.1/", "event": ["*"]}
        with pytest.raises(CommandError):
            call_command("add_webhook", **{**right, **wrong})


@pytest.mark.once
class TestWebhookListen:
    def test_prints_each_event_verified_or_not(self):
        secret = signing.new_secret()
        listener = subprocess.Popen(
            [sys.executable, "manage.py", "webhook_listen", "--port", "0", "--secret", secret,
             "--status", "202", "--no-color"],
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            url = re.search(r"http://\S+", listener.stdout.readline())[0]
            body = b'{"id":"evt_1","data":{"name":"\x1b[31mZo\xc3\xab"}}'.replace(
                b"\x1b", b"\\u001b"
            )
            for known in (secret, signing.new_secret()):
                headers = signing.signature_headers(
                    body, event_id="evt_1", timestamp=int(time.time()), secrets=[known]
                )
                response = urllib3.request("POST", url, body=body, headers=headers)
                assert response.status == 202
            printed = "".join(listener.stdout.readline() for _ in range(14))
        finally:
            listener.terminate()
            listener.wait(10)
        assert " verified " in printed
        assert "WRONG SIGNATURE" in printed
        assert "Zoë" in printed
        assert "\x1b" not in printed
