"""Composite indexes begin with these columns: they need none of their own."""

import django.db.models.deletion
from django.db import migrations, models

from kaivox.db.migrations import drop_index_of_column


class Migration(migrations.Migration):
    atomic = False  # indexes are dropped CONCURRENTLY, outside of a transaction

    dependencies = [
        ("businesses", "0001_initial"),
        ("calls", "0009_rename_message_to_provider_message"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="awaitedlink",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="provideraccount",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="providermessage",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="toolcall",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="usednonce",
                    name="account",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="nonces",
                        to="calls.provideraccount",
                    ),
                ),
            ],
            database_operations=[
                drop_index_of_column("calls", "awaitedlink", "business_id"),
                drop_index_of_column("calls", "provideraccount", "business_id"),
                drop_index_of_column("calls", "providermessage", "business_id"),
                drop_index_of_column("calls", "toolcall", "business_id"),
                drop_index_of_column("calls", "usednonce", "account_id"),
            ],
        ),
    ]
