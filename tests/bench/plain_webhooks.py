"""A plain webhook sender as a baseline: one Celery task per delivery, `requests.post`, and a row per
attempt. Signed and logged like ours, without claims, leases, fairness and SSRF protection.

`celery -A tests.bench.plain_webhooks worker` serves it.
"""

from __future__ import annotations

import os
import time
from typing import Any

import django
import requests
from django.utils import timezone

from kaivox.celery import app

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
django.setup()

from webhooks.models import Attempt, Delivery  # noqa: E402 - after the setup
from webhooks.signing import signature_headers  # noqa: E402


@app.task(name="bench.deliver", queue="plain")  # type: ignore[untyped-decorator]
def deliver(delivery_id: int) -> Any:
    delivery = Delivery.objects.select_related("event", "endpoint").get(pk=delivery_id)
    body, now = bytes(delivery.event.body), timezone.now()
    headers = {
        "Content-Type": "application/json",
        "X-KaiVox-Event": delivery.event.type,
        **signature_headers(
            body,
            event_id=delivery.event.uid,
            timestamp=int(now.timestamp()),
            secrets=[delivery.endpoint.secret],
        ),
    }
    started = time.monotonic()
    response = requests.post(delivery.endpoint.url, data=body, headers=headers, timeout=15)
    Attempt.objects.create(
        business_id=delivery.business_id,
        endpoint_id=delivery.endpoint_id,
        delivery=delivery,
        number=1,
        trigger="auto",
        url=delivery.endpoint.url,
        request_headers=headers,
        started_at=now,
        finished_at=timezone.now(),
        outcome="succeeded" if response.ok else "http_error",
        http_status=response.status_code,
        duration_ms=int((time.monotonic() - started) * 1000),
        response_body=response.content[:4096],
    )
    Delivery.objects.filter(pk=delivery_id).update(
        status="succeeded" if response.ok else "exhausted",
        attempt_count=1,
        delivered_at=timezone.now(),
    )
