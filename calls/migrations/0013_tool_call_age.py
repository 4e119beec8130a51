"""Finds the tool calls to be pruned without reading the whole table."""

from django.db import migrations, models

from kaivox.db.migrations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY runs outside of a transaction

    dependencies = [("calls", "0012_imported_calls")]

    operations = [
        AddIndexOnline("toolcall", models.Index(fields=["created_at"], name="tool_call_age")),
    ]
