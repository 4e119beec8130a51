"""Admin of businesses, memberships and API keys, and access to it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from kaivox.businesses import operations
from kaivox.businesses.auth import key_format
from kaivox.businesses.auth.scopes import ALL_SCOPES
from kaivox.businesses.models import ApiKey, AuditEntry, Business
from kaivox.businesses.operations import issue_api_key
from kaivox.registry import Registry
from tests.factories import make_business, make_key, make_user

pytestmark = pytest.mark.once_in_production

KEYS = reverse("admin:businesses_apikey_changelist")
ADD_KEY = reverse("admin:businesses_apikey_add")


def log_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(business):
    return log_in(make_user(business))


@pytest.fixture
def root(db):
    return log_in(make_user(is_superuser=True))


@pytest.fixture
def key(business):
    return issue_api_key(business_id=business.pk, name="EMR", now=timezone.now()).key


def change(row):
    return reverse(f"admin:businesses_{row._meta.model_name}_change", args=[row.pk])


def action_url(row, name, model=None):
    model = model or row._meta.model_name
    return reverse(f"admin:businesses_{model}_act", args=[row.pk, name])


def new_key(business, **values):
    return {"business": business.pk, "name": "POS", "scopes": list(ALL_SCOPES), **values}


class TestIssueKey:
    def test_is_shown_once(self, owner, business):
        response = owner.post(ADD_KEY, new_key(business))
        shown = re.search(r'value="(kv_live_\w+)"', response.content.decode())[1]
        later = owner.get(change(ApiKey.objects.get())).content.decode()

        assert key_format.is_well_formed(shown)
        assert "no-store" in response["Cache-Control"]
        assert 'data-copy="secret"' in response.content.decode()
        assert shown not in later
        assert f"{shown[:16]}…{shown[-4:]}" in later
        assert shown not in owner.get(KEYS).content.decode()

    def test_writes_an_audit_entry_with_the_user(self, owner, business):
        owner.post(ADD_KEY, new_key(business))
        entry = AuditEntry.objects.get()

        assert entry.action == "api_key.issued"
        assert entry.actor_name == ApiKey.objects.get().issued_by.username

    def test_reads_addresses_by_line(self, owner, business):
        owner.post(ADD_KEY, new_key(business, allowed_cidrs="10.0.0.0/8\r\n\r\n192.0.2.7"))

        assert ApiKey.objects.get().allowed_cidrs == ["10.0.0.0/8", "192.0.2.7"]

    def test_shows_the_error_at_the_field_and_the_submitted_values(self, owner, business):
        response = owner.post(ADD_KEY, new_key(business, name="Till", allowed_cidrs="office"))
        page = response.content.decode()

        assert response.status_code == 200
        assert "office is not a CIDR block such as 203.0.113.0/24." in page
        assert 'value="Till"' in page
        assert not ApiKey.objects.exists()

    def test_is_rejected_for_another_business(self, owner, other_business):
        response = owner.post(ADD_KEY, new_key(other_business))

        assert "Select a valid choice" in response.content.decode()
        assert not ApiKey.objects.exists()


class TestChangeKey:
    def test_narrows_it(self, owner, key):
        owner.post(change(key), {"name": "EMR", "scopes": ["calls:read"], "query_allowed": "on"})
        key.refresh_from_db()

        assert key.scopes == ["calls:read"]
        assert AuditEntry.objects.filter(action="api_key.changed").exists()

    def test_rotates_it_and_shows_the_new_one_once(self, owner, key):
        confirmation = owner.get(action_url(key, "rotate"))
        response = owner.post(action_url(key, "rotate"), {"grace": "1"})

        assert "The old key stays active for" in confirmation.content.decode()
        assert re.search(r'value="kv_live_\w+"', response.content.decode())
        assert ApiKey.objects.count() == 2

    def test_revokes_it(self, owner, key):
        response = owner.post(action_url(key, "revoke"), follow=True)
        key.refresh_from_db()

        assert key.is_revoked(timezone.now())
        assert "is revoked" in response.content.decode()
        assert owner.post(action_url(key, "revoke")).status_code == 403

    def test_is_not_deleted(self, owner, root, key):
        for client in (owner, root):
            delete = reverse("admin:businesses_apikey_delete", args=[key.pk])
            assert client.post(delete, {"post": "yes"}).status_code == 403


class TestBusinessPages:
    def test_the_owner_changes_settings_but_neither_plan_nor_suspension(self, owner, business):
        page = owner.get(change(business)).content.decode()

        assert "Change plan" not in page
        assert "Suspend" not in page.replace("Suspended at", "")
        assert owner.post(action_url(business, "plan"), {"plan": "pro"}).status_code == 403
        assert owner.post(action_url(business, "suspend")).status_code == 403

    def test_settings_go_through_the_operation(self, root, business):
        form = {
            **{
                field: getattr(business, field)
                for field in ("name", "timezone", "country", "currency", "horizon_days")
            },
            "slot_interval_minutes": 20,
            "minimum_notice_minutes": 60,
            "cors_origins": "https://book.example.com",
        }
        response = root.post(change(business), form)
        business.refresh_from_db()

        assert response.status_code == 302, response.context["errors"]
        assert business.cors_origins == ["https://book.example.com"]
        changes = AuditEntry.objects.get(action="business.changed").changes
        assert changes["slot_interval_minutes"] == [15, 20]

    def test_shows_an_invalid_origin_at_its_field(self, root, business):
        form = {"name": "x", "timezone": "UTC", "country": "IN", "currency": "INR"}
        form |= {"horizon_days": 9, "slot_interval_minutes": 5, "minimum_notice_minutes": 0}
        response = root.post(change(business), {**form, "cors_origins": "book.example.com"})

        assert "is not an origin such as" in response.content.decode()

    def test_creates_one(self, root):
        form = {
            "name": "New",
            "slug": "new",
            "plan": "pro",
            "livemode": "on",
            "timezone": "Europe/London",
            "country": "GB",
            "currency": "GBP",
            "slot_interval_minutes": 15,
            "minimum_notice_minutes": 0,
            "horizon_days": 60,
        }
        response = root.post(reverse("admin:businesses_business_add"), form)

        assert response.status_code == 302, response.context["errors"]
        assert Business.objects.get().plan == "pro"
        assert AuditEntry.objects.get().action == "business.created"

    def test_changes_plan_suspends_and_reopens(self, root, business):
        root.post(action_url(business, "plan"), {"plan": "pro"})
        root.post(action_url(business, "suspend"))
        business.refresh_from_db()
        suspended = business.is_suspended
        root.post(action_url(business, "reopen"))
        business.refresh_from_db()

        assert (business.plan, suspended, business.is_suspended) == ("pro", True, False)

    def test_creates_one_sandbox_and_rejects_a_second(self, owner, business, monkeypatch):
        monkeypatch.setattr(operations, "sandbox_seeders", Registry("no demo data"))
        owner.post(action_url(business, "sandbox"))
        response = owner.post(action_url(business, "sandbox"))

        assert Business.objects.get(sandbox_of=business).memberships.count() == 1
        assert "already has a sandbox" in response.content.decode()


MODELS = ("business", "apikey", "membership", "auditentry")


class TestAccess:
    @pytest.fixture
    def foreign(self, other_business):
        """A row of each model of another business."""
        person = make_user(other_business)
        issue_api_key(business_id=other_business.pk, name="Theirs", now=timezone.now())
        return {
            "business": other_business,
            "apikey": ApiKey.objects.get(name="Theirs"),
            "membership": person.memberships.get(),
            "auditentry": AuditEntry.objects.get(business=other_business),
        }

    @pytest.mark.parametrize("model", MODELS)
    def test_members_see_no_foreign_rows(self, owner, foreign, model):
        listed = owner.get(reverse(f"admin:businesses_{model}_changelist"))
        row = foreign[model]
        viewed = owner.get(reverse(f"admin:businesses_{model}_change", args=[row.pk]))

        assert listed.status_code == 200
        assert "Stranger" not in listed.content.decode()
        assert viewed.status_code == 302  # as Django does for an unknown id

    @pytest.mark.parametrize("model", MODELS)
    def test_list_filters_show_no_other_business(self, business, foreign, model):
        person = make_user(business)
        make_business(name="Second").memberships.create(user=person)
        page = log_in(person).get(reverse(f"admin:businesses_{model}_changelist"))

        assert "Stranger" not in page.content.decode()

    def test_choices_and_autocomplete_show_no_other_business(self, owner, foreign):
        found = owner.get(
            reverse("admin:autocomplete"),
            {
                "term": "",
                "app_label": "businesses",
                "model_name": "apikey",
                "field_name": "business",
            },
        )

        assert [row["text"] for row in found.json()["results"]] == ["Smile Dental"]
        assert "Stranger" not in owner.get(ADD_KEY).content.decode()

    def test_object_actions_on_foreign_rows_are_not_found(self, owner, foreign):
        response = owner.post(action_url(foreign["apikey"], "revoke"))

        assert response.status_code == 404

    @pytest.mark.parametrize(
        ("role", "allowed"), (("owner", 200), ("developer", 200), ("staff", 403), ("analyst", 403))
    )
    def test_only_owners_and_developers_issue_keys(self, business, role, allowed):
        client = log_in(make_user(business, role=role))

        assert client.get(ADD_KEY).status_code == allowed

    @pytest.mark.parametrize("role", ("staff", "analyst"))
    def test_staff_and_analysts_do_not_see_keys(self, business, key, role):
        client = log_in(make_user(business, role=role))

        assert client.get(reverse("admin:businesses_apikey_changelist")).status_code == 403
        assert client.post(action_url(key, "revoke")).status_code == 404
        key.refresh_from_db()
        assert key.revoked_at is None

    def test_the_audit_is_read_only_for_all(self, root, business, key):
        entry = AuditEntry.objects.get()
        add = reverse("admin:businesses_auditentry_add")
        delete = reverse("admin:businesses_auditentry_delete", args=[entry.pk])

        assert root.get(change(entry)).status_code == 200
        assert root.post(change(entry), {"action": "x"}).status_code == 403
        assert root.get(add).status_code == 403
        assert root.post(delete, {"post": "yes"}).status_code == 403

    def test_only_superusers_change_memberships(self, root, owner, business):
        person = make_user()
        add = reverse("admin:businesses_membership_add")
        form = {"business": business.pk, "user": person.pk, "role": "staff"}
        rejected = owner.post(add, form)
        made = root.post(add, form)
        membership = person.memberships.get()
        root.post(
            reverse("admin:businesses_membership_changelist"),
            {"action": "delete_selected", "_selected_action": membership.pk, "post": "yes"},
        )

        assert (rejected.status_code, made.status_code) == (403, 302)
        assert not person.memberships.exists()
        assert AuditEntry.objects.filter(action="membership.ended").exists()

    def test_lists_cost_a_bounded_number_of_queries(
        self, owner, business, django_assert_max_num_queries
    ):
        for _ in range(30):
            make_key(business)

        with django_assert_max_num_queries(10):
            owner.get(KEYS)
