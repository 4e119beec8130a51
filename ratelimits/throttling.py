"""Quotas of the plans as REST framework throttles: the only code that charges a request.

The quota is the business's, shared by all its keys. Limits are passed with every request, so a change
of plan applies from the next one on. Throttles run before permissions (`kaivox.api.views`): a 403
costs like any other response to a valid key.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from kaivox.api.concurrency import RETRY_AFTER_SECONDS, TooManyConcurrentRequests, in_progress
from kaivox.api.request_context import context_of
from kaivox.businesses.models import ApiKey, Business, Plan
from kaivox.metrics import QUOTA_REJECTIONS
from ratelimits.backends import current_limiter, of_business
from ratelimits.limiter import Quota, RateLimitDecision

if TYPE_CHECKING:  # REST framework imports this module while it builds its views
    from rest_framework.views import APIView


class QuotaExceeded(Throttled):
    """429 with a message that names the exhausted window."""

    default_code = "rate_limit_exceeded"

    def __init__(self, decision: RateLimitDecision) -> None:
        super().__init__(wait=decision.retry_after)
        quota, wait = decision.quota, f"{decision.retry_after:,}"
        used_up = (
            f"All {quota.per_minute:,} requests of a minute are used"
            if decision.day_remaining
            else f"All {quota.per_day:,} requests of today (UTC) are used"
        )
        self.detail = ErrorDetail(f"{used_up}. Try again in {wait} seconds.", self.default_code)


class PlanThrottle(BaseThrottle):
    """Applies to callers of businesses on `plan`; subclasses set the quota. Raises QuotaExceeded
    itself, because REST framework would only know the wait; and TooManyConcurrentRequests."""

    plan: ClassVar[Plan]
    per_minute: ClassVar[int]
    per_day: ClassVar[int]

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if getattr(caller, "business", None) is None or caller.business.plan != self.plan:
            return True
        plan_quota = Quota(self.per_minute, self.per_day)
        quota = quota_in_force(caller.business, plan_quota, timezone.now())
        context, business_id = context_of(request), caller.business.pk
        is_full = in_progress.is_full(business_id) and not settings.RATE_LIMIT_SHADOW
        # Rejected requests cost nothing; reading the quota is for the headers.
        cost = 0 if is_full else _cost(caller, request, view)
        decision = current_limiter().take(of_business(business_id), quota, cost)
        context.quota = decision
        if is_full:
            raise TooManyConcurrentRequests(retry_after=RETRY_AFTER_SECONDS)
        if not decision.admitted and not settings.RATE_LIMIT_SHADOW:
            QUOTA_REJECTIONS.labels(self.plan).inc()
            raise QuotaExceeded(decision)
        context.end_progress = in_progress.begin(business_id)
        return True


class StarterThrottle(PlanThrottle):
    plan = Plan.STARTER
    per_minute = 30
    per_day = 5_000


class ProThrottle(PlanThrottle):
    plan = Plan.PRO
    per_minute = 100
    per_day = 20_000


class EnterpriseThrottle(PlanThrottle):
    plan = Plan.ENTERPRISE
    per_minute = 500
    per_day = 100_000


QUOTAS: dict[str, Quota] = {
    throttle.plan: Quota(throttle.per_minute, throttle.per_day)
    for throttle in (StarterThrottle, ProThrottle, EnterpriseThrottle)
}


def quota_of(business: Business, now: datetime) -> Quota:
    """The quota of `business` at `now`: an override in force, or its plan's."""
    return quota_in_force(business, QUOTAS[business.plan], now)


def quota_in_force(business: Business, plan_quota: Quota, now: datetime) -> Quota:
    override: Any = getattr(business, "quota_override", None)
    if override is None or not override.is_in_force(now):
        return plan_quota
    return Quota(override.per_minute, override.per_day)


def _cost(caller: Any, request: Request, view: APIView) -> int:
    if not isinstance(caller, ApiKey):
        return 0  # a session does not use up the business's quota
    if request.method in ("GET", "HEAD") and not getattr(view, "charged", True):
        return 0
    return 1
