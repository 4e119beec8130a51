"""`issue_api_key` and `check_key`."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from kaivox.businesses import keys
from kaivox.businesses.models import ApiKey
from kaivox.businesses.operations import issue_api_key, revoke_api_key


def issue(*arguments):
    out = io.StringIO()
    call_command("issue_api_key", *arguments, stdout=out)
    return out.getvalue()


class TestIssueApiKey:
    def test_prints_the_key_alone(self, business, client_of):
        printed = issue("--business", "smile", "--name", "EMR")

        assert keys.is_well_formed(printed.removesuffix("\n"))
        assert client_of(printed.strip()).get("/api/v1/appointments").status_code == 200

    def test_takes_scopes_addresses_and_an_end(self, business):
        issue(
            *("--business", "smile", "--name", "BI", "--scope", "calls:read"),
            *("--scope", "customers:read", "--allow", "203.0.113.0/24"),
            *("--expires", "2199-01-31", "--header-only"),
        )
        key = ApiKey.objects.get()

        assert key.scopes == ["calls:read", "customers:read"]
        assert key.allowed_cidrs == ["203.0.113.0/24"]
        assert key.expires_at == datetime(2199, 1, 31, tzinfo=UTC)
        assert not key.query_allowed

    @pytest.mark.parametrize(
        ("text", "expires_in"),
        (("90d", timedelta(days=90)), ("2199-01-31T12:00:00+05:30", None)),
    )
    def test_takes_several_forms_of_an_end(self, business, text, expires_in):
        issue("--business", "smile", "--name", "BI", "--expires", text)
        expires_at = ApiKey.objects.get().expires_at
        expected = (
            timezone.now() + expires_in if expires_in else datetime(2199, 1, 31, 6, 30, tzinfo=UTC)
        )

        assert abs(expires_at - expected) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        (
            (("--business", "nobody", "--name", "X"), "There is no business 'nobody'."),
            (("--business", "smile", "--name", "X", "--scope", "all"), "There is no scope all."),
            (("--business", "smile", "--name", "X", "--expires", "soon"), "--expires 'soon'"),
            (("--business", "smile", "--name", "X", "--expires", "2001-01-01"), "in the past"),
            (("--business", "smile", "--name", "X", "--expires", "2001-99-01"), "--expires"),
        ),
    )
    def test_refuses_in_one_sentence(self, business, arguments, says):
        with pytest.raises(CommandError, match=says):
            issue(*arguments)


class TestCheckKey:
    def check(self, text, monkeypatch):
        out = io.StringIO()
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        try:
            call_command("check_key", stdout=out)
        except SystemExit as end:
            return end.code, out.getvalue()
        return 0, out.getvalue()

    def test_tells_whose_without_printing_it(self, business, monkeypatch):
        secret = issue_api_key(business_id=business.pk, name="EMR", now=timezone.now()).secret
        status, said = self.check(f"export KEY={secret}; curl …", monkeypatch)

        assert status == 0
        assert "valid; “EMR” of Smile Dental (smile)" in said
        assert secret not in said

    def test_tells_of_revoked_unknown_and_malformed_ones(self, business, monkeypatch):
        issued = issue_api_key(business_id=business.pk, name="EMR", now=timezone.now())
        revoke_api_key(key_id=issued.key.pk, now=timezone.now())
        unknown = keys.make_key(livemode=True)
        status, said = self.check(f"{issued.secret}\n{unknown}\nkv_live_abc\n", monkeypatch)

        assert status == 1
        assert "revoked; “EMR”" in said
        assert "well-formed, but unknown here" in said
        assert "kv_live_abc…: malformed" in said

    def test_tells_that_there_is_none(self, db, monkeypatch):
        assert self.check("nothing", monkeypatch) == (1, "No KaiVox key in the text.\n")
