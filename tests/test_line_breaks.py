"""Places at which addresses and identifiers may wrap."""

from __future__ import annotations

import pytest

from kaivox.admin.columns import short_url, wrapping
from kaivox.line_breaks import with_breaks

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "html"),
    (
        ("idempotency_key_reused", "idempotency_<wbr>key_<wbr>reused"),
        ("https://crm.example.com/hooks", "https://crm.<wbr>example.<wbr>com/<wbr>hooks"),
        ("/webhooks/{id}/test", "/webhooks/<wbr>{id}/<wbr>test"),
        ("asha@example.com", "asha@<wbr>example.<wbr>com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("a=<b>&c=d", "a=<wbr>&lt;b&gt;&amp;c=<wbr>d"),
        ("", ""),
    ),
)
def test_breaks_after_separators_of_words(text, html):
    assert with_breaks(text) == html


def test_a_long_address_is_shortened_and_whole_in_its_title():
    url = f"https://hooks.example.com/{'a' * 80}/the/end"
    assert short_url(url).startswith(f'<span title="{url}">https://hooks.')
    assert short_url(url).endswith("/<wbr>the/<wbr>end</span>")
    assert "…" in short_url(url)


def test_what_may_wrap_is_whole_in_its_title():
    shown = '<span title="appointment.booked">appointment.<wbr>booked</span>'
    assert wrapping("appointment.booked") == shown
    assert wrapping("booked") == "booked"
    assert wrapping("") == ""
