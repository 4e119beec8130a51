"""Events name who made the request that recorded them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0008_labels"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="actor_name",
            field=models.CharField(blank=True, db_default="", default="", max_length=150),
        ),
    ]
