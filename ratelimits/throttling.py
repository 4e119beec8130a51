"""The plans' quotas, and REST framework's door to them.

The quota is the business's, shared by all its keys. Limits travel with every call, so a change of
plan holds from the next request on. Throttles run before permissions (`kaivox.api.views`): a 403
costs like any other answer of a valid key.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from kaivox.businesses.marks import Mark, mark_of, name_of, rows_name_of
from kaivox.businesses.models import ApiKey, Business, Plan
from ratelimits.stores import GuardedWindow, current_window, of_business
from ratelimits.window import Decision, Quota

if TYPE_CHECKING:  # REST framework imports this module while it builds its views
    from rest_framework.views import APIView


class QuotaUsedUp(Throttled):
    """429, with the sentence that says which quota."""

    default_code = "rate_limit_exceeded"

    def __init__(self, decision: Decision) -> None:
        super().__init__(wait=decision.retry_after)
        quota, wait = decision.quota, f"{decision.retry_after:,}"
        used_up = (
            f"All {quota.per_minute:,} requests of a minute are used"
            if decision.day_remaining
            else f"All {quota.per_day:,} requests of today (UTC) are used"
        )
        self.detail = ErrorDetail(f"{used_up}. Try again in {wait} seconds.", self.default_code)


class PlanThrottle(BaseThrottle):
    """Applies to callers of businesses on `plan`; a plan's subclass says its quota. Raises
    QuotaUsedUp itself, where REST framework would only know how long to wait."""

    plan: ClassVar[Plan]
    per_minute: ClassVar[int]
    per_day: ClassVar[int]

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if getattr(caller, "business", None) is None or caller.business.plan != self.plan:
            return True
        decision = _charged(request)
        if decision is None:
            cost = _cost(caller, request, view)
            decision = current_window().take(*self._account_of(caller.business), cost)
        request._request.quota = decision  # type: ignore[attr-defined]
        if not decision.admitted and not settings.RATE_LIMIT_SHADOW:
            raise QuotaUsedUp(decision)
        return True

    def charge_if_unchanged(
        self, request: Request, view: APIView, key: ApiKey, seen: Mark
    ) -> Mark | None:
        """Charges the call while the key's mark is read, before the throttles' turn; nothing where
        the mark is another than `seen`. The mark, or None where this throttle has no part in it.
        Raises StoreAway."""
        window = current_window()
        if key.business.plan != self.plan or not isinstance(window, GuardedWindow):
            return None
        if _charged(request) is not None:
            return None
        taken = window.take_if(
            *self._account_of(key.business),
            _cost(key, request, view),
            name=name_of(key.business_id),
            value=seen.value,
            also=rows_name_of(key.business_id),
        )
        if taken.decision is not None:
            request._request.quota = taken.decision  # type: ignore[attr-defined]
            request._request.marks = (seen, taken.also)  # type: ignore[attr-defined]
        return mark_of(taken.found, key.business_id)

    def _account_of(self, business: Business) -> tuple[str, Quota]:
        quota = quota_in_force(business, Quota(self.per_minute, self.per_day), timezone.now())
        return of_business(business.pk), quota


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
    """The quota of `business` at `now`: its plan's, or the one agreed with it."""
    return quota_in_force(business, QUOTAS[business.plan], now)


def quota_in_force(business: Business, plan_quota: Quota, now: datetime) -> Quota:
    override: Any = getattr(business, "quota_override", None)
    if override is None or not override.is_in_force(now):
        return plan_quota
    return Quota(override.per_minute, override.per_day)


def _charged(request: Request) -> Decision | None:
    """What was decided of this request already: at the door, or in front of Django."""
    decision: Decision | None = getattr(request._request, "quota", None)
    return decision or request.META.get("kaivox.charged")


def _cost(caller: Any, request: Request, view: APIView) -> int:
    if not isinstance(caller, ApiKey):
        return 0  # a person in a browser does not use up the business's quota
    if request.method in ("GET", "HEAD") and not getattr(view, "charged", True):
        return 0
    return 1
