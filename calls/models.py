"""Calls, the provider messages that report them, provider accounts and tool calls."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Final, Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import localtime

from appointments.models import Appointment
from calls.words import query_words
from customers.models import Customer
from kaivox.businesses.models import Business, BusinessOwned, BusinessQuerySet
from kaivox.db.change_counters import count_changes
from kaivox.db.encrypted_fields import EncryptedTextField
from kaivox.db.statements import CountLimitedQuerySet


class Provider(models.TextChoices):
    KAIVOX = "kaivox", "KaiVox engine"
    TWILIO = "twilio", "Twilio"
    VOBIZ = "vobiz", "Vobiz"
    VAPI = "vapi", "Vapi"
    RETELL = "retell", "Retell"


MAX_PROVIDER: Final = 12


class ToolProvider(models.TextChoices):
    """They call tools, but send no messages about calls."""

    ELEVENLABS = "elevenlabs", "ElevenLabs"
    BLAND = "bland", "Bland"


class Direction(models.TextChoices):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class CallStatus(models.TextChoices):
    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed"
    MISSED = "missed"
    FAILED = "failed"


class CallOutcome(models.TextChoices):
    BOOKED = "booked"
    RESCHEDULED = "rescheduled"
    CANCELLED = "cancelled"
    INFORMATION = "information"
    MISSED = "missed"
    VOICEMAIL = "voicemail"
    OTHER = "other"


class Sentiment(models.TextChoices):
    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


MAX_NUMBER: Final = 64  # a SIP address or a client's name, where it is no phone number
MAX_END_REASON: Final = 100

# Limits of a search among very many calls; see docs/decisions/0062.
MANY_CALLS: Final = 10_000
SAMPLE: Final = 2_000
COMMON_SHARE: Final = 0.03
FEW_MATCHES: Final = 5_000
MOST_COUNTED: Final = 500


class CallQuerySet(BusinessQuerySet, CountLimitedQuerySet):  # type: ignore[override] # as_manager
    def count(self) -> int:
        if self.count_limit is None or self.query.is_sliced:
            return super().count()
        # In order: a walk along the index of times, whatever the planner thinks of the words.
        newest = self.select_related(None).order_by("-started_at", "-pk")
        return newest[: self.count_limit].count()

    def with_related(self) -> Self:
        """With the customer that the API names, in the same query."""
        return self.select_related("customer")

    def without_transcript(self) -> Self:
        """Without what only a single call shows."""
        return self.defer("transcript", "words", "reported")

    def mentioning(self, text: str) -> Self:
        """Whose transcript or summary has every word of `text`, or longer words that begin so."""
        return self.filter(words__mention=query_words(text))

    def searched(self, text: str, *, business: Business) -> Self:
        """`mentioning`, quick for rare words and for common ones among very many calls.

        The planner cannot know how rare a beginning of a word is. So the newest calls are asked:
        where the words are common, a walk through them in the order of time meets some soon. Where
        they are rare, the index has all of them at once.
        """
        calls = Call.objects.for_business(business)
        if calls[: MANY_CALLS + 1].count() <= MANY_CALLS:
            return self.mentioning(text)
        sample = calls.order_by("-started_at", "-pk").values("pk")[:SAMPLE]
        if Call.objects.filter(pk__in=sample).mentioning(text).count() < SAMPLE * COMMON_SHARE:
            found = list(calls.mentioning(text).values_list("pk", flat=True)[: FEW_MATCHES + 1])
            if len(found) <= FEW_MATCHES:
                return self.filter(pk__in=found)
        common = self.mentioning(text)
        common.count_limit = MOST_COUNTED
        return common

    def due(self, now: datetime) -> Self:
        """Finished calls that have waited long enough for their analysis."""
        return self.filter(announce_at__lte=now)

    def with_phone(self, number: str) -> Self:
        """Calls from or to `number`."""
        return self.filter(Q(from_number=number) | Q(to_number=number))


@count_changes
class Call(BusinessOwned):
    """One phone call, merged from all messages about it."""

    # A Provider, or the name that an import gives its source.
    provider = models.CharField(max_length=MAX_PROVIDER, choices=Provider)
    provider_call_id = models.CharField(max_length=200)
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.INBOUND)
    status = models.CharField(max_length=11, choices=CallStatus, default=CallStatus.IN_PROGRESS)
    from_number = models.CharField(max_length=MAX_NUMBER, blank=True, help_text="Empty: withheld.")
    to_number = models.CharField(max_length=MAX_NUMBER, blank=True)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="calls"
    )
    appointment = models.ForeignKey(
        Appointment,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="calls",
        help_text="The one last booked in this call; else last moved or cancelled.",
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_seconds = models.PositiveIntegerField(default=0)
    end_reason = models.CharField(max_length=MAX_END_REASON, blank=True)
    outcome = models.CharField(max_length=11, choices=CallOutcome, blank=True)
    sentiment = models.CharField(max_length=8, choices=Sentiment, blank=True)
    sentiment_score = models.FloatField(null=True, blank=True, help_text="From -1 to 1.")
    sentiment_source = models.CharField(
        max_length=20, blank=True, help_text="Who said so: the provider, or a scorer of ours."
    )
    summary = models.TextField(blank=True)
    recording_url = models.URLField(max_length=2000, blank=True)
    transcript = models.JSONField(default=list, blank=True)
    words = models.TextField(
        blank=True, editable=False, help_text="Words of transcript and summary, for the search."
    )

    reported = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="What messages said of start, end and duration: see calls.reported.",
    )

    # When call.completed goes out at the latest; empty when nothing waits.
    announce_at = models.DateTimeField(null=True, blank=True, editable=False)
    announced_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CallQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["business", "provider", "provider_call_id"],
                name="call_once",
                violation_error_message="This call of this provider is here already.",
            ),
            models.CheckConstraint(
                name="call_status_known", condition=Q(status__in=CallStatus.values)
            ),
            models.CheckConstraint(
                name="call_sentiment_score_range",
                condition=Q(sentiment_score__isnull=True)
                | Q(sentiment_score__gte=-1, sentiment_score__lte=1),
            ),
        ]
        indexes = [
            models.Index(fields=["business", "started_at", "id"], name="call_started"),
            models.Index(fields=["business", "updated_at", "id"], name="call_updated"),
            # Of the others the index of `call_once` finds it (calls.filters).
            models.Index(
                fields=["business", "provider_call_id"],
                name="call_imported",
                condition=~Q(provider__in=Provider.values),
            ),
            models.Index(fields=["business", "duration_seconds", "id"], name="call_duration"),
            models.Index(fields=["business", "customer", "started_at"], name="call_customer"),
            models.Index(fields=["business", "sentiment", "started_at", "id"], name="call_mood"),
            models.Index(fields=["business", "status", "started_at", "id"], name="call_status"),
            models.Index(
                fields=["business", "direction", "started_at", "id"], name="call_direction"
            ),
            models.Index(fields=["business", "from_number"], name="call_from"),
            models.Index(fields=["business", "to_number"], name="call_to"),
            models.Index(
                fields=["announce_at"], name="call_due", condition=Q(announce_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}, {localtime(self.started_at):%a %-d %b %Y, %H:%M %Z}"

    @property
    def caller_number(self) -> str:
        """The number of the person, as opposed to that of the business."""
        return self.to_number if self.direction == Direction.OUTBOUND else self.from_number

    @property
    def is_over(self) -> bool:
        return self.status != CallStatus.IN_PROGRESS


class AwaitedLink(BusinessOwned):
    """What was done to an appointment in a call that has not been reported yet: linked when the call
    arrives."""

    provider_call_id = models.CharField(max_length=200)
    appointment = models.ForeignKey(
        Appointment, on_delete=models.CASCADE, related_name="awaited_links"
    )
    action = models.CharField(max_length=11, choices=CallOutcome)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["business", "provider_call_id"], name="awaited_link_call"),
            models.Index(fields=["created_at"], name="awaited_link_age"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_call_id}: {self.action}"


class ProviderAccount(BusinessOwned):
    """What a provider's messages to a business are signed with."""

    provider = models.CharField(max_length=12, choices=[*Provider.choices, *ToolProvider.choices])
    secret = EncryptedTextField(
        help_text="Twilio: auth token. Vobiz: auth token. Vapi: server secret. Retell: API key. "
        "ElevenLabs, Bland: the bearer token of its tools. "
        "KaiVox engine: any secret that both sides know."
    )
    is_active = models.BooleanField(default=True)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["business", "provider"],
                name="provider_account_once",
                violation_error_message="This business has an account of this provider already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} of {self.business}"


