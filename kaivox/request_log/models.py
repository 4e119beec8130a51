"""API requests of the last days, by business."""

from __future__ import annotations

from typing import Final, Self

from django.db import models
from django.db.models import Q

from kaivox.businesses.models import ApiKey, Business, BusinessQuerySet

MAX_PATH: Final = 300
MAX_QUERY: Final = 1_000


class RequestLogQuerySet(BusinessQuerySet):
    def errors(self) -> Self:
        """Requests that got a 4xx or 5xx response."""
        return self.filter(status__gte=400)

    def with_status(self, status: str) -> Self:
        """Those with a status such as `404`, of a class such as `4` (4xx), or `error`; all for ``."""
        if status == "error":
            return self.errors()
        if not (status.isascii() and status.isdigit()) or len(status) > 3:
            return self
        scale = 10 ** (3 - len(status))
        first = int(status) * scale
        return self.filter(status__gte=first, status__lt=first + scale)


class RequestLogEntry(models.Model):
    """One request and its response. Written in batches by `kaivox.request_log.recording`.

    The references are not enforced: a business that is deleted while its entries are queued must not
    make the whole batch fail.
    """

    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField("time")
    # Null: a person in a browser, whose login is in `user_name`.
    key = models.ForeignKey(
        ApiKey,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name="API key",
    )
    user_name = models.CharField("login", max_length=150, blank=True)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=MAX_PATH)
    # The path with `{id}` in the place of ids, by which errors are grouped.
    path_template = models.CharField(max_length=MAX_PATH)
    query = models.CharField(max_length=MAX_QUERY, blank=True)
    status = models.PositiveSmallIntegerField()
    error_code = models.CharField(max_length=60, blank=True)
    duration_ms = models.PositiveIntegerField("duration in ms")
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField("request id", max_length=128)
    # Masked, and only of writes that failed.
    request_body = models.TextField(blank=True)
    response_body = models.TextField(blank=True)

    objects = RequestLogQuerySet.as_manager()

    class Meta:
        verbose_name = "logged request"
        verbose_name_plural = "logged requests"
        indexes = [
            models.Index(fields=["business", "id"], name="request_log_newest"),
            models.Index(fields=["business", "request_id"], name="request_log_request_id"),
            models.Index(
                fields=["business", "id"], name="request_log_errors", condition=Q(status__gte=400)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"

    @property
    def is_error(self) -> bool:
        return self.status >= 400
