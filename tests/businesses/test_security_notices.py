"""E-mails about new keys, new endpoints and two-factor authentication."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from kaivox.businesses.members import end_membership, set_membership
from kaivox.businesses.models import SecurityNotice
from kaivox.businesses.operations import (
    change_business,
    issue_api_key,
    rotate_api_key,
)
from kaivox.businesses.security_notices import send_security_notices
from tests.factories import make_business, make_user
from webhooks.operations import register_endpoint

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def business():
    business = make_business(name="Smile Dental", contact_email="desk@example.com")
    make_user(business, email="owner@example.com")
    make_user(business, role="staff", email="staff@example.com")
    return business


def sent():
    send_security_notices(now=timezone.now())
    return mail.outbox


class TestNewKey:
    def test_notifies_contact_and_owners(self, business):
        issued = issue_api_key(business_id=business.pk, name="POS", now=NOW)
        found = sent()
        assert [message.to for message in found] == [["desk@example.com"], ["owner@example.com"]]
        assert "Smile Dental" in found[0].subject
        assert str(issued.key) in found[0].body
        assert issued.secret not in found[0].body

    def test_a_name_with_line_breaks_loses_no_notice(self, business):
        type(business).objects.update(name="Smile\r\nBcc: all@example.com\n")
        issue_api_key(business_id=business.pk, name="POS\n", now=NOW)
        assert [message.subject.count("\n") for message in sent()] == [0, 0]

    def test_notifies_of_a_rotation(self, business):
        issued = issue_api_key(business_id=business.pk, name="POS", now=NOW)
        sent().clear()
        rotate_api_key(key_id=issued.key.pk, now=NOW)
        assert "replaced" in sent()[0].subject

    def test_a_rolled_back_change_sends_no_email(self, business):
        with transaction.atomic():
            issue_api_key(business_id=business.pk, name="POS", now=NOW)
            transaction.set_rollback(True)
        assert sent() == []


class TestContactAddress:
    def test_notifies_the_former_address_as_well(self, business):
        change_business(business_id=business.pk, contact_email="thief@example.com", now=NOW)
        found = sent()
        assert [message.to[0] for message in found] == [
            "desk@example.com",
            "owner@example.com",
            "thief@example.com",
        ]
        assert "Address before: desk@example.com\nAddress now: thief@example.com" in found[0].body

    def test_other_changes_notify_nobody(self, business):
        change_business(business_id=business.pk, name="Smile", now=NOW)
        assert sent() == []


class TestRoles:
    def test_notifies_of_a_new_member_a_change_and_an_end(self, business):
        person = make_user(username="meera")
        for role in ("staff", "staff", "owner"):
            member = set_membership(business_id=business.pk, user=person, role=role, now=NOW)
        end_membership(membership_id=member.pk, now=NOW)
        bodies = [message.body for message in sent() if message.to == ["owner@example.com"]]
        assert all("meera" in body for body in bodies)
        changes = [("none", "staff"), ("staff", "owner"), ("owner", "none")]
        assert [
            f"Role before: {before}\nRole now: {after}" in body
            for (before, after), body in zip(changes, bodies, strict=True)
        ] == [True] * 3


class TestNewEndpoint:
    def test_names_its_url_and_events(self, business):
        register_endpoint(business=business, url="https://1.1.1.1/hook", now=NOW)
        assert "https://1.1.1.1/hook" in sent()[0].body


class TestSending:
    def test_a_line_break_in_a_name_loses_nothing(self, business):
        type(business).objects.update(name="Smile\nBcc: everybody@example.com")
        issue_api_key(business_id=business.pk, name="POS", now=NOW)
        found = sent()
        assert len(found) == 2
        assert all("\n" not in message.subject for message in found)
        assert found[0].bcc == []

    def test_goes_out_once(self, business):
        issue_api_key(business_id=business.pk, name="POS", now=NOW)
        sent()
        assert len(sent()) == 2
        assert not SecurityNotice.objects.exists()

    def test_waits_for_a_mail_server_that_is_away(self, business, settings):
        issue_api_key(business_id=business.pk, name="POS", now=NOW)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        assert send_security_notices(now=NOW) == 0
        assert SecurityNotice.objects.count() == 2
        assert send_security_notices(now=NOW + timedelta(days=4)) == 0
        assert not SecurityNotice.objects.exists()

    def test_without_an_address_there_is_none(self):
        issue_api_key(business_id=make_business().pk, name="POS", now=NOW)
        assert sent() == []
