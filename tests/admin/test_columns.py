"""Columns of the admin's lists: statuses as badges, times in the zone of the business."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from kaivox.admin.base import BusinessOwnedAdmin
from kaivox.admin.columns import Tone, badge, local_time
from kaivox.businesses.models import ApiKey, AuditEntry
from staff.models import TimeOff
from tests import factories

pytestmark = pytest.mark.once_in_production

ADMINS = {
    model: page
    for model, page in admin.site._registry.items()
    if isinstance(page, BusinessOwnedAdmin) and model is not AuditEntry  # it has no status
}


def browser(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestLists:
    @pytest.mark.parametrize("page", ADMINS.values(), ids=lambda page: page.opts.label)
    def test_begin_with_a_badge_that_does_not_link(self, page, rf, db):
        request = rf.get("/admin/")
        request.user = factories.make_user(is_superuser=True)
        columns = page.get_list_display(request)
        assert columns[0] in page.badge_columns
        assert list(page.get_list_display_links(request, columns)) == [columns[1]]

    def test_show_times_in_the_zone_of_each_business(self, db):
        for zone in ("Asia/Kolkata", "Europe/London"):
            business = factories.make_business(timezone=zone)
            factories.make_key(business)
        moment = datetime(2026, 1, 15, 12, 0, 7, tzinfo=UTC)
        ApiKey.objects.update(last_used_at=moment)
        user = factories.make_user(is_superuser=True)
        page = browser(user).get(reverse("admin:businesses_apikey_changelist")).content.decode()
        assert "Thu 15 Jan 2026, 17:30:07 IST" in page
        assert "Thu 15 Jan 2026, 12:00:07 GMT" in page
        assert '<span class="kx-badge kx-tone-good">Active</span>' in page


class TestForms:
    def test_show_and_read_times_in_the_zone_of_the_business(self, db):
        business = factories.make_business(timezone="Asia/Kolkata")
        staff = factories.make_staff(business, hours=())
        away = TimeOff.objects.create(
            business=business,
            staff=staff,
            start_time=datetime(2027, 1, 15, 3, 30, tzinfo=UTC),
            end_time=datetime(2027, 1, 15, 8, 30, tzinfo=UTC),
        )
        client = browser(factories.make_user(business))
        url = reverse("admin:staff_staffmember_change", args=[staff.pk])
        page = client.get(url)
        assert "Times are in Asia/Kolkata." in page.content.decode()
        form = {
            name: value
            for formset in (inline.formset for inline in page.context["inline_admin_formsets"])
            for name, value in management_data(formset).items()
        }
        form |= {
            "name": staff.name,
            "is_active": "on",
            "time_off-0-id": away.pk,
            "time_off-0-staff": staff.pk,
            "time_off-0-start_time_0": "2027-01-15",
            "time_off-0-start_time_1": "09:00:00",
            "time_off-0-end_time_0": "2027-01-15",
            "time_off-0-end_time_1": "15:00:00",
        }
        assert 'value="09:00:00"' in page.content.decode()
        assert client.post(url, form).status_code == 302
        away.refresh_from_db()
        assert away.end_time == datetime(2027, 1, 15, 9, 30, tzinfo=UTC)


def management_data(formset) -> dict[str, object]:
    form = formset.management_form
    return {form.add_prefix(name): value for name, value in form.initial.items()}


def test_a_badge_escapes_its_text():
    assert badge("<b>", Tone.BAD) == '<span class="kx-badge kx-tone-bad">&lt;b&gt;</span>'


@pytest.mark.parametrize(
    ("moment", "shown"),
    (
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), "Wed 1 Jul 2026, 13:00 BST"),
        (datetime(2026, 1, 1, 23, 0, 30, tzinfo=UTC), "Thu 1 Jan 2026, 23:00:30 GMT"),
        (None, "–"),
    ),
)
def test_a_local_time_has_its_zone(moment, shown):
    assert local_time(moment, ZoneInfo("Europe/London")) == shown
