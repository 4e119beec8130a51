"""One person is forgotten, or told what is kept. The whole database is searched for what must not
stand there any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from calls import inbox, privacy, retention
from calls.models import Call, Message
from calls.providers.incoming import Incoming
from calls.serializers import CallWithTranscript
from customers.models import Customer
from kaivox.errors import NotFound
from tests.factories import make_appointment, make_call, make_customer, make_event, make_user
from webhooks.models import Attempt, Event

NOW = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)
MARKS = ("Zebedee", "7391846205", "zebedee@")


def where_it_stands() -> dict[str, list[str]]:
    """`model.column` → which of MARKS is found there, encrypted columns read."""
    found: dict[str, list[str]] = {}
    for model in apps.get_models():
        for row in model._default_manager.all():
            for column in model._meta.concrete_fields:
                value = getattr(row, column.attname)
                text = (
                    bytes(value).decode() if isinstance(value, memoryview | bytes) else str(value)
                )
                if model is Message and column.attname == "body":
                    text = inbox.body_of(row).decode(errors="replace")
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
    told = {
        "call_id": "z-1",
        "status": "completed",
        "from_number": "+917391846205",
        "summary": "Zebedee wants a cleaning.",
        "sentiment": "positive",
        "recording_url": "https://rec.example.com/Zebedee.mp3",
        "transcript": [{"speaker": "caller", "text": "Zebedee here, 7391846205."}],
    }
    for payload in (told, {**told, "summary": "Zebedee again."}, {"from": "+917391846205", "a": 1}):
        inbox.receive(
            slug=business.slug,
            provider="kaivox",
            incoming=Incoming(json.dumps(payload).encode(), "application/json"),
            now=timezone.now(),
        )
    user = make_user(business)
    LogEntry.objects.log_actions(user.pk, [customer], CHANGE, "Changed Zebedee", single_object=True)
    return customer


class TestEraseCustomer:
    def test_leaves_no_trace_of_the_person_and_all_counts(self, business, person):
        stands = where_it_stands()
        for label in ("customers.Customer.name", "calls.Call.transcript", "webhooks.Event.body"):
            assert label in stands
        counts = {model: model.objects.count() for model in (Customer, Call, Event)}

        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)

        assert where_it_stands() == {}
        assert {model: model.objects.count() for model in counts} == counts
        call = Call.objects.get()
        assert (call.sentiment, call.to_number, call.customer_id) == ("positive", "", person.pk)

    def test_keeps_bodies_of_events_whole(self, business, person):
        before = {row.uid: json.loads(bytes(row.body)) for row in Event.objects.all()}
        privacy.erase_customer(business=business, customer_id=person.pk, now=NOW)
        for row in Event.objects.all():
            body = json.loads(bytes(row.body))
            assert list(body) == list(before[row.uid])
            assert list(body["data"]) == list(before[row.uid]["data"])
        assert not Attempt.objects.exclude(response_body=b"").exists()

    def test_touches_nobody_else(self, business, person):
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

    def test_does_not_reach_into_another_business(self, other_business, person):
        with pytest.raises(NotFound):
            privacy.erase_customer(business=other_business, customer_id=person.pk, now=NOW)
        assert where_it_stands()

    def test_is_a_command(self, business, person, capsys):
        call_command("erase_customer", str(person.pk), business=business.slug)
        assert "is erased" in capsys.readouterr().out
        assert where_it_stands() == {}

    @pytest.mark.parametrize(("slug", "customer"), (("nobody", "1"), ("smile", "999999")))
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
        assert len(found["voice_messages"]) == 2


class TestForgetOldTranscripts:
    def test_empties_those_older_than_the_business_keeps_them(self, business, other_business):
        business.transcript_retention_days = 30
        business.save()
        said = [("caller", "Something private.")]
        old = make_call(
            business, transcript=said, summary="Kept.", started_at=NOW - timedelta(days=31)
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
        assert (old.transcript, old.words, old.summary) == ([], "", "Kept.")
        told = [json.loads(bytes(event.body))["data"] for event in Event.objects.order_by("pk")]
        assert (told[0]["transcript"], told[0]["summary"]) == ([], "Kept.")
        assert told[1]["transcript"] == new.transcript
        assert new.transcript
        assert theirs.transcript
