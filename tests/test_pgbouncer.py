"""The API behind PgBouncer in transaction mode (DATABASE_POOLED=1), with a PgBouncer of the test's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tests.factories import make_business, make_endpoint
from tests.own_servers import free_port

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

pytestmark = [
    pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has no pooler"),
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed"),
    pytest.mark.django_db(transaction=True),
]

# Twice as many sessions as PgBouncer opens, each with statements that would be prepared.
CODE = """
import threading
import django
django.setup()
from django.db import connection
from django.utils import timezone
from kaivox.businesses.models import Business
from webhooks.models import Event
from webhooks.operations import record_event

failures = []

def work():
    try:
        business = Business.objects.get()
        for number in range(20):
            record_event(business=business, type="call.missed", data={"id": number}, now=timezone.now())
            assert len(list(Event.objects.iterator(chunk_size=2))) >= number
        with connection.cursor() as cursor:
            limit = cursor.execute("SHOW statement_timeout").fetchone()
            assert limit == ("15s",), limit
    except BaseException as error:
        failures.append(repr(error))

threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(Event.objects.count(), failures)
"""


@pytest.fixture
def pooled_url(db):
    """Of the test's database, through PgBouncer with two sessions in all."""
    here = connection.get_connection_params()
    port = free_port()
    role = f"kaivox_pooled_{port}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
        cursor.execute(f"ALTER ROLE {role} SET statement_timeout = '15s'")
    # Where the user can read it as which PgBouncer runs: not as root, like PostgreSQL.
    with tempfile.NamedTemporaryFile("w", suffix=".ini", delete=False) as config:
        config.write(
            f"[databases]\n* = host={here.get('host') or '/var/run/postgresql'}"
            f" port={here.get('port') or 5432} user={role}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
            "unix_socket_dir =\npool_mode = transaction\ndefault_pool_size = 2\n"
        )
    os.chmod(config.name, 0o644)
    as_user = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen([PROGRAM, config.name], stderr=subprocess.DEVNULL, **as_user)
    url = urlsplit(settings.DATABASE_URL)
    try:
        pooled = urlunsplit(
            url._replace(
                netloc=f"{role}@127.0.0.1:{port}", path=f"/{connection.settings_dict['NAME']}"
            )
        )
        deadline = time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline, "PgBouncer does not start"
            with suppress(psycopg.OperationalError):
                psycopg.connect(pooled).close()
                break
            time.sleep(0.1)
        yield pooled
    finally:
        process.terminate()
        process.wait(20)
        os.unlink(config.name)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP ROLE {role}")


def test_writes_and_reads_through_it(pooled_url):
    make_endpoint(make_business())
    environment = {**os.environ, "DATABASE_URL": pooled_url, "DATABASE_POOLED": "1"}
    environment["DJANGO_SETTINGS_MODULE"] = "kaivox.settings"
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "80 []", done.stderr
