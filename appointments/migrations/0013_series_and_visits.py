"""Series and visits, and the appointments that belong to them. PostgreSQL does not check the new foreign
keys of rows that exist: they are null."""

import django.db.models.deletion
from django.db import migrations, models


def group_key(model):
    return models.ForeignKey(
        blank=True,
        db_index=False,
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="appointments",
        to=f"appointments.{model}",
    )


def group_fields():
    return [
        (
            "id",
            models.BigAutoField(
                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
            ),
        ),
        ("created_at", models.DateTimeField(auto_now_add=True)),
        ("updated_at", models.DateTimeField(auto_now=True)),
        (
            "business",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="businesses.business",
            ),
        ),
        (
            "customer",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.customer",
            ),
        ),
    ]


def newest(group):
    return models.Index(
        models.F("business"), models.F("created_at"), models.F("id"), name=f"{group}_created"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0012_resources"),
        ("businesses", "0009_developers_and_invitations"),
    ]

    operations = [
        migrations.CreateModel(
            name="AppointmentSeries",
            fields=[
                *group_fields(),
                (
                    "frequency",
                    models.CharField(
                        choices=[("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly")],
                        max_length=7,
                    ),
                ),
                ("interval", models.PositiveSmallIntegerField()),
                ("weekdays", models.JSONField(blank=True, default=list)),
                ("count", models.PositiveSmallIntegerField()),
            ],
            options={
                "verbose_name_plural": "appointment series",
                "indexes": [newest("series")],
            },
        ),
        migrations.CreateModel(
            name="Visit", fields=group_fields(), options={"indexes": [newest("visit")]}
        ),
        migrations.AddField("appointment", "series", group_key("appointmentseries")),
        migrations.AddField("appointment", "visit", group_key("visit")),
    ]
