"""ModelAdmins of calls, provider messages and provider accounts."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from calls import ingestion
from calls.models import Call, CallStatus, ProviderAccount, ProviderMessage, ToolCall, ToolProvider
from calls.statistics import Charts, charts_of
from calls.tool_calls import tool_calls_of
from kaivox.admin.base import OWNERS, WRITERS, BusinessOwnedAdmin, TenantModelForm, person, roles_of
from kaivox.admin.charts import bar_chart
from kaivox.admin.columns import EMPTY, Tone, active_column, local_time, status_column
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from kaivox.api.values import parse_id
from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business
from kaivox.db.encrypted_fields import UndecryptableValue
from kaivox.errors import DomainError
from webhooks.models import Delivery

NO_ROLE: frozenset[str] = frozenset()
Values = dict[str, Any]

_TONES: Final = {
    CallStatus.IN_PROGRESS: Tone.INFO,
    CallStatus.COMPLETED: Tone.GOOD,
    CallStatus.MISSED: Tone.WARNING,
    CallStatus.FAILED: Tone.BAD,
}
_MESSAGE_TONES: Final = {
    ProviderMessage.State.READ: Tone.GOOD,
    ProviderMessage.State.IGNORED: Tone.QUIET,
    ProviderMessage.State.UNREADABLE: Tone.BAD,
}


@admin.register(Call)
class CallAdmin(BusinessOwnedAdmin):
    """Read only: calls are what the providers reported."""

    add_roles = change_roles = delete_roles = NO_ROLE
    list_display = ("state", "when", "who", "direction", "length", "sentiment", "outcome")
    list_select_related = ("business", "customer")
    list_filter = ("business", "status", "sentiment", "outcome", "direction", "provider")
    search_fields = ("words",)
    search_help_text = "A phone number, or words of the conversation."
    ordering = ("-pk",)  # as they came in; over all businesses only the key has an index
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("state", "when", "who", "booking", "outcome", "length")}),
        ("What was said", {"fields": ("conversation", "summary", "mood", "recording")}),
        ("Sent to", {"fields": ("deliveries",)}),
        (
            "Facts",
            {
                "fields": (
                    "business",
                    "direction",
                    "from_number",
                    "to_number",
                    "end_reason",
                    "provider",
                    "provider_call_id",
                    "source",
                ),
            },
        ),
    )

    class Media:
        css = {"all": ("calls/calls.css",)}

    def get_urls(self) -> list[URLPattern]:
        page = path("charts/", self.admin_site.admin_view(self.charts_view), name="calls_charts")
        return [page, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        rows: QuerySet[Call] = super().get_queryset(request)
        match = request.resolver_match
        in_list = match is not None and match.url_name == "calls_call_changelist"
        return rows.defer("transcript", "words", "summary") if in_list else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        digits = "".join(character for character in search_term if character.isdigit())
        if len(digits) >= 5 and not any(character.isalpha() for character in search_term):
            number = digits.lstrip("0") or digits
            either = Q(from_number__endswith=number) | Q(to_number__endswith=number)
            return queryset.filter(either), False
        return queryset.mentioning(search_term), False  # type: ignore[attr-defined]

    def charts_view(self, request: HttpRequest) -> HttpResponse:
        businesses = Business.objects.order_by("name", "pk")
        if not request.user.is_superuser:
            businesses = businesses.filter(pk__in=roles_of(request))
        chosen = parse_id(request.GET.get("business", ""))
        shown = list(businesses[:500])
        business = next((one for one in shown if one.pk == chosen), shown[0] if shown else None)
        charts = charts_of(business, now=timezone.now()) if business else None
        context = {
            **self.admin_site.each_context(request),
            "title": "Calls in figures",
            "opts": self.opts,
            "businesses": shown,
            "business": business,
            "charts": charts,
            "figures": _figures(charts) if charts else [],
        }
        return TemplateResponse(request, "calls/charts.html", context)

    state = status_column("status", _TONES)

    @admin.display(description="when", ordering="started_at")
    def when(self, call: Call) -> str:
        return local_time(call.started_at, call.business.zone)

    @admin.display(description="who")
    def who(self, call: Call) -> str | SafeString:
        number = call.caller_number or "withheld"
        if call.customer is None:
            return number
        url = reverse("admin:customers_customer_change", args=[call.customer.pk])
        return format_html('<a href="{}">{}</a> {}', url, call.customer.name, number)

    @admin.display(description="length", ordering="duration_seconds")
    def length(self, call: Call) -> str:
        return f"{call.duration_seconds // 60}:{call.duration_seconds % 60:02d}"

    @admin.display(description="appointment")
    def booking(self, call: Call) -> str | SafeString:
        if call.appointment_id is None:
            return EMPTY
        url = reverse("admin:appointments_appointment_change", args=[call.appointment_id])
        return format_html('<a href="{}">Appointment {}</a>', url, call.appointment_id)

    @admin.display(description="sentiment")
    def mood(self, call: Call) -> str:
        if not call.sentiment:
            return "Not known"
        by = "its provider" if call.sentiment_source == "provider" else call.sentiment_source
        score = "" if call.sentiment_score is None else f" ({call.sentiment_score:+.2f})"
        return f"{call.get_sentiment_display()}{score}, says {by}"

    @admin.display(description="recording")
    def recording(self, call: Call) -> str | SafeString:
        if not call.recording_url:
            return EMPTY
        return format_html('<a href="{0}" rel="noreferrer">{0}</a>', call.recording_url)

    @admin.display(description="conversation")
    def conversation(self, call: Call) -> str | SafeString:
        turns = [(one["offset_seconds"], _turn(one)) for one in call.transcript]
        for row in tool_calls_of(call):
            offset = max(0.0, (row.created_at - call.started_at).total_seconds())
            turns.append((offset, _tool_call(row, offset)))
        if not turns:
            return "No transcript."
        shown = format_html_join(
            "", "{}", ((html,) for _, html in sorted(turns, key=itemgetter(0)))
        )
        return format_html('<ol class="kx-conversation">{}</ol>', shown)

    @admin.display(description="deliveries")
    def deliveries(self, call: Call) -> str | SafeString:
        rows = (
            Delivery.objects.for_business(call.business_id)
            .filter(event__type__startswith="call.", event__object_id=call.pk)
            .select_related("event", "endpoint")
            .order_by("pk")[:50]
        )
        lines = format_html_join(
            "",
            '<li><a href="{}">{}</a> to {}: {}</li>',
            (
                (
                    reverse("admin:webhooks_delivery_change", args=[row.pk]),
                    row.event.type,
                    row.endpoint.url,
                    row.get_status_display(),
                )
                for row in rows
            ),
        )
        return format_html("<ul>{}</ul>", lines) if lines else "No endpoint subscribes to calls."

    @admin.display(description="messages")
    def source(self, call: Call) -> str | SafeString:
        url = reverse("admin:calls_providermessage_changelist")
        return format_html(
            '<a href="{}?call__id__exact={}">What its provider sent</a>', url, call.pk
        )


def _figures(charts: Charts) -> list[dict[str, Any]]:
    """Title, note and drawing of each chart of the page."""
    moods = "Distance of the mean score of each day from zero; negative days in the second colour."
    shown = (
        ("Calls per day", "Missed calls in the second colour.", charts.days),
        ("Caller sentiment", moods, charts.moods),
        ("Busiest hours", "Calls by the hour in which they started.", charts.hours),
    )
    return [
        {"title": title, "note": note, "chart": bar_chart(bars, title=f"{title}. {note}")}
        for title, note, bars in shown
    ]


def _turn(one: Values) -> SafeString:
    return format_html(
        '<li class="kx-turn kx-turn-{0}"><time>{1}</time><span>{0}</span><p>{2}</p></li>',
        one["speaker"],
        _clock(one["offset_seconds"]),
        one["text"],
    )


def _tool_call(row: ToolCall, offset: float) -> SafeString:
    """A tool call with its arguments and its result."""
    return format_html(
        '<li class="kx-turn kx-turn-tool"><time>{}</time><span>{}: {}, {} ms</span>'
        "<details><summary>{}</summary><p>{}</p><p>{}</p></details></li>",
        _clock(offset),
        row.tool,
        row.status,
        row.duration_ms,
        row.said or "Asked and answered",
        row.arguments,
        row.result,
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


# --- Messages ------------------------------------------------------------------------------------


def _replay(request: HttpRequest, message: ProviderMessage, values: Values) -> str:
    replayed = ingestion.replay(message=message, now=timezone.now())
    if replayed.state == ProviderMessage.State.UNREADABLE:
        return f"It still cannot be read: {replayed.error}"
    return "It is read. A call that was here already stays as it was."


@admin.register(ProviderMessage)
class ProviderMessageAdmin(ObjectActionsAdmin):
    add_roles = change_roles = delete_roles = NO_ROLE
    badge_columns = ("reading",)
    list_display = ("reading", "created_at", "provider", "about", "error", "business")
    list_select_related = ("business", "call__business")
    list_filter = ("business", "state", "provider")
    ordering = ("-pk",)
    show_full_result_count = False
    # Not the body: it holds what transcripts are masked for.
    fields = ("reading", "business", "provider", "created_at", "error", "about", "replayed_at")
    actions = ("replay_selected",)
    object_actions = (
        ObjectAction(
            "replay",
            "Replay",
            "Reads the message again with the current code, as if it were received now.",
            _replay,
            roles=WRITERS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderMessage]:
        rows: QuerySet[ProviderMessage] = super().get_queryset(request)
        return rows.defer("body")

    reading = status_column("state", _MESSAGE_TONES)

    @admin.display(description="call")
    def about(self, message: ProviderMessage) -> str | SafeString:
        if message.call is None:
            return "–"
        url = reverse("admin:calls_call_change", args=[message.call.pk])
        return format_html('<a href="{}">{}</a>', url, message.call)

    @admin.action(description="Replay")
    def replay_selected(self, request: HttpRequest, rows: QuerySet[ProviderMessage]) -> None:
        may = rows if request.user.is_superuser else rows.filter(business__in=_writable(request))
        for message in may.defer(None)[:1000]:
            try:
                said = _replay(request, message, {})
            except DomainError as error:
                self.message_user(request, f"{message}: {error.message}", messages.ERROR)
                continue
            level = messages.WARNING if message.error else messages.SUCCESS
            self.message_user(request, f"{message}: {said}", level)


def _writable(request: HttpRequest) -> list[int]:
    return [business for business, role in roles_of(request).items() if role in WRITERS]


# --- Accounts ------------------------------------------------------------------------------------


class AccountForm(TenantModelForm):
    secret = forms.CharField(
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=ProviderAccount._meta.get_field("secret").help_text
        + " Encrypted, and never shown again; leave it empty to keep the one that is there.",
    )

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if not secret and not self.instance.pk:
            raise forms.ValidationError("Enter the secret that the provider signs with.")
        if not secret and isinstance(self.instance.secret, UndecryptableValue):
            raise forms.ValidationError(
                "The stored secret can no longer be decrypted: enter it again."
            )
        return secret or self.instance.secret


@admin.register(ProviderAccount)
class ProviderAccountAdmin(BusinessOwnedAdmin):
    form = AccountForm
    view_roles = add_roles = change_roles = delete_roles = OWNERS
    list_display = ("state", "provider", "business", "address")
    list_select_related = ("business",)
    list_filter = ("business", "provider", "is_active")
    ordering = ("business__name", "provider")
    fields = ("business", "provider", "secret", "is_active", "address")
    readonly_fields = ("address",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Names of fields alone: one of them is the secret.
        changed = {"fields": form.changed_data} if change else {"provider": obj.provider}
        _audit_account(request, obj, "changed" if change else "added", changed)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        _audit_account(request, obj, "deleted", {})
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for account in self.changeable(request, queryset):
            self.delete_model(request, account)

    state = active_column

    @admin.display(description="address for the provider")
    def address(self, account: ProviderAccount) -> str:
        if account._state.adding:
            return "Save first."
        tools = "/tools" if account.provider in ToolProvider.values else ""
        return f"{settings.PUBLIC_URL}/voice/{account.provider}/{account.business.slug}{tools}"


def _audit_account(
    request: HttpRequest, account: ProviderAccount, what: str, changes: Values
) -> None:
    record_audit(
        business=account.business,
        actor=person(request),
        action=f"provider_account.{what}",
        subject=account.get_provider_display(),
        about=account,
        changes=changes,
        now=timezone.now(),
    )
