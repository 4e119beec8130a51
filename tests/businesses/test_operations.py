"""Operations on businesses, memberships and API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from kaivox.businesses import operations
from kaivox.businesses.auth import key_format
from kaivox.businesses.auth.scopes import ALL_SCOPES
from kaivox.businesses.members import end_membership, set_membership
from kaivox.businesses.models import ApiKey, AuditEntry, Business, Membership
from kaivox.businesses.operations import (
    KeyAlreadyExpired,
    KeyAlreadyRevoked,
    SandboxExists,
    change_api_key,
    change_business,
    change_plan,
    create_business,
    create_sandbox,
    issue_api_key,
    record_key_use,
    reopen_business,
    revoke_api_key,
    rotate_api_key,
    suspend_business,
)
from kaivox.errors import Invalid, NotFound
from kaivox.registry import Registry
from tests.factories import make_key, make_user

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VALUES = {
    "name": "Studio Nine",
    "slug": "studio",
    "timezone": "America/New_York",
    "country": "US",
    "currency": "USD",
}


def actions():
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


@pytest.mark.django_db
class TestCreateBusiness:
    def test_makes_the_owner_a_member(self):
        owner = make_user()
        business = create_business(owner=owner, actor=owner, now=NOW, **VALUES)

        assert business.plan == "starter"
        assert Membership.objects.get().role == "owner"
        assert actions() == ["business.created"]

    @pytest.mark.parametrize(
        ("field", "value"),
        (
            ("name", "\u200b"),
            ("name", "a\x07b"),
            ("timezone", "Mars/Olympus"),
            ("country", "us"),
            ("currency", "US"),
            ("plan", "gold"),
            ("horizon_days", 0),
            ("cors_origins", ["book.example.com"]),
            ("cors_origins", ["https://book.example.com/page"]),
            ("cors_origins", "https://book.example.com"),
        ),
    )
    def test_rejects_invalid_values(self, field, value):
        with pytest.raises(Invalid) as error:
            create_business(now=NOW, **{**VALUES, field: value})

        assert list(error.value.errors) == [field]
        assert not Business.objects.exists()


class TestChangeBusiness:
    def test_writes_down_what_changed(self, business):
        person = make_user(business)
        change_business(business_id=business.pk, name="New", country="IN", actor=person, now=NOW)
        entry = AuditEntry.objects.get()

        assert entry.changes == {"name": ["Smile Dental", "New"]}
        assert (entry.actor_name, entry.at) == (person.username, NOW)

    def test_changes_settings_alone(self, business):
        with pytest.raises(TypeError):
            change_business(business_id=business.pk, plan="pro", now=NOW)

    def test_leaves_no_row_where_nothing_changed(self, business):
        change_business(business_id=business.pk, name=business.name, now=NOW)
        change_plan(business_id=business.pk, plan=business.plan, now=NOW)

        assert actions() == []

    def test_rejects_an_unknown_business(self, db):
        with pytest.raises(NotFound):
            change_plan(business_id=10**6, plan="pro", now=NOW)


class TestSuspendBusiness:
    def test_and_reopen_each_once(self, business):
        for _ in range(2):
            suspend_business(business_id=business.pk, now=NOW)
        suspended = Business.objects.get(pk=business.pk)
        for _ in range(2):
            opened = reopen_business(business_id=business.pk, now=NOW)

        assert suspended.suspended_at == NOW
        assert not opened.is_suspended
        assert actions() == ["business.suspended", "business.reopened"]


class TestCreateSandbox:
    @pytest.fixture
    def empty(self, monkeypatch):
        """Sandboxes without the data of the demo, which takes half a second of CPU."""
        monkeypatch.setattr(operations, "sandbox_seeders", Registry("no demo data"))

    def test_makes_a_twin_with_the_same_people(self, business, empty):
        person = make_user(business)
        sandbox = create_sandbox(business_id=business.pk, now=NOW)

        assert (sandbox.slug, sandbox.livemode) == ("smile-sandbox", False)
        assert (sandbox.timezone, sandbox.plan) == (business.timezone, business.plan)
        assert sandbox.memberships.get().user == person

    def test_only_once_and_not_of_a_sandbox(self, business, empty):
        sandbox = create_sandbox(business_id=business.pk, now=NOW)

        with pytest.raises(SandboxExists):
            create_sandbox(business_id=business.pk, now=NOW)
        with pytest.raises(Invalid):
            create_sandbox(business_id=sandbox.pk, now=NOW)

    def test_issues_test_keys(self, business, empty):
        sandbox = create_sandbox(business_id=business.pk, now=NOW)

        assert issue_api_key(business_id=sandbox.pk, name="T", now=NOW).secret.startswith(
            "kv_test_"
        )

    def test_has_demo_data_that_leaks_neither_way(self, business, client_of):
        sandbox = create_sandbox(business_id=business.pk, now=timezone.now())
        live, test = client_of(make_key(business)), client_of(make_key(sandbox))
        for path in ("appointments", "customers", "calls", "staff", "services"):
            assert live.get(f"/api/v1/{path}").json()["meta"]["total"] == 0
            rows = test.get(f"/api/v1/{path}").json()["data"]
            assert rows
            assert live.get(f"/api/v1/{path}/{rows[0]['id']}").status_code == 404


class TestIssueApiKey:
    @pytest.mark.parametrize("name", ("\u200b", "a\x07b", "a\nb", "\u3164"))
    def test_rejects_a_name_that_cannot_be_shown(self, business, name):
        with pytest.raises(Invalid) as raised:
            issue_api_key(business_id=business.pk, name=name, now=NOW)
        assert list(raised.value.errors) == ["name"]

    def test_stores_the_digest_and_not_the_secret(self, business):
        person = make_user(business)
        issued = issue_api_key(business_id=business.pk, name=" EMR ", actor=person, now=NOW)
        row = ApiKey.objects.values().get()

        assert key_format.is_well_formed(issued.secret)
        assert row["digest"] == key_format.digest_of(issued.secret)
        assert (row["prefix"], row["last_four"]) == (issued.secret[:16], issued.secret[-4:])
        assert issued.secret not in str(row)
        assert (row["name"], row["issued_by_id"]) == ("EMR", person.pk)
        assert row["scopes"] == list(ALL_SCOPES)

    def test_draws_again_where_a_prefix_is_taken(self, business, monkeypatch):
        used = issue_api_key(business_id=business.pk, name="First", now=NOW).secret
        free = key_format.make_key(livemode=True)
        drawn = iter([used, free])
        monkeypatch.setattr(key_format, "make_key", lambda livemode: next(drawn))

        assert issue_api_key(business_id=business.pk, name="Second", now=NOW).secret == free

    def test_leaves_a_row_of_audit_without_the_secret(self, business):
        issued = issue_api_key(business_id=business.pk, name="EMR", now=NOW)
        entry = AuditEntry.objects.values().get()

        assert entry["action"] == "api_key.issued"
        assert issued.secret not in str(entry)

    @pytest.mark.parametrize(
        ("field", "value"),
        (
            ("name", "  "),
            ("name", "x" * 121),
            ("scopes", ["appointments:delete"]),
            ("scopes", []),
            ("allowed_cidrs", ["203.0.113.1/24"]),
            ("allowed_cidrs", ["everywhere"]),
            ("expires_at", NOW),
        ),
    )
    def test_rejects_invalid_values(self, business, field, value):
        with pytest.raises(Invalid) as error:
            issue_api_key(**{"business_id": business.pk, "name": "K", "now": NOW, field: value})

        assert list(error.value.errors) == [field]
        assert not ApiKey.objects.exists()


class TestRotateApiKey:
    @pytest.fixture
    def key(self, business):
        issued = issue_api_key(
            business_id=business.pk,
            name="EMR",
            scopes=["calls:read"],
            allowed_cidrs=["10.0.0.0/8"],
            query_allowed=False,
            now=NOW,
        )
        return issued.key

    def test_makes_another_with_the_same_settings(self, key):
        new = rotate_api_key(key_id=key.pk, grace=timedelta(hours=2), now=NOW).key
        key.refresh_from_db()

        assert (new.name, new.scopes, new.allowed_cidrs) == ("EMR", ["calls:read"], ["10.0.0.0/8"])
        assert not new.query_allowed
        assert key.revoked_at == NOW + timedelta(hours=2)
        assert actions()[-1] == "api_key.rotated"

    def test_rejects_a_rotated_key(self, key):
        rotate_api_key(key_id=key.pk, now=NOW)

        with pytest.raises(KeyAlreadyRevoked):
            rotate_api_key(key_id=key.pk, now=NOW)

    def test_rejects_an_expired_key(self, key):
        """The new one would have its expiry, and be expired from the beginning."""
        ApiKey.objects.update(expires_at=NOW)

        with pytest.raises(KeyAlreadyExpired):
            rotate_api_key(key_id=key.pk, now=NOW)
        assert ApiKey.objects.count() == 1

    @pytest.mark.parametrize("grace", (timedelta(days=8), timedelta(seconds=-1)))
    def test_rejects_a_grace_outside_0_to_7_days(self, key, grace):
        with pytest.raises(Invalid):
            rotate_api_key(key_id=key.pk, grace=grace, now=NOW)

    def test_a_key_in_its_grace_can_be_revoked_at_once(self, key):
        rotate_api_key(key_id=key.pk, now=NOW)
        revoked = revoke_api_key(key_id=key.pk, now=NOW)

        assert revoked.revoked_at == NOW


class TestRevokeApiKey:
    def test_twice_is_once(self, business):
        key = issue_api_key(business_id=business.pk, name="K", now=NOW).key
        for minutes in range(2):
            revoked = revoke_api_key(key_id=key.pk, now=NOW + timedelta(minutes=minutes))

        assert revoked.revoked_at == NOW
        assert actions() == ["api_key.issued", "api_key.revoked"]

    def test_rejects_an_unknown_key(self, db):
        with pytest.raises(NotFound):
            revoke_api_key(key_id=10**6, now=NOW)


class TestChangeApiKey:
    @pytest.fixture
    def key(self, business):
        return issue_api_key(business_id=business.pk, name="K", now=NOW).key

    def test_writes_down_before_and_after(self, key):
        change_api_key(key_id=key.pk, scopes=["calls:read"], query_allowed=False, now=NOW)
        changes = AuditEntry.objects.get(action="api_key.changed").changes

        assert changes["scopes"] == [list(ALL_SCOPES), ["calls:read"]]
        assert changes["query_allowed"] == [True, False]

    def test_leaves_no_row_where_nothing_changed(self, key):
        change_api_key(key_id=key.pk, name=key.name, now=NOW)

        assert actions() == ["api_key.issued"]

    def test_rejects_unknown_scopes(self, key):
        with pytest.raises(Invalid):
            change_api_key(key_id=key.pk, scopes=["all"], now=NOW)

    def test_rejects_a_revoked_key(self, key):
        revoke_api_key(key_id=key.pk, now=NOW)

        with pytest.raises(KeyAlreadyRevoked):
            change_api_key(key_id=key.pk, name="New", now=NOW)

    def test_an_expired_key_can_be_renamed(self, key):
        change_api_key(key_id=key.pk, expires_at=NOW + timedelta(days=1), now=NOW)
        later = NOW + timedelta(days=2)

        assert change_api_key(key_id=key.pk, name="Old", now=later).name == "Old"


class TestNoteUse:
    def test_writes_at_most_once_a_minute(self, business):
        key = issue_api_key(business_id=business.pk, name="K", now=NOW).key
        written = [
            record_key_use(key=key, address="203.0.113.9", now=NOW + timedelta(seconds=seconds))
            for seconds in (0, 30, 59, 60, 61)
        ]
        key.refresh_from_db()

        assert written == [True, False, False, True, False]
        assert (key.last_used_at, key.last_used_address) == (
            NOW + timedelta(seconds=60),
            "203.0.113.9",
        )


class TestMemberships:
    def test_set_change_and_end(self, business):
        person = make_user()
        for role in ("staff", "owner"):
            membership = set_membership(business_id=business.pk, user=person, role=role, now=NOW)
        for _ in range(2):
            end_membership(membership_id=membership.pk, now=NOW)

        assert not Membership.objects.exists()
        assert actions() == ["membership.set", "membership.set", "membership.ended"]

    def test_rejects_an_unknown_role(self, business):
        with pytest.raises(Invalid):
            set_membership(business_id=business.pk, user=make_user(), role="king", now=NOW)


class TestAudit:
    def test_is_written_once(self, business):
        suspend_business(business_id=business.pk, now=NOW)
        entry = AuditEntry.objects.get()

        for forbidden in (
            entry.save,
            entry.delete,
            AuditEntry.objects.all().delete,
            lambda: AuditEntry.objects.update(action="nothing"),
        ):
            with pytest.raises(TypeError):
                forbidden()

    def test_outlives_its_business(self, business):
        suspend_business(business_id=business.pk, now=NOW)
        business.delete()

        assert AuditEntry.objects.count() == 1
