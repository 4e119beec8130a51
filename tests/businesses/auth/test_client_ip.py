"""Client IP address behind trusted proxies."""

from __future__ import annotations

import ipaddress

import pytest

from kaivox.businesses.auth.client_ip import client_address, in_networks, rate_limit_block

pytestmark = pytest.mark.once


def found(forwarded, *, proxies, peer="198.51.100.1"):
    meta = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        meta["HTTP_X_FORWARDED_FOR"] = forwarded
    return str(client_address(meta, proxies))


class TestClientAddress:
    @pytest.mark.parametrize(
        ("forwarded", "proxies", "address"),
        (
            (None, 0, "198.51.100.1"),
            (None, 1, "198.51.100.1"),
            ("1.1.1.1", 0, "198.51.100.1"),
            ("1.1.1.1", 1, "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1", 1, "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1, 2.2.2.2", 2, "1.1.1.1"),
            ("1.1.1.1", 2, "198.51.100.1"),
            ("1.1.1.1:5123", 1, "1.1.1.1"),
            ("[2001:db8::1]:5123", 1, "2001:db8::1"),
            ("2001:db8::1", 1, "2001:db8::1"),
            ("nonsense", 1, "198.51.100.1"),
            ("", 1, "198.51.100.1"),
            ("::ffff:203.0.113.9", 1, "203.0.113.9"),
        ),
    )
    def test_believes_only_what_our_own_proxies_wrote(self, forwarded, proxies, address):
        assert found(forwarded, proxies=proxies) == address

    @pytest.mark.parametrize("peer", ("", "unix:"))
    def test_a_socket_file_has_none(self, peer):
        assert found(None, proxies=0, peer=peer) == str(ipaddress.IPv4Address(0))


class TestBlockOf:
    @pytest.mark.parametrize(
        ("address", "block"),
        (
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ),
    )
    def test_is_what_one_customer_has(self, address, block):
        assert rate_limit_block(ipaddress.ip_address(address)) == block


class TestIsInside:
    def test_reads_both_address_families(self):
        cidrs = ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7"]

        assert in_networks(ipaddress.ip_address("203.0.113.200"), cidrs)
        assert in_networks(ipaddress.ip_address("192.0.2.7"), cidrs)
        assert in_networks(ipaddress.ip_address("2001:db8:ffff::1"), cidrs)
        assert not in_networks(ipaddress.ip_address("203.0.114.1"), cidrs)
