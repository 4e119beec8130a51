"""Settings come from the environment, and one that cannot be read is told in a sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from kaivox.environment import Environment, make_folder

ROOT = Path(__file__).resolve().parent.parent
LONG_KEY = "k" * 50


class TestFlag:
    @pytest.mark.parametrize("text", ("1", "true", "YES", " on "))
    def test_reads_yes(self, text):
        assert Environment({"X": text}).flag("X", default=False) is True

    @pytest.mark.parametrize("text", ("0", "false", "No", "off"))
    def test_reads_no(self, text):
        assert Environment({"X": text}).flag("X", default=True) is False

    def test_takes_empty_as_unset(self):
        assert Environment({"X": " "}).flag("X", default=True) is True

    def test_names_what_it_cannot_read(self):
        with pytest.raises(ImproperlyConfigured, match="DEBUG is 'maybe'"):
            Environment({"DEBUG": "maybe"}).flag("DEBUG", default=False)


class TestInteger:
    @pytest.mark.parametrize("text", ("-1", "1.5", "abc", "٣", "65536", "9" * 30))
    def test_names_what_it_cannot_read(self, text):
        with pytest.raises(ImproperlyConfigured, match="PORT is"):
            Environment({"PORT": text}).integer("PORT", 8000, maximum=65_535)

    def test_reads_a_number(self):
        assert Environment({"PORT": "8001"}).integer("PORT", 8000) == 8001


class TestSeconds:
    def test_reads_a_schedule(self):
        assert Environment({"X": "30, 300,3600"}).seconds("X", []) == [30, 300, 3600]

    @pytest.mark.parametrize("text", ("30;300", "soon", "-1", "nan", "inf"))
    def test_names_what_it_cannot_read(self, text):
        with pytest.raises(ImproperlyConfigured, match="WEBHOOK_RETRY_SCHEDULE"):
            Environment({"WEBHOOK_RETRY_SCHEDULE": text}).seconds("WEBHOOK_RETRY_SCHEDULE", [])


class TestSecretKey:
    def test_is_made_once_where_it_may_be_kept(self, tmp_path):
        first = Environment({}).secret_key(tmp_path / "key")
        assert len(first) >= 50
        assert Environment({}).secret_key(tmp_path / "key") == first

    def test_is_required_in_production(self):
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is required"):
            Environment({}).secret_key(None)

    def test_must_be_long_in_production(self):
        with pytest.raises(ImproperlyConfigured, match="shorter than 50"):
            Environment({"SECRET_KEY": "short"}).secret_key(None)

    def test_comes_from_the_environment(self):
        assert Environment({"SECRET_KEY": LONG_KEY}).secret_key(None) == LONG_KEY


class TestDatabase:
    def test_reads_escapes_in_the_password(self):
        url = "postgres://me:p%40ss@db.example:5433/kaivox"
        found = Environment({"DATABASE_URL": url}).database("DATABASE_URL")
        assert (found["PASSWORD"], found["HOST"], found["PORT"]) == ("p@ss", "db.example", 5433)

    @pytest.mark.parametrize("url", ("sqlite:///x", "mysql://x/y", "localhost"))
    def test_refuses_other_databases(self, url):
        with pytest.raises(ImproperlyConfigured, match="must begin with postgres://"):
            Environment({"DATABASE_URL": url}).database("DATABASE_URL")


class TestFolder:
    def test_that_is_a_file_is_told(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ImproperlyConfigured, match="set KAIVOX_VAR"):
            make_folder(tmp_path / "file")


class TestStart:
    """The whole way: what a person sees who has set something wrong."""

    @pytest.mark.parametrize(
        ("variables", "sentence"),
        (
            ({"DEBUG": "perhaps"}, "DEBUG is 'perhaps'"),
            ({"DATABASE_URL": "postgres://a@b/c", "REDIS_URL": ""}, "REDIS_URL is required"),
        ),
    )
    def test_stops_with_one_sentence(self, variables, sentence, tmp_path):
        environment = {**os.environ, "KAIVOX_VAR": str(tmp_path), **variables}
        done = subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


class TestExample:
    def test_explains_every_variable(self):
        read = set(
            re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "kaivox/settings.py").read_text())
        )
        read |= {"SECRET_KEY"}
        explained = set(
            re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        )
        assert explained == read
