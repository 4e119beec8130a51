"""What every response carries, and who may read the files of an installation."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.stack import ROOT


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ("/healthz", "/", "/api/v1/business", "/api/nothing", "/login")
    )
    def test_are_on_every_response(self, db, path):
        headers = Client().get(path).headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"

    def test_do_not_ask_for_preloading(self, db, settings):
        settings.SECURE_HSTS_SECONDS = 60
        header = Client().get("/healthz", secure=True)["Strict-Transport-Security"]
        assert header.startswith("max-age=60")
        assert "preload" not in header

    def test_health_is_told_over_http_too(self, db, settings):
        settings.SECURE_SSL_REDIRECT = True
        assert Client().get("/healthz").status_code == 200
        assert Client().get("/login").status_code == 301


class TestSecurityTxt:
    def test_names_a_contact_and_has_not_expired(self, settings):
        settings.SECURITY_CONTACT = "mailto:security@clinic.example"
        answer = Client().get("/.well-known/security.txt")
        assert answer["Content-Type"].startswith("text/plain")
        fields = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
        assert fields["Contact"] == "mailto:security@clinic.example"
        assert fields["Policy"].endswith("/docs/security")
        expires = datetime.fromisoformat(fields["Expires"])
        assert timedelta(days=30) < expires - timezone.now() < timedelta(days=365)

    @pytest.mark.once
    def test_agrees_with_the_policy(self):
        """The response time and the rules are the same in both documents."""
        for name in ("SECURITY.md", "docs/security.md"):
            text = " ".join((ROOT / name).read_text().split())
            for rule in (
                "/.well-known/security.txt", "two working days", "90 days before publication",
                "only with your own business or a sandbox key", "no data of others, no load tests",
            ):  # fmt: skip
                assert rule in text, f"{name}: {rule}"


@pytest.mark.once
class TestFolder:
    def test_is_for_its_user_alone(self, tmp_path):
        var = tmp_path / "var"
        environment = {**os.environ, "DATABASE_URL": "", "REDIS_URL": "", "KAIVOX_VAR": str(var)}
        # One app's: all files exist then.
        command = [sys.executable, "manage.py", "migrate", "contenttypes", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, umask=0o022)
        found = {path: stat.S_IMODE(path.stat().st_mode) for path in (var, *var.rglob("*"))}
        assert var / "kaivox.sqlite3" in found
        open_to_others = {str(path): oct(mode) for path, mode in found.items() if mode & 0o077}
        assert not open_to_others

    def test_of_an_earlier_version_is_closed(self, tmp_path):
        var = tmp_path / "var"
        var.mkdir(mode=0o755)
        (var / "secret_key").write_text("k" * 60)
        environment = {**os.environ, "DATABASE_URL": "", "REDIS_URL": "", "KAIVOX_VAR": str(var)}
        command = [sys.executable, "manage.py", "check"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        assert stat.S_IMODE(var.stat().st_mode) == 0o700

    @pytest.mark.skipif(not settings.EMBEDDED, reason="PostgreSQL's files are its own")
    def test_keeps_nothing_that_was_deleted(self, db):
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA secure_delete").fetchone()[0] == 1
