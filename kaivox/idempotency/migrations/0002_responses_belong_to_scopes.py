"""A remembered response is replayed only to callers who may see it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("idempotency", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="answered",
            name="scopes",
            field=models.JSONField(null=True),
        ),
    ]
