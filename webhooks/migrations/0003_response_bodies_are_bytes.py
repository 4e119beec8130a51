"""Converts response bodies that SQLite stored as text to bytes. PostgreSQL's column is typed, so it
holds none."""

from django.db import migrations


def convert_text_to_bytes(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(
            "UPDATE webhooks_attempt SET response_body = CAST(response_body AS BLOB)"
            " WHERE typeof(response_body) = 'text'"
        )


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0002_one_index_for_each_question")]

    operations = [migrations.RunPython(convert_text_to_bytes, migrations.RunPython.noop)]
