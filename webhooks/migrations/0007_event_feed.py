"""The index of the event feed: the events of a business in the order in which they were recorded."""

from django.db import migrations, models

TABLE, NAME = "webhooks_event", "event_feed"


def create(apps, editor):
    if editor.connection.vendor == "postgresql":
        # An earlier attempt that was interrupted leaves an invalid index behind.
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        concurrently = "CONCURRENTLY"  # blocks no writer
    else:
        concurrently = ""
    editor.execute(f"CREATE INDEX {concurrently} {NAME} ON {TABLE} (business_id, created_at, id)")


def drop(apps, editor):
    concurrently = "CONCURRENTLY" if editor.connection.vendor == "postgresql" else ""
    editor.execute(f"DROP INDEX {concurrently} IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY runs outside of a transaction

    dependencies = [("webhooks", "0006_drop_redundant_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="event",
                    index=models.Index(fields=["business", "created_at", "id"], name=NAME),
                ),
            ],
            database_operations=[migrations.RunPython(create, drop)],
        ),
    ]
