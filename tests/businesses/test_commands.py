"""`issue_api_key` and `check_key`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from kaivox.businesses.auth import key_format
from kaivox.businesses.models import ApiKey
from kaivox.businesses.operations import issue_api_key, revoke_api_key


def issue(*arguments):
    out = io.StringIO()
    call_command("issue_api_key", *arguments, stdout=out)
    return out.getvalue()


class TestIssueApiKey:
    def test_prints_the_key_alone(self, business, client_of):
        printed = issue("--business", "smile", "--name", "EMR")

        assert key_format.is_well_formed(printed.removesuffix("\n"))
        assert client_of(printed.strip()).get("/api/v1/appointments").status_code == 200

    def test_accepts_scopes_addresses_and_an_expiry(self, business):
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
    def test_accepts_several_formats_of_an_expiry(self, business, text, expires_in):
        issue("--business", "smile", "--name", "BI", "--expires", text)
        expires_at = ApiKey.objects.get().expires_at
        expected = (
            timezone.now() + expires_in if expires_in else datetime(2199, 1, 31, 6, 30, tzinfo=UTC)
        )

        assert abs(expires_at - expected) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        (
            (("--business", "nope", "--name", "X"), "There is no business 'nope'. Known: smile."),
            (
                ("--business", "smile", "--name", "X", "--scope", "appointment:read"),
                '--scope: There is no such scope here. Did you mean "appointments:read"\\? Known: appo',
            ),
            (("--business", "smile", "--name", ""), "--name: Between 1 and 120 characters."),
            (
                ("--business", "smile", "--name", "X", "--allow", "x"),
                "--allow: x is not a CIDR block",
            ),
            (("--business", "smile", "--name", "X", "--expires", "soon"), "--expires 'soon'"),
            (("--business", "smile", "--name", "X", "--expires", "2001-01-01"), "in the past"),
            (("--business", "smile", "--name", "X", "--expires", "2001-99-01"), "--expires"),
            (("--business", "smile", "--name", "X", "--expires", "٩0d"), "--expires '٩0d'"),
            (("--business", "smile", "--name", "X", "--expires", "2199-01-31T03.5Z"), "--expires"),
        ),
    )
    def test_rejects_bad_arguments_in_one_sentence(self, business, arguments, message):
        with pytest.raises(CommandError, match=message):
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

    def test_reports_the_owner_without_printing_the_key(self, business, monkeypatch):
        secret = issue_api_key(business_id=business.pk, name="EMR", now=timezone.now()).secret
        status, output = self.check(f"export KEY={secret}; curl …", monkeypatch)

        assert status == 0
        assert "active; “EMR” of Smile Dental (smile)" in output
        assert secret not in output

    def test_reports_revoked_unknown_and_malformed_keys(self, business, monkeypatch):
        issued = issue_api_key(business_id=business.pk, name="EMR", now=timezone.now())
        revoke_api_key(key_id=issued.key.pk, now=timezone.now())
        unknown = key_format.make_key(livemode=True)
        status, output = self.check(f"{issued.secret}\n{unknown}\nkv_live_abc\n", monkeypatch)

        assert status == 1
        assert "revoked; “EMR”" in output
        assert "well-formed, but unknown here" in output
        assert "kv_live_abc…: malformed" in output

    def test_reports_a_text_without_keys(self, db, monkeypatch):
        assert self.check("nothing", monkeypatch) == (1, "No KaiVox key in the text.\n")


class TestBusinessArgument:
    def test_lists_the_known_slugs(self, business, other_business):
        with pytest.raises(CommandError, match=f"Known: .*{other_business.slug}"):
            issue("--business", "nope", "--name", "X")

    def test_suggests_the_demo_without_businesses(self, db):
        with pytest.raises(CommandError, match="run seed_demo"):
            issue("--business", "nope", "--name", "X")


@pytest.mark.once  # embedded in both profiles
class TestUnmigratedDatabase:
    @pytest.mark.parametrize(
        "arguments",
        (
            ("issue_api_key", "--business", "smile-dental", "--name", "X"),
            ("add_webhook", "--business", "smile-dental", "--url", "http://127.0.0.1:9/"),
            ("seed_demo",),
            ("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com"),
            ("rotate_secret_key",),
        ),
        ids=lambda arguments: arguments[0],
    )
    def test_is_reported_in_one_sentence(self, tmp_path, arguments):
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env={**_plain_environment(), "KAIVOX_VAR": str(tmp_path / "var")},
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "The database is not migrated." in done.stderr.splitlines()[-1]


def _plain_environment() -> dict[str, str]:
    """Without settings of the production profile: the command uses an empty SQLite database."""
    names = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")
    return {name: value for name, value in os.environ.items() if name not in names}
