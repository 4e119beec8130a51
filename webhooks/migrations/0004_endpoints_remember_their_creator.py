"""An endpoint remembers the API key or user that decided where its events go."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("businesses", "0003_keys_with_all_scopes_keep_all"),
        ("webhooks", "0003_response_bodies_are_bytes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="created_by_key",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="businesses.apikey",
            ),
        ),
        migrations.AlterField(
            model_name="endpoint",
            name="disabled_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("paused", "paused by hand"),
                    ("deleted", "Deleted"),
                    ("gone", "it answered 410 Gone"),
                    ("failing", "its deliveries failed for days"),
                    ("key_revoked", "the API key behind it is revoked, expired or lacks a scope"),
                ],
                default="",
                editable=False,
                max_length=20,
            ),
        ),
    ]
