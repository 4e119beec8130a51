"""Records of tool calls: shown with their call, exported, erased, and emptied by retention."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from calls import privacy, retention
from calls.models import ToolCall
from calls.tool_calls import delete_old_tool_calls
from customers.models import Customer
from kaivox.errors import Unavailable
from tests import factories
from tests.agents.ways import Mcp, Retell, Vapi

pytestmark = pytest.mark.django_db

PHONE = "+919876543210"


@pytest.fixture
def line(clinic):
    line = Vapi(clinic.business, phone=PHONE)
    line.call("find_times", service="Cleaning", day="tomorrow")
    line.call("book", service="Cleaning", start="tomorrow 10:00", name="Zebedee Moss")
    return line


class TestConversation:
    def page(self, call):
        browser = Client()
        user = factories.make_user(call.business)
        browser.force_login(user)
        return browser.get(reverse("admin:calls_call_change", args=[call.pk])).content.decode()

    def test_shows_what_was_asked_and_answered_between_the_turns(self, clinic, line):
        call = factories.make_call(
            clinic.business,
            provider="vapi",
            provider_call_id=line.call_id,
            started_at=timezone.now() - timedelta(seconds=30),
            transcript=[("caller", "First words"), ("agent", "More words")],
        )
        shown = self.page(call)
        assert "You are booked for Cleaning" in shown
        assert "book: ok" in shown
        assert shown.index("First words") < shown.index("find_times: ok") < shown.index("book: ok")

    def test_shows_those_of_other_ways_in_with_its_id(self, clinic):
        through_mcp = Mcp(clinic.business)
        through_mcp.call("business_info")
        call = factories.make_call(
            clinic.business, provider="vapi", provider_call_id=through_mcp.call_id
        )
        assert "business_info: ok" in self.page(call)

    def test_shows_none_of_another_business(self, clinic, other_business):
        theirs = Retell(other_business)
        theirs.call("business_info")
        call = factories.make_call(clinic.business, provider_call_id=theirs.call_id)
        assert "business_info" not in self.page(call)


class TestOutage:
    @pytest.mark.parametrize("error", (OperationalError("database is locked"), Unavailable()))
    def test_of_the_record_leaves_the_caller_the_result(self, clinic, monkeypatch, error):
        """The appointment is booked by then: an error would be said to the caller."""

        def write_transaction():
            raise error

        monkeypatch.setattr("calls.tool_calls.write_transaction", write_transaction)
        line = Vapi(clinic.business, phone=PHONE)
        result = line.call("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        assert result["status"] == "ok"
        assert not ToolCall.objects.exists()


class TestPrivacy:
    def test_an_export_has_them(self, clinic, line):
        person = Customer.objects.get()
        found = privacy.export_customer(
            business=clinic.business, customer_id=person.pk, now=timezone.now()
        )
        assert [one["tool"] for one in found["tool_calls"]] == ["book"]

    def test_an_erasure_empties_them(self, clinic, line):
        line.call("find_appointments", phone="9876543210")
        Retell(clinic.business, phone="+919000011111").call("customer_by_phone", phone=PHONE)
        person = Customer.objects.get()
        factories.make_call(
            clinic.business, customer=person, provider="vapi", provider_call_id=line.call_id
        )
        privacy.erase_customer(business=clinic.business, customer_id=person.pk, now=timezone.now())
        rows = ToolCall.objects.all()
        assert rows.count() == 4
        assert all("Zebedee" not in row.arguments + row.result for row in rows)
        assert all("9876543210" not in row.arguments + row.result for row in rows)

    def test_of_one_leaves_those_of_others(self, clinic, line):
        other = Vapi(clinic.business, phone="+919000011111")
        other.call("book", service="Cleaning", start="tomorrow 11:00", name="Other One")
        person = Customer.objects.get(phone=PHONE)
        privacy.erase_customer(business=clinic.business, customer_id=person.pk, now=timezone.now())
        assert "Other One" in ToolCall.objects.get(provider_call_id=other.call_id).arguments

    def test_finds_those_under_a_former_number(self, client, clinic, line):
        person = Customer.objects.get()
        line.call("find_appointments", phone="+919000022222")
        client.patch(f"/api/v1/customers/{person.pk}", {"phone": "+919000022222"})
        client.patch(f"/api/v1/customers/{person.pk}", {"phone": "+919000033333"})
        privacy.erase_customer(business=clinic.business, customer_id=person.pk, now=timezone.now())
        assert not ToolCall.objects.filter(arguments__contains="9000022222").exists()


class TestMasking:
    def test_takes_card_numbers_out_of_messages_and_records(self, clinic):
        line = Vapi(clinic.business, phone=PHONE)
        line.call("take_message", message="My card is 4111 1111 1111 1111.", name="Asha")
        row = ToolCall.objects.get()
        notes = Customer.objects.get().notes
        assert "1111 1111" not in row.arguments + row.result + notes
        assert "My card is" in notes

    def test_is_the_choice_of_the_business(self, clinic):
        clinic.business.mask_transcripts = False
        clinic.business.save()
        line = Vapi(clinic.business, phone=PHONE)
        line.call("take_message", message="My card is 4111 1111 1111 1111.", name="Asha")
        assert "4111 1111 1111 1111" in Customer.objects.get().notes


class TestRetention:
    def test_empties_the_old_ones(self, clinic, line, clock):
        clinic.business.transcript_retention_days = 7
        clinic.business.save()
        clock.shift(timedelta(days=6))
        retention.forget_old_transcripts(now=timezone.now())
        assert ToolCall.objects.filter(arguments__contains="Zebedee").exists()
        clock.shift(timedelta(days=2))
        retention.forget_old_transcripts(now=timezone.now())
        assert set(ToolCall.objects.values_list("arguments", "result")) == {("{}", "{}")}


class TestAge:
    def test_is_ninety_days_at_most(self, line):
        newest = ToolCall.objects.latest("created_at").created_at
        assert delete_old_tool_calls(now=newest + timedelta(days=90)) == 0
        assert delete_old_tool_calls(now=newest + timedelta(days=90, seconds=1)) == 2
        assert not ToolCall.objects.exists()
