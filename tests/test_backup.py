"""docs/operations/backup.md: the commands of dump and restore, run as printed, lead to a database that KaiVox can use."""

from __future__ import annotations

import re
import shutil
import subprocess

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

PAGE = (settings.BASE_DIR / "docs" / "operations" / "backup.md").read_text()
# The first block: from `.env` to the restored database.
COMMANDS = re.sub(
    r"^ {4}",
    "",
    re.search(r"(?:^ {4}.*\n|^\n)+", PAGE.partition("## Dump")[2].partition(":\n")[2], re.M)[0],
    flags=re.M,
)

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql" or not shutil.which("pg_restore"),
    reason="The commands need PostgreSQL and its programs.",
)


@pytest.fixture
def administrator():
    values = connection.settings_dict
    with psycopg.connect(
        host=values["HOST"], port=values["PORT"] or None, user=values["USER"],
        password=values["PASSWORD"] or None, dbname="postgres", autocommit=True,
    ) as session:  # fmt: skip
        yield session


@pytest.fixture
def source(administrator):
    """The URL of a database with a table, and that of what is restored; both of a role of their own."""
    name = f"{connection.settings_dict['NAME']}_backup"[-40:].lstrip("_")
    role, restored = sql.Identifier(name), sql.Identifier(f"{name}_restored")
    administrator.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(role))
    administrator.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
    info = administrator.info
    url = f"postgres://{name}:secret@{info.host}:{info.port}/{name}?connect_timeout=5"  # pragma: allowlist secret
    try:
        with psycopg.connect(url) as session:
            session.execute("CREATE EXTENSION btree_gist")
            session.execute("CREATE TABLE visit (id int)")
            session.execute("INSERT INTO visit VALUES (7)")
        yield url
    finally:
        administrator.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(restored))
        administrator.execute(sql.SQL("DROP DATABASE {}").format(role))
        administrator.execute(sql.SQL("DROP ROLE {}").format(role))


def test_what_is_restored_belongs_to_the_role_of_kaivox(source, administrator, tmp_path):
    name = psycopg.conninfo.conninfo_to_dict(source)["user"]
    (tmp_path / ".env").write_text(f"SECRET_KEY=x\nDATABASE_URL={source}\n")
    create, check = (
        'su postgres -c "createdb --owner=kaivox kaivox_restored"\n',
        "DATABASE_URL=$RESTORED .venv",
    )
    assert COMMANDS.count(create) == COMMANDS.count(check) == 1
    script = COMMANDS.partition(check)[0].replace(create, "")
    script = script.replace("kaivox_restored", f"{name}_restored").replace(
        "2026-11-30", "$(date +%F)"
    )
    administrator.execute(
        sql.SQL("CREATE DATABASE {} OWNER {}").format(
            sql.Identifier(f"{name}_restored"), sql.Identifier(name)
        )
    )
    done = subprocess.run(
        ["sh", "-ec", f'{script}\nprintf %s "$RESTORED"'],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with psycopg.connect(done.stdout) as session:
        assert session.execute("SELECT id FROM visit").fetchall() == [(7,)]
        assert session.execute("SELECT current_database()").fetchone() == (f"{name}_restored",)
