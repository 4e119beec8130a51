"""Erasure and export of one person. The whole database is searched for what must be gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from appointments.waitlist.models import WaitlistEntry
from appointments.waitlist.operations import join_waitlist
from appointments.waitlist.serializers import WaitlistEntrySerializer
from calls import ingestion, privacy, retention
from calls.call_report import CallReport
from calls.models import Call, ProviderMessage
from calls.operations import ingest_call
from calls.providers.incoming import Incoming
from calls.serializers import CallWithTranscript
from calls.transcripts import turn
from customers.models import Customer
from kaivox.errors import NotFound
from tests.factories import (
    make_appointment,
    make_call,
    make_customer,
    make_endpoint,
    make_event,
    make_service,
    make_user,
)
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Attempt, Delivery, Event
from webhooks.operations import record_event

NOW = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)
MARKS = ("Zebedee", "7391846205", "zebedee@")


def find_traces() -> dict[str, list[str]]:
    """`model.column` → which of MARKS is found there, encrypted columns read."""
    found: dict[str, list[str]] = {}
    for model in apps.get_models():
        for row in model._default_manager.all():
            for column in model._meta.concrete_fields:
                value = getattr(row, column.attname)
                text = (
                    bytes(value).decode() if isinstance(value, memoryview | bytes) else str(value)
                )
                if model is ProviderMessage and column.attname == "body":
                    text = ingestion.body_of(row).decode(errors="replace")
                for mark in MARKS:
                    if mark in text:
                        found.setdefault(f"{model._meta.label}.{column.name}", []).append(mark)
    return found


@pytest.fixture
def person(client, business, settings) -> Customer:
    """Zebedee, who has called, booked, written and been written about."""
    settings.VOICE_ALLOW_UNSIGNED = True
    body = {"name": "Zebedee Moss", "phone": "+917391846205", "email": "zebedee@example.com"}
    response = client.post(
        "/api/v1/customers",
        {**body, "notes": "Zebedee is shy.", "metadata": {"nick": "Zebedee"}},
        headers={"Idempotency-Key": "z-1"},
    )
    customer = Customer.objects.get(pk=response.json()["data"]["id"])
    client.patch(f"/api/v1/customers/{customer.pk}", {"notes": "Zebedee is very shy."})
    make_appointment(
        business, customer=customer, notes="Zebedee, +917391846205", metadata={"a": "Zebedee"}
    )
    engine_call = {
        "call_id": "z-1",
        "status": "completed",
        "from_number": "+917391846205",
        "summary": "Zebedee wants a cleaning.",
        "sentiment": "positive",
        "recording_url": "https://rec.example.com/Zebedee.mp3",
        "transcript": [{"speaker": "caller", "text": "Zebedee here, 7391846205."}],
    }
    # A report without the call's id.
    unreadable = {
        "message": {"type": "end-of-call-report", "customer": {"number": "+917391846205"}}
    }
    for provider, payload in (
        ("kaivox", engine_call),
        ("kaivox", {**engine_call, "summary": "Zebedee again."}),
        ("vapi", unreadable),
    ):
        ingestion.receive(
            slug=business.slug,
            provider=provider,
            incoming=Incoming(json.dumps(payload).encode(), "application/json"),
            now=timezone.now(),
        )
    entry = wait_for_a_time(business, customer)
    data = WaitlistEntrySerializer.render(entry)
    record_event(business=business, type="waitlist.offered", data=data, now=NOW)
    user = make_user(business)
    LogEntry.objects.log_actions(user.pk, [customer], CHANGE, "Changed Zebedee", single_object=True)
    return customer


def wait_for_a_time(business, customer) -> WaitlistEntry:
    service = make_service(business, name="Cleaning")
    return join_waitlist(
        business=business,
        customer=customer,
        service=service,
        date_from=NOW.date(),
        now=NOW,
    )


class TestEraseCustomer:
    @pytest.mark.parametrize("name", sorted(EVENT_TYPES))
    def test_reaches_every_event_that_shows_a_customer(self, name):
        """One of a kind that REDACTIONS lacks would keep the name."""
        if shown := {"customer_id", "customer_name", "phone"} & set(EVENT_TYPES[name].example):
            assert name.partition(".")[0] in privacy.REDACTIONS, shown

    @pytest.mark.parametrize("state", ("read", "unreadable"))
    def test_holds_where_a_message_of_theirs_is_being_replayed(self, business, person, state):
        """A message that is replayed is read before it is stored again: meanwhile it may be deleted."""
        message = ProviderMessage.objects.filter(state=state).first()
        calls = Call.objects.count()
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        with pytest.raises(NotFound):
            ingestion.replay(message=message, now=NOW)
        assert find_traces() == {}
        assert Call.objects.count() == calls

    def test_takes_the_person_off_the_waiting_list(self, business, person):
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        assert [row.status for row in WaitlistEntry.objects.all()] == ["cancelled"]

    def test_leaves_no_trace_of_the_person_and_all_counts(self, business, person):
        found = find_traces()
        for label in ("customers.Customer.name", "calls.Call.transcript", "webhooks.Event.body"):
            assert label in found
        counts = {model: model.objects.count() for model in (Customer, Call, Event)}

        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)

        assert find_traces() == {}
        counts[Event] += 1  # customer.erased
        assert {model: model.objects.count() for model in counts} == counts
        call = Call.objects.get()
        assert (call.sentiment, call.to_number, call.customer_id) == ("positive", "", person.pk)

    def test_keeps_bodies_of_events_whole(self, business, person):
        before = {row.uid: json.loads(bytes(row.body)) for row in Event.objects.all()}
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        for row in Event.objects.exclude(type="customer.erased"):
            body = json.loads(bytes(row.body))
            assert list(body) == list(before[row.uid])
            assert list(body["data"]) == list(before[row.uid]["data"])
        assert not Attempt.objects.exclude(response_body=b"").exists()

    def test_touches_no_other_person(self, business, person):
        other = make_customer(business, name="Ben")
        call = make_call(business, customer=other, transcript=[("caller", "Ben here")])
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        other.refresh_from_db()
        call.refresh_from_db()
        assert (other.name, len(call.transcript)) == ("Ben", 1)

    def test_can_be_asked_again(self, business, person):
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        later = NOW + timedelta(days=1)
        again = privacy.erase_customer(business=business, customer_id=person.pk, now=later)
        assert again.erased_at == NOW
        [event] = Event.objects.filter(type="customer.erased")
        assert json.loads(bytes(event.body))["data"] == {"id": person.pk}

    def test_finds_former_values(self, client, business, person):
        """A former name, number and address, in call events and remembered responses too."""
        customer_url = f"/api/v1/customers/{person.pk}"
        changes = {"name": "Bob Moss", "phone": "+919812345678", "email": "bob@example.com"}
        assert client.patch(customer_url, changes).status_code == 200
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        assert find_traces() == {}
        bodies = "".join(bytes(row.body).decode() for row in Event.objects.all())
        assert "Bob" not in bodies
        assert "9812345678" not in bodies

    @pytest.mark.parametrize(
        "text",
        (
            b'{"message": {"caller": "073918 46205"}}',
            b"CallStatus=sleeping&From=073918+46205",
            b"CallStatus=sleeping&From=%2B91%2073918%2046205",
            b'{"a": "0091-7391-846-205"}',
            b'{"a": "\\u005aEBEDEE@example.com"}',
            b'{"a": "zebedee moss"}',
        ),
    )
    def test_finds_unreadable_messages_in_any_spelling(self, business, person, text):
        for body in (text, b'{"a": "another person, 9811111111"}'):
            ProviderMessage.objects.create(
                business=business, provider="twilio", state="unreadable", body=ingestion._seal(body)
            )
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        [left] = ProviderMessage.objects.all()
        assert b"another person" in ingestion.body_of(left)

    def test_leaves_calls_of_a_number_that_is_another_persons_now(self, client, business, person):
        client.patch(f"/api/v1/customers/{person.pk}", {"phone": "+919812345678"})
        other = make_customer(business, name="Ben", phone="+917391846205")
        call = make_call(
            business, customer=other, from_number=other.phone, transcript=[("caller", "Ben here")]
        )
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        call.refresh_from_db()
        assert len(call.transcript) == 1

    def test_waiting_deliveries_carry_the_erased_body(self, client, business, person):
        make_endpoint(business)
        client.patch(f"/api/v1/customers/{person.pk}", {"notes": "Zebedee waits."})
        [delivery] = Delivery.objects.filter(event__type="customer.updated")
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        [erased] = Delivery.objects.filter(event__type="customer.erased")
        assert delivery.status == erased.status == "pending"
        body = bytes(Delivery.objects.get(pk=delivery.pk).event.body).decode()
        assert "Zebedee" not in body
        assert json.loads(body)["data"]["name"] == "Erased"

    def test_does_not_reach_into_another_business(self, other_business, person):
        with pytest.raises(NotFound):
            privacy.erase_customer(business=other_business, customer_id=person.pk, now=NOW)
        assert find_traces()

    def test_is_a_command(self, business, person, capsys):
        call_command("erase_customer", str(person.pk), business=business.slug)
        assert "is erased" in capsys.readouterr().out
        assert find_traces() == {}

    @pytest.mark.parametrize(("slug", "customer"), (("unknown", "1"), ("smile", "999999")))
    def test_says_who_is_not_there(self, business, slug, customer):
        for command in ("erase_customer", "export_customer"):
            with pytest.raises(CommandError, match=r"There is no business|has no customer"):
                call_command(command, customer, business=slug)


class TestExportCustomer:
    def test_gives_all_of_it(self, business, person, capsys):
        call_command("export_customer", str(person.pk), business=business.slug)
        found = json.loads(capsys.readouterr().out)
        assert found["customer"]["email"] == "zebedee@example.com"
        assert [row["notes"] for row in found["appointments"]] == ["Zebedee, +917391846205"]
        assert found["calls"][0]["transcript"][0]["text"] == "Zebedee here, 7391846205."
        assert {event["type"] for event in found["events"]} >= {"customer.created"}
        assert len(found["voice_messages"]) == 3  # one could not be read


class TestForgetOldTranscripts:
    def test_empties_those_past_the_retention_of_the_business(self, business, other_business):
        business.transcript_retention_days = 30
        business.save()
        said = [("caller", "Something private.")]
        old = make_call(
            business, transcript=said, summary="Own words.", started_at=NOW - timedelta(days=31)
        )
        new = make_call(business, transcript=said, started_at=NOW - timedelta(days=29))
        theirs = make_call(other_business, transcript=said, started_at=NOW - timedelta(days=999))
        for call in (old, new):
            data = CallWithTranscript.render(call)
            make_event(business, type="call.completed", data=data)
        assert retention.forget_old_transcripts(now=NOW) == 1
        assert retention.forget_old_transcripts(now=NOW) == 0
        for call in (old, new, theirs):
            call.refresh_from_db()
        assert (old.transcript, old.words, old.summary) == ([], "", "Own words.")
        payload = [json.loads(bytes(event.body))["data"] for event in Event.objects.order_by("pk")]
        assert (payload[0]["transcript"], payload[0]["summary"]) == ([], "Own words.")
        assert payload[1]["transcript"] == new.transcript
        assert new.transcript
        assert theirs.transcript

    def test_empties_summaries_that_repeat_what_was_said(self, business):
        business.transcript_retention_days = 30
        business.save()
        report = CallReport(
            provider_call_id="c-1",
            status="completed",
            started_at=NOW - timedelta(days=31),
            sentiment="neutral",
            turns=[turn("caller", "I have something private to say. It hurts a lot.  Today?", 0)],
        )
        call = ingest_call(business=business, provider="kaivox", report=report, now=NOW)
        assert call.summary.startswith("I have something private to say.")
        assert retention.forget_old_transcripts(now=NOW) == 1
        call.refresh_from_db()
        assert (call.transcript, call.summary) == ([], "")
        [event] = Event.objects.filter(type="call.completed")
        assert "private" not in bytes(event.body).decode()
