"""The admin's pages of calls, of the messages that told of them and of provider accounts."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from calls import inbox, privacy
from calls.charts import charts_of
from calls.models import Call, Message, ProviderAccount
from customers.admin import CustomerAdmin
from kaivox.api.fields import parse_id
from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import (
    OWNERS,
    WRITERS,
    BusinessOwnedAdmin,
    OneBusinessForm,
    roles_of,
)
from kaivox.businesses.models import Business
from webhooks.models import Delivery

NOBODY: frozenset[str] = frozenset()
Values = dict[str, Any]


@admin.register(Call)
class CallAdmin(BusinessOwnedAdmin):
    """Read only: calls are what the providers told."""

    add_roles = change_roles = delete_roles = NOBODY
    list_display = ("when", "who", "direction", "status", "length", "sentiment", "outcome")
    list_select_related = ("business", "customer")
    list_filter = ("business", "status", "sentiment", "outcome", "direction", "provider")
    search_fields = ("words",)
    search_help_text = "A phone number, or words of the conversation."
    ordering = ("-pk",)  # as they came in; over all businesses only the key has an index
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("when", "who", "booking", "status", "outcome", "length")}),
        ("What was said", {"fields": ("conversation", "summary", "mood", "recording")}),
        ("Told to", {"fields": ("deliveries",)}),
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
            found = queryset.filter(from_number__endswith=digits.lstrip("0"))
            return found | queryset.filter(to_number__endswith=digits.lstrip("0")), False
        return queryset.mentioning(search_term), False  # type: ignore[attr-defined]

    def charts_view(self, request: HttpRequest) -> HttpResponse:
        businesses = Business.objects.order_by("name", "pk")
        if not request.user.is_superuser:
            businesses = businesses.filter(pk__in=roles_of(request))
        chosen = parse_id(request.GET.get("business", ""))
        shown = list(businesses[:500])
        business = next((one for one in shown if one.pk == chosen), shown[0] if shown else None)
        context = {
            **self.admin_site.each_context(request),
            "title": "Calls in figures",
            "opts": self.opts,
            "businesses": shown,
            "business": business,
            "charts": charts_of(business, now=timezone.now()) if business else None,
        }
        return TemplateResponse(request, "admin/calls/charts.html", context)

    @admin.display(description="when", ordering="started_at")
    def when(self, call: Call) -> str:
        return f"{call.started_at.astimezone(call.business.zone):%a %d %b %Y, %H:%M}"

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
            return "none"
        url = reverse("admin:appointments_appointment_change", args=[call.appointment_id])
        return format_html('<a href="{}">Appointment {}</a>', url, call.appointment_id)

    @admin.display(description="sentiment")
    def mood(self, call: Call) -> str:
        if not call.sentiment:
            return "not known"
        by = "its provider" if call.sentiment_source == "provider" else call.sentiment_source
        score = "" if call.sentiment_score is None else f" ({call.sentiment_score:+.2f})"
        return f"{call.sentiment}{score}, says {by}"

    @admin.display(description="recording")
    def recording(self, call: Call) -> str | SafeString:
        if not call.recording_url:
            return "none"
        return format_html('<a href="{0}" rel="noreferrer">{0}</a>', call.recording_url)

    @admin.display(description="conversation")
    def conversation(self, call: Call) -> str | SafeString:
        if not call.transcript:
            return "No transcript."
        turns = format_html_join(
            "",
            '<li class="kx-turn kx-turn-{}"><time>{}</time><span>{}</span><p>{}</p></li>',
            (
                (one["speaker"], _clock(one["offset_seconds"]), one["speaker"], one["text"])
                for one in call.transcript
            ),
        )
        return format_html('<ol class="kx-conversation">{}</ol>', turns)

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
        return format_html("<ul>{}</ul>", lines) if lines else "Nobody subscribes to calls."

    @admin.display(description="messages")
    def source(self, call: Call) -> str | SafeString:
        url = reverse("admin:calls_message_changelist")
        return format_html(
            '<a href="{}?call__id__exact={}">What its provider sent</a>', url, call.pk
        )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


# --- Messages ------------------------------------------------------------------------------------


def _replay(request: HttpRequest, message: Message, values: Values) -> str:
    replayed = inbox.replay(message=message, now=timezone.now())
    if replayed.state == Message.State.UNREADABLE:
        return f"It still cannot be read: {replayed.error}"
    return "It is read. A call that was here already stays as it was."


@admin.register(Message)
class MessageAdmin(ActsAdmin):
    add_roles = change_roles = delete_roles = NOBODY
    list_display = ("created_at", "provider", "state", "about", "error", "business")
    list_select_related = ("business", "call__business")
    list_filter = ("business", "state", "provider")
    ordering = ("-pk",)
    show_full_result_count = False
    # Not the body: it holds what transcripts are masked for.
    fields = ("business", "provider", "created_at", "state", "error", "about", "replayed_at")
    actions = ("replay_selected",)
    acts = (
        Act(
            "replay",
            "Replay",
            "Reads the message again with the code of today, as if it came in now.",
            _replay,
            roles=WRITERS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        rows: QuerySet[Message] = super().get_queryset(request)
        return rows.defer("body")

    @admin.display(description="call")
    def about(self, message: Message) -> str | SafeString:
        if message.call is None:
            return "–"
        url = reverse("admin:calls_call_change", args=[message.call.pk])
        return format_html('<a href="{}">{}</a>', url, message.call)

    @admin.action(description="Replay")
    def replay_selected(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        may = rows if request.user.is_superuser else rows.filter(business__in=_writable(request))
        for message in may.defer(None)[:1000]:
            said = _replay(request, message, {})
            level = messages.WARNING if message.error else messages.SUCCESS
            self.message_user(request, f"{message}: {said}", level)


def _writable(request: HttpRequest) -> list[int]:
    return [business for business, role in roles_of(request).items() if role in WRITERS]


# --- Accounts ------------------------------------------------------------------------------------


class AccountForm(OneBusinessForm):
    secret = forms.CharField(
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=ProviderAccount._meta.get_field("secret").help_text
        + " Encrypted, and never shown again; leave it empty to keep the one that is there.",
    )

    def clean_secret(self) -> str:
        given: str = self.cleaned_data["secret"]
        if not given and not self.instance.pk:
            raise forms.ValidationError("Give the secret that the provider signs with.")
        return given or self.instance.secret


@admin.register(ProviderAccount)
class ProviderAccountAdmin(BusinessOwnedAdmin):
    form = AccountForm
    view_roles = add_roles = change_roles = delete_roles = OWNERS
    list_display = ("provider", "business", "is_active", "address")
    list_select_related = ("business",)
    list_filter = ("business", "provider", "is_active")
    ordering = ("business__name", "provider")
    fields = ("business", "provider", "secret", "is_active", "address")
    readonly_fields = ("address",)

    @admin.display(description="address for the provider")
    def address(self, account: ProviderAccount) -> str:
        if account._state.adding:
            return "Save first."
        return f"{settings.PUBLIC_URL}/voice/{account.provider}/{account.business.slug}"


# --- Acts on customers that need to see calls ----------------------------------------------------


def _erase(request: HttpRequest, customer: Any, values: Values) -> str:
    privacy.erase_customer(business=customer.business, customer_id=customer.pk, now=timezone.now())
    return "Name, phone, e-mail, notes and transcripts are gone; the counts stay."


def _export(request: HttpRequest, customer: Any, values: Values) -> HttpResponse:
    found = privacy.export_customer(business=customer.business, customer_id=customer.pk)
    body = json.dumps(found, ensure_ascii=False, indent=2)
    name = f'attachment; filename="customer-{customer.pk}.json"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return HttpResponse(body, content_type="application/json", headers=headers)


class ErasingForm(forms.Form):
    sure = forms.BooleanField(label="I know that this cannot be undone.")


CustomerAdmin.acts += (
    Act(
        "export",
        "Export",
        "All that is kept about this person, as a JSON file.",
        _export,
    ),
    Act(
        "erase",
        "Erase",
        "Takes name, phone, e-mail, notes and transcripts of this person out of everything that is "
        "kept, the webhook log included. Appointments, calls and their figures stay.",
        _erase,
        form=ErasingForm,
        is_offered=lambda customer: not customer.is_erased,
    ),
)
