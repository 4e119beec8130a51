from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from calls import ingestion
from calls.models import Call, ProviderAccount, ProviderMessage
from calls.statistics import charts_of
from tests.calls.providers import sample
from tests.factories import (
    make_appointment,
    make_call,
    make_customer,
    make_endpoint,
    make_event,
    make_user,
)


def login(business, role="owner") -> Client:
    browser = Client()
    user = make_user(business, role=role)
    browser.force_login(user)
    return browser


@pytest.fixture
def browser(business) -> Client:
    return login(business)


def page(name: str, *args: object) -> str:
    return reverse(f"admin:calls_{name}", args=args)


class TestCallPages:
    def test_list_shows_sentiment_and_outcome_of_ours_only(
        self, browser, business, other_business, django_assert_max_num_queries
    ):
        for _ in range(5):
            make_call(
                business, sentiment="negative", outcome="booked", customer=make_customer(business)
            )
        make_call(other_business, from_number="+15550001111")
        with django_assert_max_num_queries(14):
            shown = browser.get(page("call_changelist")).content.decode()
        assert "negative" in shown
        assert "booked" in shown
        assert "+15550001111" not in shown

    @pytest.mark.parametrize("term", ("cleaning", "98765 43210", "098765-43210"))
    def test_search_finds_words_and_numbers(self, browser, business, term):
        call = make_call(
            business, from_number="+919876543210", transcript=[("caller", "A cleaning, please.")]
        )
        make_call(business)
        shown = browser.get(page("call_changelist"), {"q": term}).content.decode()
        assert shown.count("call/" + str(call.pk) + "/change") == 1
        assert "1 call" in shown

    def test_search_for_zeros_finds_numbers_that_end_with_them(self, browser, business):
        make_call(business, from_number="+919876500000")
        make_call(business, from_number="+919876543210")
        shown = browser.get(page("call_changelist"), {"q": "00000"}).content.decode()
        assert "1 call" in shown

    def test_one_shows_the_conversation_and_its_links(self, browser, business):
        customer = make_customer(business, name="Asha Rao")
        appointment = make_appointment(business, customer=customer)
        call = make_call(
            business,
            customer=customer,
            appointment=appointment,
            sentiment="positive",
            sentiment_score=0.5,
            sentiment_source="provider",
            recording_url="https://rec.example.com/1.mp3",
            transcript=[("agent", "Smile Dental."), ("caller", "<b>Hello</b>")],
        )
        make_endpoint(business, url="http://127.0.0.1:9/hook")
        make_event(business, type="call.completed", data={"id": call.pk})
        shown = browser.get(page("call_change", call.pk)).content.decode()
        for part in (
            "kx-turn-agent",
            "kx-turn-caller",
            "&lt;b&gt;Hello&lt;/b&gt;",
            "Asha Rao",
            f"Appointment {appointment.pk}",
            "call.completed",
            "http://127.0.0.1:9/hook",
            "Positive (+0.50)",
            "rec.example.com",
        ):
            assert part in shown, part

    def test_one_says_what_is_not_known(self, browser, business):
        call = make_call(business, from_number="", sentiment="")
        shown = browser.get(page("call_change", call.pk)).content.decode()
        for part in ("withheld", "Not known", "No transcript."):
            assert part in shown, part

    def test_no_role_changes_a_call(self, browser, business):
        call = make_call(business)
        assert browser.post(page("call_change", call.pk), {"status": "missed"}).status_code == 403
        assert browser.get(page("call_add")).status_code == 403


