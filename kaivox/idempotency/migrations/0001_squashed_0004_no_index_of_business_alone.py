"""The tables of 0001 to 0004 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.db.models.deletion
from django.db import migrations, models

import kaivox.db.encrypted_fields


class Migration(migrations.Migration):
    replaces = [
        ("idempotency", "0001_initial"),
        ("idempotency", "0002_responses_belong_to_scopes"),
        ("idempotency", "0003_rename_answered_to_idempotency_record"),
        ("idempotency", "0004_no_index_of_business_alone"),
    ]

    initial = True

    dependencies = [
        ("businesses", "0001_squashed_0012_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="IdempotencyRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "business",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                (
                    "fingerprint",
                    models.CharField(
                        help_text="SHA-256 of method, path, query and body.", max_length=64
                    ),
                ),
                ("holder", models.UUIDField()),
                ("held_until", models.DateTimeField()),
                ("scopes", models.JSONField(null=True)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("answer", kaivox.db.encrypted_fields.EncryptedTextField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "idempotency record",
                "db_table": "idempotency_answered",
                "indexes": [models.Index(fields=["created_at"], name="idempotency_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("business", "key"), name="idempotency_key_once")
                ],
            },
        ),
    ]
