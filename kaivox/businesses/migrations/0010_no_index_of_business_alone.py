"""Composite indexes begin with these columns: they need none of their own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from kaivox.db.migrations import drop_index_of_column


class Migration(migrations.Migration):
    atomic = False  # indexes are dropped CONCURRENTLY, outside of a transaction

    dependencies = [
        ("businesses", "0009_developers_and_invitations"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="apikey",
                    name="business",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="auditentry",
                    name="business",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                migrations.AlterField(
                    model_name="membership",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            database_operations=[
                drop_index_of_column("businesses", "apikey", "business_id"),
                drop_index_of_column("businesses", "auditentry", "business_id"),
                drop_index_of_column("businesses", "membership", "user_id"),
            ],
        ),
    ]
