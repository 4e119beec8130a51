from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from webhooks import ssrf
from webhooks.ssrf import BadDestination, check_url, is_allowed, is_public

pytestmark = pytest.mark.once

PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "168.63.129.15",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
)
NOT_PUBLIC = (
    "0.0.0.0",  # noqa: S104 - an address to reject
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.255",
    "161.26.0.10",
    "166.8.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "::ffff:168.63.129.16",
    "::ffff:0:127.0.0.1",
    "64:ff9b::a83f:8110",
    "2002:a83f:8110::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)


class TestIsPublic:
    @pytest.mark.parametrize("address", PUBLIC)
    def test_accepts_public_addresses(self, address):
        assert is_public(address)

    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_rejects_everything_else(self, address):
        assert not is_public(address)


class TestIsAllowed:
    @pytest.mark.parametrize("address", ("127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fd12::1"))
    def test_accepts_private_ones_if_configured(self, settings, address):
        settings.WEBHOOK_ALLOW_PRIVATE = False
        assert not is_allowed(address)
        settings.WEBHOOK_ALLOW_PRIVATE = True
        assert is_allowed(address)

    @pytest.mark.parametrize(
        "address",
        (
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "0.0.0.0",  # noqa: S104 - an address to reject
            "::",
            "fe80::1",
            "224.0.0.1",
            "64:ff9b::7f00:1",
        ),
    )
    def test_never_accepts_metadata_and_special_ones(self, settings, address):
        settings.WEBHOOK_ALLOW_PRIVATE = True
        assert not is_allowed(address)


class TestCheckUrl:
    @pytest.fixture(autouse=True)
    def production(self, settings):
        settings.WEBHOOK_ALLOW_PRIVATE = False
        settings.WEBHOOK_HTTPS_ONLY = True
        settings.WEBHOOK_PORTS = [443, 8443]

    @pytest.mark.parametrize(
        "url", ("https://1.1.1.1/a?b=c", "https://1.1.1.1:8443", "  https://1.1.1.1 ")
    )
    def test_accepts_https(self, url):
        assert check_url(url) == url.strip()

    @pytest.mark.parametrize(
        "url",
        (
            "http://1.1.1.1/",
            "ftp://1.1.1.1/",
            "1.1.1.1/hook",
            "https://",
            "https://user@1.1.1.1/",
            "https://user:pass@1.1.1.1/",
            "https://1.1.1.1/#part",
            "https://1.1.1.1:22/",
            "https://1.1.1.1:99999/",
            "https://1.1.1.1/a b",
            "https://1.1.1.1/\r\nX: y",
            "https://1.1.1.1/" + "a" * 2048,
            "https://[::1",
            "",
        ),
    )
    def test_rejects_other_spellings(self, url):
        with pytest.raises(BadDestination):
            check_url(url)

    @pytest.mark.parametrize(
        "host",
        (
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "localhost",
            "169.254.169.254",
            "[64:ff9b::a9fe:a9fe]",
        ),
    )
    def test_rejects_every_spelling_of_a_private_address(self, host):
        with pytest.raises(BadDestination) as error:
            check_url(f"https://{host}/")
        assert "127.0" not in str(error.value)

    def test_accepts_a_name_that_cannot_be_resolved_now(self):
        assert check_url("https://nowhere.invalid/")

    def test_bounds_the_time_of_a_dns_lookup(self, monkeypatch):
        monkeypatch.setattr(ssrf, "LOOKUP_SECONDS", 0.1)
        released = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: released.wait(60) and [])
        try:
            assert check_url("https://slow.example/") == "https://slow.example/"
            assert not released.is_set()
        finally:
            released.set()

    def test_bounds_the_threads_that_wait_for_dns(self, monkeypatch):
        monkeypatch.setattr(ssrf, "LOOKUP_SECONDS", 30)
        asked, released = threading.Semaphore(0), threading.Event()

        def getaddrinfo(host, *rest):
            asked.release()
            released.wait(60)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with ThreadPoolExecutor(2) as web_threads:
            try:
                for number in range(2):
                    web_threads.submit(check_url, f"https://slow-{number}.example/")
                    assert asked.acquire(timeout=20)
                assert check_url("https://third.example/")
                assert not asked.acquire(blocking=False)
            finally:
                released.set()

    def test_checks_numeric_addresses_without_dns(self, monkeypatch):
        monkeypatch.setattr(ssrf, "dns_slots", threading.BoundedSemaphore(1))
        with ssrf.dns_slots, pytest.raises(BadDestination):
            check_url("https://127.0.0.1/")
