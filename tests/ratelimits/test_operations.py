"""Daily totals, quota warnings and quota overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from kaivox.businesses.models import AuditEntry
from kaivox.errors import Invalid, NotFound
from ratelimits import backends, tasks
from ratelimits.backends import current_limiter, of_business
from ratelimits.limiter import Quota
from ratelimits.models import DailyUsage, QuotaOverride
from ratelimits.operations import (
    clear_quota_override,
    flush_usage,
    prune_usage,
    send_quota_warnings,
    set_quota_override,
)
from tests.factories import make_business, make_key
from tests.ratelimits.conftest import NOON

AT = datetime.fromtimestamp(NOON / 1_000_000, UTC)


@pytest.fixture
def starter(db):
    return make_business(plan="starter", contact_email="owner@example.com")


def use(business, times):
    for _ in range(times):
        current_limiter().take(of_business(business.pk), Quota(3, 100))


class TestFlushUsage:
    def test_stores_a_row_per_day(self, starter, other_business):
        use(starter, 5)
        now = timezone.now()
        changed = flush_usage(now=now)
        row = DailyUsage.objects.get()

        assert changed == 1
        assert (row.business, row.day) == (starter, now.date())
        assert (row.admitted, row.refused, row.peak_minute) == (3, 2, 3)

    def test_stores_nothing_without_requests(self, starter):
        assert flush_usage(now=timezone.now()) == 0

    def test_is_a_task_only_with_redis(self, starter, settings):
        use(starter, 5)
        tasks.flush_usage()
        tasks.prune_usage()

        assert DailyUsage.objects.exists() == bool(settings.REDIS_URL)

    def test_is_idempotent(self, starter):
        use(starter, 5)
        flush_usage(now=timezone.now())

        assert flush_usage(now=timezone.now()) == 0

    def test_totals_never_shrink(self, starter, limiter):
        DailyUsage.objects.create(business=starter, day=AT.date(), admitted=900, refused=1)
        for _ in range(5):
            limiter.take(of_business(starter.pk), Quota(3, 100))
        flush_usage(now=AT, limiter=limiter)
        row = DailyUsage.objects.get()

        assert (row.admitted, row.refused) == (900, 2)

    def test_discards_past_days_from_the_limiter(self, starter, limiter):
        limiter.take(of_business(starter.pk), Quota(3, 100))
        flush_usage(now=AT + timedelta(days=2), limiter=limiter)
        stored = DailyUsage.objects.get()

        assert (stored.day, stored.admitted) == (AT.date(), 1)
        remaining = limiter.usage([of_business(starter.pk)])[of_business(starter.pk)]
        assert remaining == [] or type(limiter).__name__ == "MemoryLimiter"


class TestPruneUsage:
    def test_keeps_thirteen_months(self, starter):
        for days in (0, 390, 410):
            DailyUsage.objects.create(business=starter, day=AT.date() - timedelta(days=days))

        assert prune_usage(now=AT) == 1


class TestSendQuotaWarnings:
    def warn(self, starter, admitted):
        DailyUsage.objects.update_or_create(
            business=starter, day=AT.date(), defaults={"admitted": admitted}
        )
        return send_quota_warnings(now=AT)

    def test_are_sent_at_80_and_100_percent_once_each(self, starter, mailoutbox):
        sent = [self.warn(starter, used) for used in (3999, 4000, 4500, 5000, 5000)]

        assert sent == [0, 1, 0, 1, 0]
        assert [email.to for email in mailoutbox] == [["owner@example.com"]] * 2
        assert "80 %" in mailoutbox[0].subject
        assert "4000 of its 5000 API requests" in mailoutbox[0].body
        assert "100 %" in mailoutbox[1].subject

    def test_are_not_sent_without_an_address(self, starter, mailoutbox):
        starter.contact_email = ""
        starter.save()

        assert self.warn(starter, 5000) == 0

    def test_are_sent_again_after_a_mail_error(self, starter, settings, mailoutbox):
        settings.EMAIL_BACKEND = "tests.ratelimits.test_operations.BrokenBackend"
        failed = self.warn(starter, 4000)
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

        assert (failed, self.warn(starter, 4000)) == (0, 1)


class BrokenBackend:
    def __init__(self, **options):
        pass

    def send_messages(self, messages):
        raise ConnectionRefusedError


class TestAgreeQuota:
    def agree(self, business_id, **values):
        return set_quota_override(
            **{
                "business_id": business_id,
                "per_minute": 50,
                "per_day": 9000,
                "ends_at": AT + timedelta(days=7),
                "reason": "launch",
                "now": AT,
                **values,
            }
        )

    def test_replaces_the_one_before(self, starter):
        self.agree(starter.pk)
        self.agree(starter.pk, per_minute=60)

        assert QuotaOverride.objects.get().per_minute == 60

    def test_leaves_a_row_of_audit(self, starter):
        self.agree(starter.pk)
        clear_quota_override(business_id=starter.pk, now=AT)
        clear_quota_override(business_id=starter.pk, now=AT)

        actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
        assert actions == ["quota.agreed", "quota.ended"]

    @pytest.mark.parametrize(
        ("field", "value"), (("per_minute", 0), ("per_day", 0), ("ends_at", AT))
    )
    def test_rejects_invalid_values(self, starter, field, value):
        with pytest.raises(Invalid) as error:
            self.agree(starter.pk, **{field: value})

        assert field in error.value.errors

    def test_rejects_an_unknown_business(self, db):
        with pytest.raises(NotFound):
            self.agree(10**6)


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="with Redis a task stores them")
class TestEmbeddedTotals:
    def test_are_stored_after_a_response_and_read_at_the_next_start(
        self, starter, client_of, settings
    ):
        settings.USAGE_FLUSH_SECONDS = 0
        client = client_of(make_key(starter))
        client.get("/api/v1/appointments")
        backends.reset_limiter()  # as in a new process
        usage = client.get("/api/v1/business").json()["data"]["usage"]

        assert DailyUsage.objects.get().day == timezone.now().date()
        assert (usage["day"]["used"], usage["minute"]["used"]) == (1, 0)
