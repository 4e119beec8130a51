"""The admin's pages of quotas: who uses how much, and quotas agreed with one business."""

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

from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import EVERYONE, SUPERUSERS, person
from ratelimits import operations
from ratelimits.charts import Bar, bar_chart
from ratelimits.models import BusinessUsage, DailyUsage
from ratelimits.stores import current_window, date_of, number_of, of_business
from ratelimits.throttling import quota_of
from ratelimits.window import DayUsage

CHART_DAYS: Final = 30


class AgreeForm(forms.Form):
    per_minute = forms.IntegerField(min_value=1, max_value=10_000, label="Requests a minute")
    per_day = forms.IntegerField(min_value=1, max_value=100_000_000, label="Requests a day")
    ends_at = forms.SplitDateTimeField(widget=AdminSplitDateTime, label="Until (UTC)")
    reason = forms.CharField(max_length=200, required=False)


def _agree(request: HttpRequest, business: BusinessUsage, values: dict[str, Any]) -> str:
    override = operations.agree_quota(
        business_id=business.pk, actor=person(request), now=timezone.now(), **values
    )
    return f"{business} has {override} until {override.ends_at:%Y-%m-%d %H:%M} UTC."


def _end(request: HttpRequest, business: BusinessUsage, values: dict[str, Any]) -> str:
    operations.end_agreed_quota(business_id=business.pk, actor=person(request), now=timezone.now())
    return f"{business} has its plan's quota again."


@admin.register(BusinessUsage)
class BusinessUsageAdmin(ActsAdmin):
    """Read only, but for the two acts."""

    view_roles = EVERYONE
    add_roles = change_roles = delete_roles = frozenset()
    business_path = "pk"
    list_display = ("name", "plan", "quota", "today", "day_share", "peak_minute", "refused")
    list_filter = ("plan",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = ("name", "plan", "quota", "minute_now", "day_now", "chart")
    readonly_fields = fields
    acts = (
        Act(
            "agree",
            "Agree another quota",
            "Holds instead of the plan's from the next request on, until the date given.",
            _agree,
            form=AgreeForm,
            roles=SUPERUSERS,
        ),
        Act(
            "end",
            "End the agreed quota",
            "The plan's quota holds again from the next request on.",
            _end,
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
                today_refused=Subquery(today.values("refused")),
                today_peak=Subquery(today.values("peak_minute")),
            )
        )
        return rows

    @admin.display(description="quota")
    def quota(self, business: Any) -> str:
        quota = quota_of(business, timezone.now())
        agreed = getattr(business, "quota_override", None)
        until = ""
        if agreed is not None and agreed.is_in_force(timezone.now()):
            until = f", agreed until {agreed.ends_at:%Y-%m-%d}"
        return f"{quota.per_minute:,} a minute, {quota.per_day:,} a day{until}"

    @admin.display(description="today", ordering=F("today_admitted").desc(nulls_last=True))
    def today(self, business: Any) -> str:
        return f"{business.today_admitted or 0:,}"

    @admin.display(description="of the day")
    def day_share(self, business: Any) -> str:
        share = (business.today_admitted or 0) / (quota_of(business, timezone.now()).per_day or 1)
        return f"{share:.0%}"

    @admin.display(description="peak minute", ordering=F("today_peak").desc(nulls_last=True))
    def peak_minute(self, business: Any) -> str:
        return f"{business.today_peak or 0:,}"

    @admin.display(description="refused", ordering=F("today_refused").desc(nulls_last=True))
    def refused(self, business: Any) -> str:
        return f"{business.today_refused or 0:,}"

    @admin.display(description="this minute")
    def minute_now(self, business: Any) -> str:
        now = self._look(business)
        return f"{now.minute_used:,} used, {now.minute_remaining:,} left"

    @admin.display(description="today")
    def day_now(self, business: Any) -> str:
        now = self._look(business)
        today = _last_days(business, 1)[0]
        return (
            f"{now.day_used:,} used, {now.day_remaining:,} left, {today.refused:,} refused; "
            f"peak {today.peak_minute:,} a minute"
        )

    @admin.display(description="last 30 days")
    def chart(self, business: Any) -> SafeString:
        days = _last_days(business, CHART_DAYS)
        bars = [
            Bar(
                f"{date_of(day.day):%-d %b}",
                day.admitted,
                day.refused,
                f"{date_of(day.day):%-d %B}: {day.admitted:,} requests, {day.refused:,} refused, "
                f"peak {day.peak_minute:,} a minute",
            )
            for day in days
        ]
        total = sum(day.admitted for day in days)
        title = f"Requests a day, {total:,} in {CHART_DAYS} days; refused ones in red"
        chart = bar_chart(bars, title=title, line_at=quota_of(business, timezone.now()).per_day)
        return format_html("{}<p>{}.</p>", chart, title)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Quotas today", **(extra_context or {})})

    def _look(self, business: Any) -> Any:
        quota = quota_of(business, timezone.now())
        return current_window().take(of_business(business.pk), quota, cost=0)


def _last_days(business: Any, count: int) -> list[DayUsage]:
    """The last days, today the last of them: written down, or fresher in this process's store."""
    now = timezone.now()
    first = number_of(now.date()) - count + 1
    days = {day: DayUsage(day, 0, 0, 0) for day in range(first, first + count)}
    for row in DailyUsage.objects.filter(business=business.pk, day__gte=date_of(first)):
        day = number_of(row.day)
        days[day] = DayUsage(day, row.admitted, row.refused, row.peak_minute)
    subject = of_business(business.pk)
    for fresh in current_window().usage([subject])[subject]:
        if fresh.day in days and fresh.admitted >= days[fresh.day].admitted:
            days[fresh.day] = fresh
    return [days[day] for day in sorted(days)]
