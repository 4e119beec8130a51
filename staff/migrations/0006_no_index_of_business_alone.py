"""Composite indexes begin with these columns: they need none of their own."""

import django.db.models.deletion
from django.db import migrations, models

from kaivox.db.migrations import drop_index_of_column


class Migration(migrations.Migration):
    atomic = False  # indexes are dropped CONCURRENTLY, outside of a transaction

    dependencies = [
        ("businesses", "0001_initial"),
        ("staff", "0005_fill_search_text"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="break",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="calendarfeed",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="closure",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="dateoverride",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="staffmember",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="timeoff",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="workinghours",
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
                drop_index_of_column("staff", "break", "business_id"),
                drop_index_of_column("staff", "calendarfeed", "business_id"),
                drop_index_of_column("staff", "closure", "business_id"),
                drop_index_of_column("staff", "dateoverride", "business_id"),
                drop_index_of_column("staff", "staffmember", "business_id"),
                drop_index_of_column("staff", "timeoff", "business_id"),
                drop_index_of_column("staff", "workinghours", "business_id"),
            ],
        ),
    ]
