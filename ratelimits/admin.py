"""Admin of quotas: usage per business, and quota overrides."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kaivox.admin.base import EVERYONE, SUPERUSERS, person
from kaivox.admin.charts import Bar, bar_chart
from kaivox.admin.columns import Tone, badge, local_time
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from ratelimits import operations
from ratelimits.backends import current_limiter, date_of, number_of, of_business
from ratelimits.limiter import DayUsage
from ratelimits.models import BusinessUsage, DailyUsage
from ratelimits.throttling import quota_of

CHART_DAYS: Final = 30
NEAR_LIMIT: Final = 0.8


class QuotaOverrideForm(forms.Form):
    per_minute = forms.IntegerField(min_value=1, max_value=10_000, label="Requests per minute")
    per_day = forms.IntegerField(min_value=1, max_value=100_000_000, label="Requests per day")
    ends_at = forms.SplitDateTimeField(widget=AdminSplitDateTime, label="Until")
    reason = forms.CharField(max_length=200, required=False)


def _override_quota(request: HttpRequest, business: BusinessUsage, values: dict[str, Any]) -> str:
    override = operations.set_quota_override(
        business_id=business.pk, actor=person(request), now=timezone.now(), **values
    )
    return f"{business} has {override} until {local_time(override.ends_at, business.zone)}."


def _clear_override(request: HttpRequest, business: BusinessUsage, values: dict[str, Any]) -> str:
    operations.clear_quota_override(
        business_id=business.pk, actor=person(request), now=timezone.now()
    )
    return f"The plan's quota applies to {business} again."


@admin.register(BusinessUsage)
class BusinessUsageAdmin(ObjectActionsAdmin):
    """Read only, except for the two object actions."""

    view_roles = EVERYONE
    add_roles = change_roles = delete_roles = frozenset()
    business_path = "pk"
    list_display = (
        "state",
        "name",
        "plan",
        "quota",
        "today",
        "day_share",
        "peak_minute",
        "rejected",
    )
    list_filter = ("plan",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = ("name", "plan", "quota", "minute_now", "day_now", "chart")
    readonly_fields = fields
    object_actions = (
        ObjectAction(
            "agree",
            "Override quota",
            "Applies instead of the plan's quota from the next request until the end date.",
            _override_quota,
            form=QuotaOverrideForm,
            roles=SUPERUSERS,
        ),
        ObjectAction(
            "end",
            "End the override",
            "The plan's quota applies again from the next request on.",
            _clear_override,
            is_offered=lambda business: hasattr(business, "quota_override"),
            roles=SUPERUSERS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        today = DailyUsage.objects.filter(business=OuterRef("pk"), day=timezone.now().date())
        rows: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .select_related("quota_override")
            .annotate(
                today_admitted=Subquery(today.values("admitted")),
                today_rejected=Subquery(today.values("refused")),
                today_peak=Subquery(today.values("peak_minute")),
            )
        )
        return rows

    @admin.display(description="status", ordering=F("today_rejected").desc(nulls_last=True))
    def state(self, business: Any) -> SafeString:
        if business.today_rejected:
            return badge("Requests rejected", Tone.BAD)
        if _day_share(business) >= NEAR_LIMIT:
            return badge("Near the limit", Tone.WARNING)
        return badge("Within quota", Tone.GOOD)

    @admin.display(description="quota")
    def quota(self, business: Any) -> str:
        quota = quota_of(business, timezone.now())
        override = getattr(business, "quota_override", None)
        until = ""
        if override is not None and override.is_in_force(timezone.now()):
            until = f", overridden until {override.ends_at:%Y-%m-%d}"
        return f"{quota.per_minute:,} per minute, {quota.per_day:,} per day{until}"

    @admin.display(description="today", ordering=F("today_admitted").desc(nulls_last=True))
    def today(self, business: Any) -> str:
        return f"{business.today_admitted or 0:,}"

    @admin.display(description="of the day")
    def day_share(self, business: Any) -> str:
        return f"{_day_share(business):.0%}"

    @admin.display(description="peak minute", ordering=F("today_peak").desc(nulls_last=True))
    def peak_minute(self, business: Any) -> str:
        return f"{business.today_peak or 0:,}"

    @admin.display(description="rejected", ordering=F("today_rejected").desc(nulls_last=True))
    def rejected(self, business: Any) -> str:
        return f"{business.today_rejected or 0:,}"

    @admin.display(description="this minute")
    def minute_now(self, business: Any) -> str:
        current = self._peek(business)
        return f"{current.minute_used:,} used, {current.minute_remaining:,} left"

    @admin.display(description="today")
    def day_now(self, business: Any) -> str:
        current = self._peek(business)
        today = _last_days(business, 1)[0]
        return (
            f"{current.day_used:,} used, {current.day_remaining:,} left, {today.refused:,} rejected; "
            f"peak {today.peak_minute:,} per minute"
        )

    @admin.display(description="last 30 days")
    def chart(self, business: Any) -> SafeString:
        days = _last_days(business, CHART_DAYS)
        bars = [
            Bar(
                f"{date_of(day.day):%-d %b}",
                day.admitted,
                day.refused,
                f"{date_of(day.day):%-d %B}: {day.admitted:,} requests, {day.refused:,} rejected, "
                f"peak {day.peak_minute:,} per minute",
            )
            for day in days
        ]
        total = sum(day.admitted for day in days)
        title = f"Requests per day, {total:,} in {CHART_DAYS} days; rejected ones in red"
        chart = bar_chart(bars, title=title, line_at=quota_of(business, timezone.now()).per_day)
        return format_html("{}<p>{}.</p>", chart, title)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Quotas today", **(extra_context or {})})

    def _peek(self, business: Any) -> Any:
        quota = quota_of(business, timezone.now())
        return current_limiter().take(of_business(business.pk), quota, cost=0)


def _day_share(business: Any) -> float:
    """Share of today's quota that is used, 0 to 1."""
    admitted: int = business.today_admitted or 0
    return admitted / (quota_of(business, timezone.now()).per_day or 1)


def _last_days(business: Any, count: int) -> list[DayUsage]:
    """The last `count` days, oldest first: stored totals, or newer ones from the limiter."""
    now = timezone.now()
    first = number_of(now.date()) - count + 1
    days = {day: DayUsage(day, 0, 0, 0) for day in range(first, first + count)}
    for row in DailyUsage.objects.filter(business=business.pk, day__gte=date_of(first)):
        day = number_of(row.day)
        days[day] = DayUsage(day, row.admitted, row.refused, row.peak_minute)
    subject = of_business(business.pk)
    for newer in current_limiter().usage([subject])[subject]:
        if newer.day in days and newer.admitted >= days[newer.day].admitted:
            days[newer.day] = newer
    return [days[day] for day in sorted(days)]
