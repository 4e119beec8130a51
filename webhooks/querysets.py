"""Query sets of endpoints and deliveries: what may be sent, what failed, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from django.db.models import Case, Exists, OuterRef, Q, Value, When

from kaivox.businesses.models import ApiKey, BusinessQuerySet
from webhooks.choices import AttemptTrigger, DeliveryStatus


def unless_delivered(status: DeliveryStatus) -> Case:
    """`status`, or SUCCEEDED for a delivery that has succeeded before: what another attempt of it comes to
    does not change that."""
    succeeded = When(delivered_at__isnull=False, then=Value(DeliveryStatus.SUCCEEDED))
    return Case(succeeded, default=Value(status))


class EndpointQuerySet(BusinessQuerySet):
    def not_deleted(self) -> Self:
        """Endpoints that are not deleted; deleted ones keep their row while their log is stored."""
        return self.filter(deleted_at__isnull=True)

    def sendable(self, now: datetime) -> Self:
        """Endpoints that may be sent to at `now`: active, of an active business, and created by a
        key that is valid, where a key created them. Open breakers are not considered here: see
        `DeliveryQuerySet.passing_breaker`."""
        return self.filter(
            Q(created_by_key__isnull=True) | Q(created_by_key__in=ApiKey.objects.live(now)),
            is_active=True,
            business__suspended_at__isnull=True,
        )


class DeliveryQuerySet(BusinessQuerySet):
    def due(self, now: datetime) -> Self:
        return self.filter(status=DeliveryStatus.PENDING, next_attempt_at__lte=now)

    def unfinished(self) -> Self:
        """Deliveries that wait for an attempt or are in flight."""
        return self.filter(status__in=(DeliveryStatus.PENDING, DeliveryStatus.IN_FLIGHT))

    def of_types(self, names: Sequence[str]) -> Self:
        """Deliveries of events of these types, without test events."""
        return self.filter(event__type__in=names, event__is_test=False)

    def failing(self) -> Self:
        """Deliveries that failed: those without a retry left, and those that wait for one."""
        retried = Q(status=DeliveryStatus.PENDING, failure_count__gt=0)
        return self.filter(Q(status=DeliveryStatus.EXHAUSTED) | retried)

    def passing_breaker(self, now: datetime) -> Self:
        """Deliveries that no open breaker delays at `now`; manual and test attempts pass it."""
        return self.filter(
            Q(trigger__in=(AttemptTrigger.MANUAL, AttemptTrigger.TEST))
            | Q(endpoint__breaker_until__isnull=True)
            | Q(endpoint__breaker_until__lte=now)
        )

    def in_turn(self) -> Self:
        """Deliveries that wait for no earlier event of their object; manual and test attempts pass."""
        earlier = self.model._base_manager.filter(
            ~Q(object_key=""),
            endpoint=OuterRef("endpoint"),
            object_key=OuterRef("object_key"),
            event__lt=OuterRef("event"),
            status__in=(DeliveryStatus.PENDING, DeliveryStatus.IN_FLIGHT),
        )
        return self.filter(
            Q(object_key="")
            | Q(trigger__in=(AttemptTrigger.MANUAL, AttemptTrigger.TEST))
            | ~Exists(earlier)
        )

    def lost(self, now: datetime) -> Self:
        """Deliveries whose lease has expired without a result."""
        return self.filter(status=DeliveryStatus.IN_FLIGHT, lease_until__lte=now)