class UsedNonce(models.Model):
    """A nonce of a provider that signs no bodies, and the body that came with it. Stored as long
    as the account, whose secret makes the nonce valid for ever."""

    account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.CASCADE,
        related_name="nonces",
        db_index=False,  # used_nonce_once begins with it
    )
    nonce = models.CharField(max_length=64, help_text="SHA-256, in hex.")
    body = models.CharField(max_length=64, help_text="SHA-256, in hex.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "nonce"], name="used_nonce_once"),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.nonce[:8]}"


class ProviderMessage(BusinessOwned):
    """One message of a provider as it was received, stored for 30 days so that it can be replayed.

    Encrypted: it holds what transcripts are masked for.
    """

    class State(models.TextChoices):
        READ = "read"
        IGNORED = "ignored", "Ignored (says nothing about a call)"
        UNREADABLE = "unreadable"

    provider = models.CharField(max_length=12, choices=Provider)
    content_type = models.CharField(max_length=100, blank=True)
    body = EncryptedTextField(help_text="Compressed, in base 64.")
    state = models.CharField(max_length=10, choices=State)
    error = models.TextField(blank=True)
    call = models.ForeignKey(
        Call, on_delete=models.CASCADE, null=True, blank=True, related_name="messages"
    )
    replayed_at = models.DateTimeField(null=True, blank=True)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        db_table = "calls_message"
        verbose_name = "voice message"
        indexes = [
            models.Index(fields=["business", "created_at", "id"], name="message_created"),
            models.Index(fields=["created_at"], name="message_age"),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()}, {self.created_at:%Y-%m-%d %H:%M:%S} UTC"


class ToolCallQuerySet(BusinessQuerySet):
    def of_calls(self, provider_call_ids: Collection[str]) -> Self:
        """Those made during the phone calls with these ids of their provider."""
        return self.filter(provider_call_id__in=[one for one in provider_call_ids if one])


class ToolCall(BusinessOwned):
    """One call of a tool by an AI agent (`kaivox.agents`).

    Linked to its phone call by the provider's call id alone: tools are called while the call lasts,
    often before any message about it has arrived.
    """

    source = models.CharField(max_length=12, help_text="mcp, or the voice provider.")
    provider_call_id = models.CharField(max_length=200, blank=True)
    tool_call_id = models.CharField(max_length=200, blank=True)
    tool = models.CharField(max_length=40)
    # JSON as text: an erasure searches it on both databases.
    arguments = models.TextField()
    status = models.CharField(max_length=40)
    result = models.TextField()
    duration_ms = models.PositiveIntegerField()
    customer = models.ForeignKey(
        Customer, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = ToolCallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["business", "provider_call_id", "created_at"], name="tool_call_of_call"
            ),
            models.Index(fields=["business", "created_at", "id"], name="tool_call_created"),
            models.Index(fields=["created_at"], name="tool_call_age"),
        ]

    def __str__(self) -> str:
        return f"{self.tool}, {self.created_at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def said(self) -> str:
        """The sentence that the agent read aloud; empty once it is erased."""
        try:
            result = json.loads(self.result)
        except ValueError:  # cut off: it was very long
            return ""
        return str(result.get("say", "")) if isinstance(result, dict) else ""
