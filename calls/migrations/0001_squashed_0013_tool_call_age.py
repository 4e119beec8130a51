"""The tables of 0001 to 0013 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.db.models.deletion
from django.db import migrations, models

import kaivox.db.encrypted_fields
from kaivox.db.migrations import on_postgresql


class Migration(migrations.Migration):
    replaces = [
        ("calls", "0001_initial"),
        ("calls", "0002_postgres_search"),
        ("calls", "0003_call_reported"),
        ("calls", "0004_used_nonce"),
        ("calls", "0005_awaited_link"),
        ("calls", "0006_words_of_every_script"),
        ("calls", "0007_tool_calls"),
        ("calls", "0008_drop_redundant_index"),
        ("calls", "0009_rename_message_to_provider_message"),
        ("calls", "0010_no_index_of_business_alone"),
        ("calls", "0011_sentence_case_labels"),
        ("calls", "0012_imported_calls"),
        ("calls", "0013_tool_call_age"),
    ]

    initial = True

    dependencies = [
        ("appointments", "0001_squashed_0018_call_and_totals"),
        ("businesses", "0001_squashed_0012_labels"),
        ("customers", "0001_squashed_0007_sentence_case_labels"),
    ]

    operations = [
        on_postgresql("CREATE EXTENSION IF NOT EXISTS btree_gin"),
        migrations.CreateModel(
            name="Call",
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
                    "provider",
                    models.CharField(
                        choices=[
                            ("kaivox", "KaiVox engine"),
                            ("twilio", "Twilio"),
                            ("vobiz", "Vobiz"),
                            ("vapi", "Vapi"),
                            ("retell", "Retell"),
                        ],
                        max_length=12,
                    ),
                ),
                ("provider_call_id", models.CharField(max_length=200)),
                (
                    "direction",
                    models.CharField(
                        choices=[("inbound", "Inbound"), ("outbound", "Outbound")],
                        default="inbound",
                        max_length=8,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("in_progress", "In progress"),
                            ("completed", "Completed"),
                            ("missed", "Missed"),
                            ("failed", "Failed"),
                        ],
                        default="in_progress",
                        max_length=11,
                    ),
                ),
                (
                    "from_number",
                    models.CharField(blank=True, help_text="Empty: withheld.", max_length=64),
                ),
                ("to_number", models.CharField(blank=True, max_length=64)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="calls",
                        to="customers.customer",
                    ),
                ),
                (
                    "appointment",
                    models.ForeignKey(
                        blank=True,
                        help_text="The one last booked in this call; else last moved or cancelled.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="calls",
                        to="appointments.appointment",
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("duration_seconds", models.PositiveIntegerField(default=0)),
                ("end_reason", models.CharField(blank=True, max_length=100)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("booked", "Booked"),
                            ("rescheduled", "Rescheduled"),
                            ("cancelled", "Cancelled"),
                            ("information", "Information"),
                            ("missed", "Missed"),
                            ("voicemail", "Voicemail"),
                            ("other", "Other"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "sentiment",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("positive", "Positive"),
                            ("neutral", "Neutral"),
                            ("negative", "Negative"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "sentiment_score",
                    models.FloatField(blank=True, help_text="From -1 to 1.", null=True),
                ),
                (
                    "sentiment_source",
                    models.CharField(
                        blank=True,
                        help_text="Who said so: the provider, or a scorer of ours.",
                        max_length=20,
                    ),
                ),
                ("summary", models.TextField(blank=True)),
                ("recording_url", models.URLField(blank=True, max_length=2000)),
                ("transcript", models.JSONField(blank=True, default=list)),
                (
                    "words",
                    models.TextField(
                        blank=True,
                        editable=False,
                        help_text="Words of transcript and summary, for the search.",
                    ),
                ),
                (
                    "reported",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        editable=False,
                        help_text="What messages said of start, end and duration: see calls.reported.",
                    ),
                ),
                ("announce_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("announced_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["business", "started_at", "id"], name="call_started"),
                    models.Index(fields=["business", "updated_at", "id"], name="call_updated"),
                    models.Index(
                        condition=models.Q(
                            ("provider__in", ["kaivox", "twilio", "vobiz", "vapi", "retell"]),
                            _negated=True,
                        ),
                        fields=["business", "provider_call_id"],
                        name="call_imported",
                    ),
                    models.Index(
                        fields=["business", "duration_seconds", "id"], name="call_duration"
                    ),
                    models.Index(
                        fields=["business", "customer", "started_at"], name="call_customer"
                    ),
                    models.Index(
                        fields=["business", "sentiment", "started_at", "id"], name="call_mood"
                    ),
                    models.Index(
                        fields=["business", "status", "started_at", "id"], name="call_status"
                    ),
                    models.Index(
                        fields=["business", "direction", "started_at", "id"], name="call_direction"
                    ),
                    models.Index(fields=["business", "from_number"], name="call_from"),
                    models.Index(fields=["business", "to_number"], name="call_to"),
                    models.Index(
                        condition=models.Q(("announce_at__isnull", False)),
                        fields=["announce_at"],
                        name="call_due",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("business", "provider", "provider_call_id"),
                        name="call_once",
                        violation_error_message="This call of this provider is here already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["in_progress", "completed", "missed", "failed"])
                        ),
                        name="call_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sentiment_score__isnull", True),
                            models.Q(("sentiment_score__gte", -1), ("sentiment_score__lte", 1)),
                            _connector="OR",
                        ),
                        name="call_sentiment_score_range",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AwaitedLink",
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
                ("provider_call_id", models.CharField(max_length=200)),
                (
                    "appointment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="awaited_links",
                        to="appointments.appointment",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("booked", "Booked"),
                            ("rescheduled", "Rescheduled"),
                            ("cancelled", "Cancelled"),
                            ("information", "Information"),
                            ("missed", "Missed"),
                            ("voicemail", "Voicemail"),
                            ("other", "Other"),
                        ],
                        max_length=11,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["business", "provider_call_id"], name="awaited_link_call"),
                    models.Index(fields=["created_at"], name="awaited_link_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderAccount",
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
                    "provider",
                    models.CharField(
                        choices=[
                            ("kaivox", "KaiVox engine"),
                            ("twilio", "Twilio"),
                            ("vobiz", "Vobiz"),
                            ("vapi", "Vapi"),
                            ("retell", "Retell"),
                            ("elevenlabs", "ElevenLabs"),
                            ("bland", "Bland"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "secret",
                    kaivox.db.encrypted_fields.EncryptedTextField(
                        help_text="Twilio: auth token. Vobiz: auth token. Vapi: server secret. Retell: API key. ElevenLabs, Bland: the bearer token of its tools. KaiVox engine: any secret that both sides know."
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("business", "provider"),
                        name="provider_account_once",
                        violation_error_message="This business has an account of this provider already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsedNonce",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="nonces",
                        to="calls.provideraccount",
                    ),
                ),
                ("nonce", models.CharField(help_text="SHA-256, in hex.", max_length=64)),
                ("body", models.CharField(help_text="SHA-256, in hex.", max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "nonce"), name="used_nonce_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderMessage",
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
                    "provider",
                    models.CharField(
                        choices=[
                            ("kaivox", "KaiVox engine"),
                            ("twilio", "Twilio"),
                            ("vobiz", "Vobiz"),
                            ("vapi", "Vapi"),
                            ("retell", "Retell"),
                        ],
                        max_length=12,
                    ),
                ),
                ("content_type", models.CharField(blank=True, max_length=100)),
                (
                    "body",
                    kaivox.db.encrypted_fields.EncryptedTextField(
                        help_text="Compressed, in base 64."
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("read", "Read"),
                            ("ignored", "Ignored (says nothing about a call)"),
                            ("unreadable", "Unreadable"),
                        ],
                        max_length=10,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "call",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="calls.call",
                    ),
                ),
                ("replayed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "voice message",
                "db_table": "calls_message",
                "indexes": [
                    models.Index(fields=["business", "created_at", "id"], name="message_created"),
                    models.Index(fields=["created_at"], name="message_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ToolCall",
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
                    "source",
                    models.CharField(help_text="mcp, or the voice provider.", max_length=12),
                ),
                ("provider_call_id", models.CharField(blank=True, max_length=200)),
                ("tool_call_id", models.CharField(blank=True, max_length=200)),
                ("tool", models.CharField(max_length=40)),
                ("arguments", models.TextField()),
                ("status", models.CharField(max_length=40)),
                ("result", models.TextField()),
                ("duration_ms", models.PositiveIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["business", "provider_call_id", "created_at"],
                        name="tool_call_of_call",
                    ),
                    models.Index(fields=["business", "created_at", "id"], name="tool_call_created"),
                    models.Index(fields=["created_at"], name="tool_call_age"),
                ],
            },
        ),
        # What `?search=` looks through: 0002 explains the column and its statistics.
        on_postgresql(
            "ALTER TABLE calls_call ADD COLUMN words_vector tsvector "
            "GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, words)) STORED",
            "ALTER TABLE calls_call ALTER COLUMN words_vector SET STATISTICS 1000",
            "CREATE INDEX call_words ON calls_call USING gin (business_id, words_vector)",
        ),
    ]
