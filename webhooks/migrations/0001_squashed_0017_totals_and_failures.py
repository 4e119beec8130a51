"""The tables of 0001 to 0017 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import kaivox.db.encrypted_fields
import webhooks.models
from kaivox.db.migrations import drop_pattern_index, on_postgresql


class Migration(migrations.Migration):
    replaces = [
        ("webhooks", "0001_initial"),
        ("webhooks", "0002_one_index_for_each_question"),
        ("webhooks", "0003_response_bodies_are_bytes"),
        ("webhooks", "0004_endpoints_remember_their_creator"),
        ("webhooks", "0005_endpoints_have_headers_of_their_own"),
        ("webhooks", "0006_drop_redundant_indexes"),
        ("webhooks", "0007_event_feed"),
        ("webhooks", "0008_labels"),
        ("webhooks", "0009_event_actor"),
        ("webhooks", "0010_events_remember_their_trace"),
        ("webhooks", "0011_endpoint_filters"),
        ("webhooks", "0012_endpoint_rate_limit"),
        ("webhooks", "0013_deliveries_in_order"),
        ("webhooks", "0014_no_index_of_business_alone"),
        ("webhooks", "0015_choices_labels"),
        ("webhooks", "0016_sentence_case_labels"),
        ("webhooks", "0017_totals_and_failures"),
    ]

    initial = True

    dependencies = [
        ("auth", "__first__"),
        ("businesses", "0001_squashed_0012_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="Endpoint",
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
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("url", models.CharField(max_length=2048, verbose_name="URL")),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                (
                    "event_types",
                    models.JSONField(
                        default=webhooks.models.everything,
                        validators=[webhooks.models.check_event_types],
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "disabled_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("paused", "Paused by a user"),
                            ("deleted", "Deleted"),
                            ("gone", "Gone (it responded 410)"),
                            ("failing", "Failing (its deliveries failed for days)"),
                            (
                                "key_revoked",
                                "Key revoked (its API key is revoked, expired or lacks a scope)",
                            ),
                        ],
                        default="",
                        editable=False,
                        max_length=20,
                    ),
                ),
                ("disabled_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "created_by_key",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="businesses.apikey",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("deleted_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("notified_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "max_in_flight",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="The most requests in flight at once.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(16),
                        ],
                    ),
                ),
                (
                    "rate_limit",
                    models.PositiveSmallIntegerField(
                        db_default=0,
                        default=0,
                        help_text="The most requests per period. What is over waits. 0: no limit.",
                        validators=[django.core.validators.MaxValueValidator(600)],
                    ),
                ),
                (
                    "rate_limit_period",
                    models.CharField(
                        choices=[("second", "Second"), ("minute", "Minute")],
                        db_default="minute",
                        default="minute",
                        max_length=6,
                    ),
                ),
                (
                    "in_order",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Events of one object are sent one after the other, each once the one before it succeeded or has no retry left.",
                        verbose_name="in order",
                    ),
                ),
                ("limited_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("secret", kaivox.db.encrypted_fields.EncryptedTextField(editable=False)),
                (
                    "previous_secret",
                    kaivox.db.encrypted_fields.EncryptedTextField(
                        blank=True, editable=False, null=True
                    ),
                ),
                (
                    "previous_secret_expires_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                ("filters", models.JSONField(blank=True, null=True)),
                (
                    "custom_headers",
                    kaivox.db.encrypted_fields.EncryptedTextField(
                        blank=True, editable=False, null=True
                    ),
                ),
                ("breaker_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("breaker_trips", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("failing_since", models.DateTimeField(blank=True, editable=False, null=True)),
                ("exhausted_in_a_row", models.PositiveIntegerField(default=0, editable=False)),
                ("exhausted_since", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "verbose_name": "webhook endpoint",
                "indexes": [
                    models.Index(fields=["business", "is_active"], name="endpoint_business"),
                    models.Index(
                        condition=models.Q(("limited_until__isnull", False)),
                        fields=["limited_until"],
                        name="endpoint_limited",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("disabled_reason", ""), ("is_active", True)),
                            models.Q(
                                ("is_active", False),
                                models.Q(("disabled_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="endpoint_off_for_a_reason",
                        violation_error_message="An endpoint that is off has a reason.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_in_flight__gte", 1), ("max_in_flight__lte", 16)),
                        name="endpoint_in_flight_range",
                        violation_error_message="Between 1 and 16 requests at once.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("rate_limit__lte", 600),
                            ("rate_limit_period__in", ["second", "minute"]),
                        ),
                        name="endpoint_rate_limit_known",
                        violation_error_message="At most 600 requests per second or minute.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
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
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "uid",
                    models.CharField(
                        editable=False, max_length=40, unique=True, verbose_name="event id"
                    ),
                ),
                ("type", models.CharField(max_length=40)),
                ("body", models.BinaryField()),
                ("object_id", models.BigIntegerField(blank=True, null=True)),
                ("dedup_key", models.CharField(blank=True, max_length=200, null=True)),
                ("is_test", models.BooleanField(default=False)),
                (
                    "actor_name",
                    models.CharField(blank=True, db_default="", default="", max_length=150),
                ),
                ("occurred_at", models.DateTimeField()),
                (
                    "traceparent",
                    models.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=55
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.OrderBy(models.F("occurred_at"), descending=True),
                        name="event_business",
                    ),
                    models.Index(models.F("business"), models.F("object_id"), name="event_object"),
                    models.Index(
                        condition=models.Q(("is_test", False)),
                        fields=["business", "created_at", "id"],
                        include=("type",),
                        name="event_shown",
                    ),
                    models.Index(models.F("occurred_at"), name="event_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("dedup_key__isnull", False)),
                        fields=("business", "dedup_key"),
                        name="event_once_per_key",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
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
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "event",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="webhooks.event",
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="webhooks.endpoint",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("in_flight", "In flight"),
                            ("succeeded", "Succeeded"),
                            ("exhausted", "Exhausted (no retry is left)"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                (
                    "object_key",
                    models.CharField(db_default="", default="", editable=False, max_length=40),
                ),
                (
                    "trigger",
                    models.CharField(
                        choices=[("auto", "Automatic"), ("manual", "Manual"), ("test", "Test")],
                        default="auto",
                        max_length=6,
                    ),
                ),
                ("next_attempt_at", models.DateTimeField()),
                ("retry_at", models.DateTimeField(blank=True, null=True)),
                ("attempt_count", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("failure_count", models.PositiveSmallIntegerField(default=0)),
                ("loss_count", models.PositiveSmallIntegerField(default=0)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "last_http_status",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="HTTP status"
                    ),
                ),
                ("last_error", models.CharField(blank=True, default="", max_length=20)),
                ("lease_token", models.UUIDField(blank=True, editable=False, null=True)),
                ("lease_until", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        include=("status", "endpoint"),
                        name="delivery_listed",
                    ),
                    models.Index(
                        models.F("endpoint"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="delivery_endpoint",
                    ),
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["endpoint", "next_attempt_at", "id"],
                        name="delivery_due",
                    ),
                    models.Index(
                        condition=models.Q(("status", "in_flight")),
                        fields=["endpoint"],
                        name="delivery_in_flight",
                    ),
                    models.Index(
                        condition=models.Q(
                            models.Q(("object_key", ""), _negated=True),
                            ("status__in", ("pending", "in_flight")),
                        ),
                        fields=["endpoint", "object_key", "event"],
                        name="delivery_in_turn",
                    ),
                    models.Index(
                        condition=models.Q(("status", "in_flight")),
                        fields=["lease_until"],
                        name="delivery_lease",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("event", "endpoint"), name="delivery_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("lease_token__isnull", False),
                                ("lease_until__isnull", False),
                                ("status", "in_flight"),
                            ),
                            models.Q(
                                models.Q(("status", "in_flight"), _negated=True),
                                ("lease_token__isnull", True),
                                ("lease_until__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="delivery_leased_in_flight",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "succeeded"), _negated=True),
                            ("delivered_at__isnull", False),
                            _connector="OR",
                        ),
                        name="delivery_success_has_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
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
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="webhooks.endpoint",
                    ),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="webhooks.delivery",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "trigger",
                    models.CharField(
                        choices=[("auto", "Automatic"), ("manual", "Manual"), ("test", "Test")],
                        max_length=6,
                    ),
                ),
                ("url", models.CharField(max_length=2048, verbose_name="URL")),
                ("request_headers", models.JSONField()),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("in_flight", "In flight"),
                            ("succeeded", "Succeeded"),
                            ("http_error", "HTTP error (not a 2xx)"),
                            ("timeout", "Timeout (no response in time)"),
                            ("dns_error", "DNS error (name not found)"),
                            ("connect_error", "Connect error (no connection)"),
                            ("tls_error", "TLS error (no trusted connection)"),
                            ("blocked_destination", "Blocked destination (address not allowed)"),
                            ("protocol_error", "Protocol error (no valid HTTP response)"),
                            ("worker_lost", "Worker lost (the process that sent it ended)"),
                        ],
                        default="in_flight",
                        max_length=20,
                    ),
                ),
                (
                    "http_status",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="HTTP status"
                    ),
                ),
                ("error_message", models.CharField(blank=True, default="", max_length=200)),
                ("duration_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("response_body", models.BinaryField(default=b"")),
                ("response_truncated", models.BooleanField(default=False)),
                ("reconnects", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("endpoint"),
                        models.OrderBy(models.F("started_at"), descending=True),
                        name="attempt_endpoint",
                    ),
                    models.Index(
                        models.F("endpoint"),
                        models.OrderBy(models.F("started_at"), descending=True),
                        condition=models.Q(
                            ("outcome__in", ("in_flight", "succeeded")), _negated=True
                        ),
                        name="attempt_failed",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("delivery", "number"), name="attempt_numbered_once"
                    )
                ],
            },
        ),
        drop_pattern_index("webhooks", "event", "uid"),
        # An endpoint belongs to one business: 0006 says what the planner expects without these.
        on_postgresql(
            "CREATE STATISTICS webhooks_delivery_owner (dependencies, mcv)"
            " ON business_id, endpoint_id, status FROM webhooks_delivery"
        ),
    ]
