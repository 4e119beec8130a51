"""Ten indexes begin with the business: it needs none of its own."""

import django.db.models.deletion
from django.db import migrations, models

from kaivox.db.migrations import drop_index_of_column


class Migration(migrations.Migration):
    atomic = False  # an index is dropped CONCURRENTLY, outside of a transaction

    dependencies = [
        ("calls", "0007_tool_calls"),
        ("businesses", "0001_initial"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="call",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
            ],
            database_operations=[drop_index_of_column("calls", "call", "business_id")],
        ),
    ]
