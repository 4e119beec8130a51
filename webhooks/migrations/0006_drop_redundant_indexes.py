"""Attempts are found by delivery or endpoint, never by business; event ids are never searched by LIKE.

And statistics for the list of deliveries: an endpoint belongs to one business, and a planner that
takes both conditions for independent expects too few rows and reads them all."""

import django.db.models.deletion
from django.db import migrations, models

from kaivox.db.migrations import drop_index_of_column, drop_pattern_index


def create_statistics(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute(
            "CREATE STATISTICS IF NOT EXISTS webhooks_delivery_owner (dependencies, mcv)"
            " ON business_id, endpoint_id, status FROM webhooks_delivery"
        )
        editor.execute("ANALYZE webhooks_delivery")


def drop_statistics(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP STATISTICS IF EXISTS webhooks_delivery_owner")


class Migration(migrations.Migration):
    atomic = False  # an index is dropped CONCURRENTLY, outside of a transaction

    dependencies = [
        ("webhooks", "0005_endpoints_have_headers_of_their_own"),
        ("businesses", "0001_initial"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="attempt",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
            ],
            database_operations=[drop_index_of_column("webhooks", "attempt", "business_id")],
        ),
        drop_pattern_index("webhooks", "event", "uid"),
        migrations.RunPython(create_statistics, drop_statistics),
    ]
