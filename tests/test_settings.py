"""Settings at the start of every process, the checks of a deployment, and .env.example."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
STRONG_KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"


def production(**variables):
    defaults = {
        "DATABASE_URL": "postgres://me@127.0.0.1:9/kaivox",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "SECRET_KEY": STRONG_KEY,
    }
    return {**defaults, **variables}


def run(command, var, **variables):
    nothing = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"), "")
    environment = {**os.environ, **nothing, "KAIVOX_VAR": str(var), **variables}
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # of browser tests in the same run
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


# Loads the settings with each of several sets of variables, in one process; prints their errors.
LOAD_WITH_EACH = """
import json, os, runpy, sys
from django.core.exceptions import ImproperlyConfigured
plain, errors = dict(os.environ), []
for variables in json.loads(sys.argv[1]):
    os.environ.clear()
    os.environ.update({**plain, **variables})
    try:
        runpy.run_module("kaivox.settings")
        errors.append("")
    except ImproperlyConfigured as error:
        errors.append(str(error))
print(json.dumps(errors))
"""
PROCESSES = {
    "manage.py": ["manage.py", "check"],
    "web": ["-m", "kaivox.server.waitress"],
    "gunicorn": ["-m", "gunicorn", "--config", "kaivox/server/gunicorn.py", "kaivox.wsgi"],
    "worker": ["-m", "celery", "-A", "kaivox", "worker"],
    "beat": ["-m", "celery", "-A", "kaivox", "beat"],
}


class TestStart:
    """The output for an invalid setting: one sentence, from every process."""

    def stops(self, process, sentence, var, variables):
        done = run([sys.executable, *PROCESSES[process]], var, **variables)
        assert done.returncode not in (0, None)
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stdout

    @pytest.mark.parametrize("process", PROCESSES)
    def test_stops_every_process(self, process, tmp_path):
        self.stops(process, "DEBUG is 'maybe'", tmp_path, {"DEBUG": "maybe"})

    def test_names_each_setting(self, tmp_path):
        sentences = {
            "REDIS_URL is required": {"DATABASE_URL": "postgres://a@b/c"},
            "DATABASE_URL cannot be parsed": production(DATABASE_URL="postgres://"),
            "REDIS_URL cannot be parsed": {"REDIS_URL": "nonsense"},
            "CELERY_BROKER_URL cannot be parsed": {"CELERY_BROKER_URL": "nonsense"},
            "ALLOWED_HOSTS has": {"ALLOWED_HOSTS": "https://api.example.com"},
            "CSRF_TRUSTED_ORIGINS has": {"CSRF_TRUSTED_ORIGINS": "api.example.com"},
            "LOG_LEVEL is 'LOUD'": {"LOG_LEVEL": "LOUD"},
            "HOST is 'nonsense'": {"HOST": "nonsense"},
            "PUBLIC_URL is 'api.example.com'": {"PUBLIC_URL": "api.example.com"},
            "WEBHOOK_CA_FILE is '/nowhere.pem'": {"WEBHOOK_CA_FILE": "/nowhere.pem"},
        }
        cases = json.dumps(list(sentences.values()))
        done = run([sys.executable, "-c", LOAD_WITH_EACH, cases], tmp_path)
        errors = json.loads(done.stdout)
        for sentence, error in zip(sentences, errors, strict=True):
            assert sentence in error
            assert "\n" not in error

    def test_gunicorn_names_an_address_that_is_not_of_this_machine(self, tmp_path):
        self.stops("gunicorn", "HOST is '192.0.2.1'", tmp_path, {"HOST": "192.0.2.1"})


class TestDatabaseOptions:
    @pytest.mark.parametrize(
        ("parameters", "options"),
        (("sslmode=require&connect_timeout=9", {"sslmode": "require", "connect_timeout": "9"}),),
    )
    def test_its_parameters_override_the_defaults(self, parameters, options, tmp_path):
        url = f"postgres://me@127.0.0.1:9/kaivox?{parameters}&options=-c%20statement_timeout%3D1s"
        program = "from kaivox.settings import DATABASES as d; print(d['default']['OPTIONS'])"
        done = run([sys.executable, "-c", program], tmp_path, **production(DATABASE_URL=url))
        found = ast.literal_eval(done.stdout)
        assert found | options == found
        assert found["options"].startswith("-c statement_timeout=15s -c lock_timeout=3s")
        assert found["options"].endswith(" -c statement_timeout=1s")  # the last one wins


class TestDeployCheck:
    def errors(self, var, **variables):
        done = run([sys.executable, "manage.py", "check", "--deploy"], var, **variables)
        assert "Traceback" not in done.stderr
        found = set(re.findall(r"kaivox\.E\d+", done.stderr))
        assert bool(found) == bool(done.returncode), done.stderr
        return found, done.returncode

    def test_rejects_unsafe_settings_in_production(self, tmp_path):
        weak = production(DEBUG="1", ALLOWED_HOSTS="*", SECRET_KEY="k" * 60)
        assert self.errors(tmp_path, **weak) == ({"kaivox.E001", "kaivox.E002", "kaivox.E003"}, 1)

    def test_passes_production(self, tmp_path):
        assert self.errors(tmp_path, **production(ALLOWED_HOSTS="api.example.com")) == (set(), 0)

    def test_skips_the_embedded_profile(self, tmp_path):
        assert self.errors(tmp_path, DEBUG="1") == (set(), 0)


class TestExample:
    def test_lists_every_variable(self):
        read = set(
            re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "kaivox/settings.py").read_text())
        )
        read |= {"SECRET_KEY"}
        explained = set(
            re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        )
        # OpenTelemetry's SDK reads more of its variables than settings.py, and than are explained.
        assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER"} <= explained
        ours = {name for name in explained if not name.startswith("OTEL_")}
        assert ours == {name for name in read if not name.startswith("OTEL_")}
