"""What `?search=` looks through on PostgreSQL: the words of each call as a full-text vector, in one
index with the business.

The vector is a column that PostgreSQL keeps itself: computed anew for every row that a scan passes,
it would cost minutes. The configuration is `simple`: transcripts come in many languages, and
stemming those of one would miss those of another. SQLite looks through the text itself.

btree_gin is a trusted extension (PostgreSQL 13 and later), like btree_gist, which the appointments
need: the owner of the database may create it.
"""

from django.contrib.postgres.operations import BtreeGinExtension
from django.db import migrations

_CREATE = (
    "ALTER TABLE calls_call ADD COLUMN words_vector tsvector "
    "GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, words)) STORED",
    # The rarer half of the rare words: the planner must tell them from common ones.
    "ALTER TABLE calls_call ALTER COLUMN words_vector SET STATISTICS 1000",
    "CREATE INDEX call_words ON calls_call USING gin (business_id, words_vector)",
)


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in _CREATE:
            schema_editor.execute(statement)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE calls_call DROP COLUMN words_vector")


class Migration(migrations.Migration):
    dependencies = [("calls", "0001_initial")]

    operations = [BtreeGinExtension(), migrations.RunPython(create, drop)]
