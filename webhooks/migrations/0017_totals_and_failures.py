"""Counts events and deliveries, and finds the last failed attempt of an endpoint, in an index alone."""

from django.db import migrations, models

from kaivox.db.migrations import AddIndexOnline, RemoveIndexOnline


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY runs outside of a transaction

    dependencies = [("webhooks", "0016_sentence_case_labels")]

    operations = [
        AddIndexOnline(
            "event",
            models.Index(
                condition=models.Q(("is_test", False)),
                fields=["business", "created_at", "id"],
                include=["type"],
                name="event_shown",
            ),
        ),
        RemoveIndexOnline("event", "event_feed"),
        AddIndexOnline(
            "delivery",
            models.Index(
                models.F("business"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                include=["status", "endpoint"],
                name="delivery_listed",
            ),
        ),
        RemoveIndexOnline("delivery", "delivery_business"),
        AddIndexOnline(
            "attempt",
            models.Index(
                models.F("endpoint"),
                models.OrderBy(models.F("started_at"), descending=True),
                condition=models.Q(("outcome__in", ("in_flight", "succeeded")), _negated=True),
                name="attempt_failed",
            ),
        ),
    ]