class TestCharts:
    def test_page_is_of_the_businesses_of_the_person(self, browser, business, other_business):
        make_call(business, status="missed")
        shown = browser.get(page("charts"), {"business": other_business.pk}).content.decode()
        assert "Smile Dental" in shown
        assert "Stranger" not in shown
        assert "<strong>1</strong> missed" in shown

    def test_page_is_of_any_business_for_a_superuser(self, business, other_business):
        browser = Client()
        root = make_user(is_superuser=True)
        browser.force_login(root)
        shown = browser.get(page("charts"), {"business": other_business.pk}).content.decode()
        assert "Smile Dental" in shown
        assert "Stranger" in shown

    def test_figures_are_of_local_days_and_hours(self, business):
        now = datetime(2026, 6, 30, 12, tzinfo=UTC)
        # 00:30 of 29 June in India.
        make_call(business, started_at=datetime(2026, 6, 28, 19, tzinfo=UTC), sentiment_score=-0.5)
        make_call(business, started_at=datetime(2026, 6, 29, 4, 40, tzinfo=UTC), status="missed")
        make_call(business, started_at=now - timedelta(days=31))
        charts = charts_of(business, now=now)
        assert (charts.calls, charts.missed) == (2, 1)
        day, mood = charts.days[-2], charts.moods[-2]
        assert (day.label, day.value, day.extra) == ("29", 1, 1)
        assert (mood.value, mood.extra) == (0, 50)  # negative: in the second colour
        assert [bar.label for bar in charts.hours if bar.value] == ["0", "10"]

    def test_page_draws_each(self, browser, business):
        make_call(business, sentiment_score=0.25)
        shown = browser.get(page("charts")).content.decode()
        assert shown.count('<svg role="img"') == 3
        assert "1 calls, 0 missed" in shown


class TestMessages:
    @pytest.fixture
    def message(self, business) -> ProviderMessage:
        """One that could not be read by the code of yesterday."""
        return ProviderMessage.objects.create(
            business=business,
            provider="kaivox",
            state="unreadable",
            error="Our bug.",
            body=ingestion._seal(sample("kaivox_completed.json")[0]),
        )

    def test_are_listed_without_what_they_say(self, browser, message):
        shown = browser.get(
            page("providermessage_changelist") + "?state__exact=unreadable"
        ).content.decode()
        assert "Our bug." in shown
        shown += browser.get(page("providermessage_change", message.pk)).content.decode()
        assert "9876543210" not in shown

    def test_are_replayed_one_by_one(self, browser, message):
        answer = browser.post(page("providermessage_act", message.pk, "replay"), follow=True)
        assert "It is read." in answer.content.decode()
        assert Call.objects.get().provider_call_id == "eng-1"

    def test_that_still_cannot_be_read_say_why(self, browser, message):
        message.body = ingestion._seal(b"{")
        message.save()
        answer = browser.post(page("providermessage_act", message.pk, "replay"), follow=True)
        assert "It still cannot be read: The body is not valid JSON" in answer.content.decode()

    def test_are_replayed_in_a_row(self, browser, message):
        data = {"action": "replay_selected", "_selected_action": [message.pk]}
        browser.post(page("providermessage_changelist"), data)
        assert Call.objects.count() == 1

    def test_are_not_replayed_by_readers(self, business, message):
        reader = login(business, role="analyst")
        assert reader.post(page("providermessage_act", message.pk, "replay")).status_code == 403
        data = {"action": "replay_selected", "_selected_action": [message.pk]}
        reader.post(page("providermessage_changelist"), data)
        assert not Call.objects.exists()

    def test_of_a_call_are_found_from_it(self, browser, business, message):
        ingestion.replay(message=message, now=timezone.now())
        call = Call.objects.get()
        shown = browser.get(page("providermessage_changelist") + f"?call__id__exact={call.pk}")
        assert "1 voice message" in shown.content.decode()


class TestAccounts:
    def test_keep_their_secret_to_themselves(self, browser, business):
        form = {"business": business.pk, "provider": "vapi", "secret": "s3cret", "is_active": "on"}
        assert browser.post(page("provideraccount_add"), form).status_code == 302
        account = ProviderAccount.objects.get()
        assert account.secret == "s3cret"
        shown = browser.get(page("provideraccount_change", account.pk)).content.decode()
        assert "s3cret" not in shown
        assert "/voice/vapi/smile" in shown
        form |= {"secret": ""}
        browser.post(page("provideraccount_change", account.pk), form)
        account.refresh_from_db()
        assert account.secret == "s3cret"

    def test_need_a_secret(self, browser, business):
        form = {"business": business.pk, "provider": "vapi", "secret": "", "is_active": "on"}
        answer = browser.post(page("provideraccount_add"), form)
        assert "Enter the secret" in answer.content.decode()

    def test_are_for_owners(self, business):
        assert (
            login(business, role="staff").get(page("provideraccount_changelist")).status_code == 403
        )
