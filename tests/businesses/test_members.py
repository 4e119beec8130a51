"""Roles, invitations and their acceptance."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from kaivox.businesses import members
from kaivox.businesses.members import (
    AlreadyMember,
    InvitationNotOpen,
    LastOwner,
    LoginRequired,
    TooManyInvitations,
    accept_invitation,
    accept_with_new_login,
    end_membership,
    find_invitation,
    invite_member,
    revoke_invitation,
    set_membership,
    token_of,
)
from kaivox.businesses.models import AuditEntry, Membership, SecurityNotice
from kaivox.businesses.operations import create_sandbox
from kaivox.errors import Invalid, NotFound
from tests.factories import make_business, make_user

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def owner(business) -> User:
    return make_user(business, username="olivia")


@pytest.fixture
def invitation(business, owner):
    return invite_member(
        business_id=business.pk, email="Ann@Example.com ", role="developer", actor=owner, now=NOW
    )


def role_of(user, business) -> str | None:
    return Membership.objects.filter(user=user, business=business).values_list("role").first()


class TestOwners:
    def test_the_last_one_cannot_be_removed_or_get_another_role(self, business, owner):
        membership = Membership.objects.get()
        with pytest.raises(LastOwner):
            end_membership(membership_id=membership.pk, actor=owner, now=NOW)
        with pytest.raises(LastOwner):
            set_membership(business_id=business.pk, user=owner, role="staff", actor=owner, now=NOW)

    def test_one_of_two_can(self, business, owner):
        make_user(business)
        set_membership(business_id=business.pk, user=owner, role="staff", actor=owner, now=NOW)
        assert role_of(owner, business) == ("staff",)

    def test_members_of_the_sandbox_are_those_of_the_business(self, business, owner, monkeypatch):
        monkeypatch.setattr("kaivox.businesses.operations.sandbox_seeders.all", lambda: ())
        sandbox = create_sandbox(business_id=business.pk, now=NOW)
        person = make_user()
        added = set_membership(business_id=business.pk, user=person, role="analyst", now=NOW)
        assert role_of(person, sandbox) == ("analyst",)
        end_membership(membership_id=added.pk, now=NOW)
        assert role_of(person, sandbox) is None
        with pytest.raises(Invalid):
            invite_member(business_id=sandbox.pk, email="a@example.com", role="staff", now=NOW)

    def test_a_membership_makes_the_login_work_in_the_admin(self, business):
        person = make_user(is_staff=False)
        set_membership(business_id=business.pk, user=person, role="staff", now=NOW)
        person.refresh_from_db()
        assert person.is_staff


class TestInviteMember:
    def test_sends_a_link(self, business, invitation):
        notice = SecurityNotice.objects.get()
        assert notice.recipient == "ann@example.com"
        assert f"/invitations/{token_of(invitation)}" in notice.body
        assert "developer" in notice.body
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.subject) == ("membership.invited", "ann@example.com")

    def test_replaces_an_open_one(self, business, invitation):
        again = invite_member(
            business_id=business.pk, email="ann@example.com", role="staff", now=NOW
        )
        assert find_invitation(token_of(again), now=NOW) == again
        with pytest.raises(InvitationNotOpen):
            find_invitation(token_of(invitation), now=NOW)

    @pytest.mark.parametrize(
        "values", ({"email": "nonsense"}, {"role": "king"}, {"email": f"{'a' * 150}@example.com"})
    )
    def test_rejects_invalid_values(self, business, values):
        with pytest.raises(Invalid):
            invite_member(
                business_id=business.pk,
                now=NOW,
                **{"email": "ann@example.com", "role": "staff", **values},
            )

    def test_rejects_a_member(self, business):
        make_user(business, email="ann@example.com")
        with pytest.raises(AlreadyMember):
            invite_member(business_id=business.pk, email="ANN@example.com", role="staff", now=NOW)

    def test_is_limited_per_day(self, business, invitation, monkeypatch):
        monkeypatch.setattr(members, "MAX_INVITATIONS_A_DAY", 1)
        with pytest.raises(TooManyInvitations):
            invite_member(business_id=business.pk, email="b@example.com", role="staff", now=NOW)
        tomorrow = NOW + timedelta(days=1)
        invite_member(business_id=business.pk, email="b@example.com", role="staff", now=tomorrow)


@pytest.mark.django_db(transaction=True)
def test_two_businesses_may_invite_a_person_who_opens_both_links_at_once(monkeypatch):
    invitations = [
        invite_member(
            business_id=make_business().pk, email="ann@example.com", role="staff", now=NOW
        )
        for _ in range(2)
    ]
    both_create = threading.Barrier(2)
    create_user = User.objects.create_user

    def create_user_late(*args, **kwargs):
        with suppress(threading.BrokenBarrierError):  # only one gets here
            both_create.wait(timeout=0.5)
        return create_user(*args, **kwargs)

    monkeypatch.setattr(User.objects, "create_user", create_user_late)

    def accept(invitation):
        try:
            accept_with_new_login(invitation_id=invitation.pk, password="long-enough-9", now=NOW)
        except LoginRequired:
            return "login required"
        finally:
            connection.close()
        return "joined"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(accept, invitations)) == ["joined", "login required"]


class TestAccept:
    def test_with_a_new_login(self, business, invitation):
        user = accept_with_new_login(invitation_id=invitation.pk, password="long-enough-9", now=NOW)
        assert (user.username, user.email, user.is_staff) == (
            "ann@example.com",
            "ann@example.com",
            True,
        )
        assert user.check_password("long-enough-9")
        assert not user.is_superuser
        assert role_of(user, business) == ("developer",)
        with pytest.raises(InvitationNotOpen):
            accept_with_new_login(invitation_id=invitation.pk, password="other-one-7", now=NOW)

    def test_with_the_login_that_has_the_address(self, business, invitation):
        person = make_user(username="ann", email="Ann@example.com")
        with pytest.raises(LoginRequired):
            accept_with_new_login(invitation_id=invitation.pk, password="long-enough-9", now=NOW)
        with pytest.raises(LoginRequired):
            accept_invitation(invitation_id=invitation.pk, user=make_user(), now=NOW)
        accept_invitation(invitation_id=invitation.pk, user=person, now=NOW)
        assert role_of(person, business) == ("developer",)

    def test_not_after_it_was_revoked(self, business, owner, invitation):
        for _ in range(2):
            revoke_invitation(invitation_id=invitation.pk, actor=owner, now=NOW)
        with pytest.raises(InvitationNotOpen):
            find_invitation(token_of(invitation), now=NOW)
        with pytest.raises(InvitationNotOpen):
            accept_with_new_login(invitation_id=invitation.pk, password="long-enough-9", now=NOW)
        actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
        assert list(actions) == ["membership.invited", "membership.invitation_revoked"]

    def test_not_after_seven_days(self, invitation):
        later = NOW + timedelta(days=7)
        with pytest.raises(InvitationNotOpen):
            find_invitation(token_of(invitation), now=later)
        with pytest.raises(InvitationNotOpen):
            accept_with_new_login(invitation_id=invitation.pk, password="long-enough-9", now=later)

    def test_not_with_a_changed_link(self, invitation):
        token = token_of(invitation)
        for wrong in (token[:-1], f"{token}x", str(invitation.pk), "", "٣"):
            with pytest.raises(NotFound):
                find_invitation(wrong, now=NOW)
