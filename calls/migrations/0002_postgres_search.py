"""What `?search=` looks through on PostgreSQL: a full-text index over the words of each call.

The configuration is `simple`: transcripts come in many languages, and stemming those of one would
miss those of another. SQLite looks through the text itself.
"""

from django.db import migrations

# As in calls/search.py: the planner takes the index where the expressions are the same.
_CREATE = """
CREATE INDEX call_words ON calls_call USING gin (to_tsvector('simple'::regconfig, words))
"""


def create_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_CREATE)


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX call_words")


class Migration(migrations.Migration):
    dependencies = [("calls", "0001_initial")]

    operations = [migrations.RunPython(create_index, drop_index)]
