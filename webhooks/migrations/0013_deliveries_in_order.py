"""Events of one object in order: the column, and its index, which is built without blocking writers."""

from django.db import migrations, models

TABLE, NAME = "webhooks_delivery", "delivery_in_turn"


def create(apps, editor):
    if editor.connection.vendor == "postgresql":
        # An earlier attempt that was interrupted leaves an invalid index behind.
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        concurrently = "CONCURRENTLY"  # blocks no writer
    else:
        concurrently = ""
    editor.execute(
        f"CREATE INDEX {concurrently} {NAME} ON {TABLE} (endpoint_id, object_key, event_id)"
        " WHERE (NOT (object_key = '') AND status IN ('pending', 'in_flight'))"
    )


def drop(apps, editor):
    concurrently = "CONCURRENTLY" if editor.connection.vendor == "postgresql" else ""
    editor.execute(f"DROP INDEX {concurrently} IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY runs outside of a transaction

    dependencies = [("webhooks", "0012_endpoint_rate_limit")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="object_key",
            field=models.CharField(db_default="", default="", editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="in_order",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Events of one object are sent one after the other, each once the one "
                "before it succeeded or has no retry left.",
                verbose_name="in order",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="delivery",
                    index=models.Index(
                        fields=["endpoint", "object_key", "event"],
                        condition=models.Q(
                            models.Q(("object_key", ""), _negated=True),
                            ("status__in", ("pending", "in_flight")),
                        ),
                        name=NAME,
                    ),
                ),
            ],
            database_operations=[migrations.RunPython(create, drop)],
        ),
    ]
