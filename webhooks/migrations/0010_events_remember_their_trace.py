"""The trace of the request that made an event, for the webhooks of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0009_event_actor"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="traceparent",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=55
            ),
        ),
    ]
