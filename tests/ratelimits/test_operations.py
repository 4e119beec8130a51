"""Daily totals, letters, and quotas agreed with a business."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from kaivox.businesses.models import AuditEntry
from kaivox.errors import Invalid, NotFound
from ratelimits import stores, tasks
from ratelimits.models import DailyUsage, QuotaOverride
from ratelimits.operations import (
    agree_quota,
    end_agreed_quota,
    prune_usage,
    warn_businesses,
    write_down_usage,
)
from ratelimits.stores import current_window, of_business
from ratelimits.window import Quota
from tests.factories import make_business, make_key
from tests.ratelimits.conftest import NOON

AT = datetime.fromtimestamp(NOON / 1_000_000, UTC)


@pytest.fixture
def starter(db):
    return make_business(plan="starter", contact_email="owner@example.com")


def use(business, times):
    for _ in range(times):
        current_window().take(of_business(business.pk), Quota(3, 100))


class TestWriteDownUsage:
    def test_keeps_a_row_a_day(self, starter, other_business):
        use(starter, 5)
        now = timezone.now()
        changed = write_down_usage(now=now)
        row = DailyUsage.objects.get()

        assert changed == 1
        assert (row.business, row.day) == (starter, now.date())
        assert (row.admitted, row.refused, row.peak_minute) == (3, 2, 3)

    def test_writes_nothing_where_nobody_called(self, starter):
        assert write_down_usage(now=timezone.now()) == 0

    def test_is_a_task_with_redis_alone(self, starter, settings):
        use(starter, 5)
        tasks.write_down_usage()
        tasks.prune_usage()

        assert DailyUsage.objects.exists() == bool(settings.REDIS_URL)

    def test_again_changes_nothing(self, starter):
        use(starter, 5)
        write_down_usage(now=timezone.now())

        assert write_down_usage(now=timezone.now()) == 0

    def test_totals_never_shrink(self, starter, window):
        DailyUsage.objects.create(business=starter, day=AT.date(), admitted=900, refused=1)
        for _ in range(5):
            window.take(of_business(starter.pk), Quota(3, 100))
        write_down_usage(now=AT, window=window)
        row = DailyUsage.objects.get()

        assert (row.admitted, row.refused) == (900, 2)

    def test_drops_from_the_store_days_that_are_over(self, starter, window):
        window.take(of_business(starter.pk), Quota(3, 100))
        write_down_usage(now=AT + timedelta(days=2), window=window)
        written = DailyUsage.objects.get()

        assert (written.day, written.admitted) == (AT.date(), 1)
        kept = window.usage([of_business(starter.pk)])[of_business(starter.pk)]
        assert kept == [] or type(window).__name__ == "MemoryWindow"


class TestPruneUsage:
    def test_keeps_thirteen_months(self, starter):
        for days in (0, 390, 410):
            DailyUsage.objects.create(business=starter, day=AT.date() - timedelta(days=days))

        assert prune_usage(now=AT) == 1


class TestWarnBusinesses:
    def warn(self, starter, admitted):
        DailyUsage.objects.update_or_create(
            business=starter, day=AT.date(), defaults={"admitted": admitted}
        )
        return warn_businesses(now=AT)

    def test_writes_at_80_and_at_100_percent_once_each(self, starter, mailoutbox):
        sent = [self.warn(starter, used) for used in (3999, 4000, 4500, 5000, 5000)]

        assert sent == [0, 1, 0, 1, 0]
        assert [letter.to for letter in mailoutbox] == [["owner@example.com"]] * 2
        assert "80 %" in mailoutbox[0].subject
        assert "4000 of the 5000 API requests" in mailoutbox[0].body
        assert "100 %" in mailoutbox[1].subject

    def test_writes_to_nobody_without_an_address(self, starter, mailoutbox):
        starter.contact_email = ""
        starter.save()

        assert self.warn(starter, 5000) == 0

    def test_writes_again_where_the_letter_did_not_go(self, starter, settings, mailoutbox):
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
        return agree_quota(
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
        end_agreed_quota(business_id=starter.pk, now=AT)
        end_agreed_quota(business_id=starter.pk, now=AT)

        actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
        assert actions == ["quota.agreed", "quota.ended"]

    @pytest.mark.parametrize(
        ("field", "value"), (("per_minute", 0), ("per_day", 0), ("ends_at", AT))
    )
    def test_refuses_what_makes_no_sense(self, starter, field, value):
        with pytest.raises(Invalid) as refusal:
            self.agree(starter.pk, **{field: value})

        assert field in refusal.value.errors

    def test_refuses_an_unknown_business(self, db):
        with pytest.raises(NotFound):
            self.agree(10**6)


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="with Redis a task writes them")
class TestEmbeddedTotals:
    def test_are_written_after_an_answer_and_read_at_the_next_start(
        self, starter, client_of, settings, monkeypatch
    ):
        settings.USAGE_WRITTEN_EVERY_SECONDS = 0
        client = client_of(make_key(starter))
        client.get("/api/v1/appointments")
        monkeypatch.setattr(stores, "_window", None)  # as in a process that begins
        usage = client.get("/api/v1/business").json()["data"]["usage"]

        assert DailyUsage.objects.get().day == timezone.now().date()
        assert (usage["day"]["used"], usage["minute"]["used"]) == (1, 0)
