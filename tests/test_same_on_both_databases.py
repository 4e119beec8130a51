"""The same requests have the same outcomes on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import time_machine
from django.conf import settings

from ratelimits.throttling import EnterpriseThrottle
from tests import same_requests
from tests.profiles import NO_SERVERS
from tests.stack import ROOT


@pytest.mark.skipif(settings.EMBEDDED, reason="it compares with the embedded profile")
@pytest.mark.django_db
def test_outcomes_are_the_same(business, client, monkeypatch, tmp_path):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)
    environment = {
        **os.environ,
        **NO_SERVERS,
        "KAIVOX_VAR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "kaivox.settings",
    }
    embedded = subprocess.Popen(
        [sys.executable, "-m", "tests.same_requests"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with time_machine.travel(same_requests.NOW, tick=False):
        found = json.loads(json.dumps(same_requests.outcomes(client, business)))
    output, errors = embedded.communicate()
    assert embedded.returncode == 0, errors
    different = [
        f"request {number}:\n  PostgreSQL {here}\n  SQLite     {there}"
        for number, (here, there) in enumerate(zip(found, json.loads(output), strict=True))
        if here != there
    ]
    assert not different, "\n".join(different[:10])  # later ones may follow from the first
    statuses = {row[3] for row in found}
    assert statuses >= {200, 201, 409, 422}
    assert max(statuses) < 500
