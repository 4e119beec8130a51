"""The tables of 0001 to 0012 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.core.validators
import django.db.models.deletion
import django_otp.util
from django.conf import settings
from django.db import migrations, models

import kaivox.businesses.models
import kaivox.businesses.setting_rules
import kaivox.db.encrypted_fields


class Migration(migrations.Migration):
    replaces = [
        ("businesses", "0001_initial"),
        ("businesses", "0002_change_counter"),
        ("businesses", "0003_keys_with_all_scopes_keep_all"),
        ("businesses", "0004_security_notices"),
        ("businesses", "0005_pending_touches"),
        ("businesses", "0006_audit_subjects"),
        ("businesses", "0007_two_factor_devices"),
        ("businesses", "0008_two_factor_secrets_at_rest"),
        ("businesses", "0009_developers_and_invitations"),
        ("businesses", "0010_no_index_of_business_alone"),
        ("businesses", "0011_reminder_hours"),
        ("businesses", "0012_labels"),
    ]

    initial = True

    dependencies = [
        ("auth", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuthenticatorDevice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        help_text="The user that this device belongs to.",
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="The human-readable name of this device.", max_length=64
                    ),
                ),
                (
                    "confirmed",
                    models.BooleanField(default=True, help_text="Is this device ready for use?"),
                ),
                (
                    "throttling_failure_timestamp",
                    models.DateTimeField(
                        blank=True,
                        default=None,
                        help_text="A timestamp of the last failed verification attempt. Null if last attempt succeeded.",
                        null=True,
                    ),
                ),
                (
                    "throttling_failure_count",
                    models.PositiveIntegerField(
                        default=0, help_text="Number of successive failed attempts."
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True,
                        help_text="The date and time when this device was initially created in the system.",
                        null=True,
                    ),
                ),
                (
                    "last_used_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="The most recent date and time this device was used.",
                        null=True,
                    ),
                ),
                (
                    "seed",
                    kaivox.db.encrypted_fields.EncryptedTextField(
                        default=django_otp.util.random_hex, editable=False
                    ),
                ),
                ("drift", models.SmallIntegerField(default=0, editable=False)),
                ("last_t", models.BigIntegerField(default=-1, editable=False)),
            ],
            options={
                "verbose_name": "authenticator app",
            },
        ),
        migrations.CreateModel(
            name="Business",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                (
                    "timezone",
                    models.CharField(
                        max_length=60,
                        validators=[kaivox.businesses.setting_rules.check_timezone],
                        verbose_name="time zone",
                    ),
                ),
                (
                    "country",
                    models.CharField(
                        help_text="Phone numbers without a country code are read as numbers of this country.",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}$", "Two capital letters (ISO 3166), such as IN."
                            )
                        ],
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        max_length=3,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{3}$", "Three capital letters (ISO 4217), such as INR."
                            )
                        ],
                    ),
                ),
                (
                    "contact_email",
                    models.EmailField(
                        blank=True,
                        help_text="Receives notices of quotas, webhooks and API keys.",
                        max_length=254,
                        verbose_name="contact e-mail",
                    ),
                ),
                (
                    "plan",
                    models.CharField(
                        choices=[
                            ("starter", "Starter"),
                            ("pro", "Pro"),
                            ("enterprise", "Enterprise"),
                        ],
                        default="starter",
                        max_length=12,
                    ),
                ),
                ("suspended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "livemode",
                    models.BooleanField(
                        default=True, help_text="Off: a sandbox, with kv_test_ keys."
                    ),
                ),
                (
                    "sandbox_of",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sandbox",
                        to="businesses.business",
                    ),
                ),
                (
                    "cors_origins",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='Web pages that may call the API: ["https://book.example.com"].',
                        validators=[kaivox.businesses.setting_rules.check_origins],
                    ),
                ),
                (
                    "slot_interval_minutes",
                    models.PositiveSmallIntegerField(
                        default=15,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1440),
                        ],
                    ),
                ),
                (
                    "minimum_notice_minutes",
                    models.PositiveIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(525600)]
                    ),
                ),
                (
                    "horizon_days",
                    models.PositiveSmallIntegerField(
                        default=365,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1825),
                        ],
                    ),
                ),
                (
                    "daily_cap_per_staff",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Maximum appointments per day for one staff member. Empty: no limit.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "reminder_hours",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="So many hours before an appointment the event appointment.reminder_due is sent to webhooks. Empty: never.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(168),
                        ],
                    ),
                ),
                (
                    "transcript_retention_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Transcripts are deleted after this many days. Empty: never.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "mask_transcripts",
                    models.BooleanField(
                        default=True,
                        help_text="Mask card numbers and e-mail addresses in transcripts.",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "verbose_name_plural": "businesses",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("plan__in", ["starter", "pro", "enterprise"])),
                        name="business_plan_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sandbox_of__isnull", True), ("livemode", False), _connector="OR"
                        ),
                        name="business_sandbox_is_not_live",
                        violation_error_message="A sandbox cannot be live.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ChangeCounter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("business_id", models.BigIntegerField()),
                ("table_name", models.CharField(max_length=63)),
                ("changes", models.BigIntegerField()),
            ],
            options={
                "db_table": "businesses_changecounter",
                "indexes": [
                    models.Index(
                        models.F("business_id"),
                        models.F("table_name"),
                        name="changecounter_business",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="businesses.business",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("developer", "Developer"),
                            ("staff", "Front desk"),
                            ("analyst", "Analyst (reads only)"),
                        ],
                        default="staff",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "business"),
                        name="membership_once",
                        violation_error_message="This person is a member already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("developer", "Developer"),
                            ("staff", "Front desk"),
                            ("analyst", "Analyst (reads only)"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "invited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ApiKey",
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
                ("name", models.CharField(max_length=120)),
                ("prefix", models.CharField(editable=False, max_length=16, unique=True)),
                ("last_four", models.CharField(editable=False, max_length=4)),
                ("digest", models.CharField(editable=False, max_length=64)),
                ("scopes", models.JSONField(default=kaivox.businesses.models.all_scopes)),
                (
                    "allowed_cidrs",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='Empty: any address. Otherwise such as ["203.0.113.0/24"].',
                    ),
                ),
                (
                    "query_allowed",
                    models.BooleanField(
                        default=True,
                        help_text="Off: accepted in a header only.",
                        verbose_name="accepted as ?api_key=",
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "last_used_address",
                    models.GenericIPAddressField(blank=True, editable=False, null=True),
                ),
                (
                    "issued_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        name="apikey_business",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
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
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("actor_name", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=60)),
                ("subject", models.CharField(max_length=200)),
                (
                    "subject_type",
                    models.CharField(blank=True, db_default="", default="", max_length=100),
                ),
                ("subject_id", models.BigIntegerField(blank=True, null=True)),
                ("changes", models.JSONField(default=dict)),
                ("request_id", models.CharField(max_length=128)),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.OrderBy(models.F("at"), descending=True),
                        name="audit_business",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SecurityNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("recipient", models.EmailField(max_length=254)),
                ("subject", models.CharField(max_length=300)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PendingTouch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=100, verbose_name="model")),
                ("object_id", models.BigIntegerField()),
                ("touched_at", models.DateTimeField(null=True)),
                ("begun_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "pending touches",
            },
        ),
    ]
