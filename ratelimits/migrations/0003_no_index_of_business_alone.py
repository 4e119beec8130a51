"""Composite indexes begin with these columns: they need none of their own."""

import django.db.models.deletion
from django.db import migrations, models

from kaivox.db.migrations import drop_index_of_column


class Migration(migrations.Migration):
    atomic = False  # indexes are dropped CONCURRENTLY, outside of a transaction

    dependencies = [
        ("businesses", "0001_initial"),
        ("ratelimits", "0002_labels"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="dailyusage",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
            ],
            database_operations=[
                drop_index_of_column("ratelimits", "dailyusage", "business_id"),
            ],
        ),
    ]
