"""`Idempotency-Key` on any POST, through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import OperationalError, connection

from kaivox.api.openapi.components import PARAMETERS
from kaivox.api.values import IDEMPOTENCY_KEY, LONGEST_IDEMPOTENCY_KEY
from kaivox.businesses.models import ApiKey
from kaivox.db import batches
from kaivox.idempotency import operations
from kaivox.idempotency.models import IdempotencyRecord
from kaivox.idempotency.operations import LEASE

pytestmark = [pytest.mark.urls("tests.api.sample_resource"), pytest.mark.django_db]

BOOKS = "/api/v1/books"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def post(client, body, key="k-1", path=BOOKS):
    return client.post(path, body, headers={"Idempotency-Key": key})


class TestIdempotencyKey:
    def test_replays_the_first_response(self, client):
        first, again = post(client, {"name": "x"}), post(client, {"name": "x"})
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json()["data"] == first.json()["data"]
        assert again["Location"] == first["Location"]
        assert again["ETag"] == first["ETag"]
        assert "Idempotent-Replayed" not in first
        assert again["Idempotent-Replayed"] == "true"
        assert ApiKey.objects.filter(name="x").count() == 1

    def test_spacing_order_and_the_slash_do_not_matter(self, client):
        post(client, {"name": "x", "pages": 1})
        spaced = b'{ "pages" : 1,\n "name":"x" }'
        response = client.generic(
            "POST", BOOKS + "/", spaced, "application/json", HTTP_IDEMPOTENCY_KEY="k-1"
        )
        assert response["Idempotent-Replayed"] == "true"

    def test_rejects_another_body_under_the_same_key(self, client):
        post(client, {"name": "x"})
        response = post(client, {"name": "y"})
        assert response.status_code == 422
        assert response.json()["code"] == "idempotency_key_reused"
        assert list(response.json()["errors"]) == ["Idempotency-Key"]

    def test_is_free_again_after_an_error(self, client):
        assert post(client, {"name": ""}).status_code == 422
        assert not IdempotencyRecord.objects.exists()
        assert post(client, {"name": "x"}).status_code == 201

    def test_is_free_again_after_a_crash(self, client, monkeypatch):
        client.raise_request_exception = False
        with monkeypatch.context() as broken:
            broken.setattr(
                "tests.api.sample_resource.BookViewSet.show", lambda *args, **kwargs: 1 / 0
            )
            assert post(client, {"name": "x"}).status_code == 500
        assert not ApiKey.objects.filter(name="x").exists()
        assert post(client, {"name": "x"}).status_code == 201

    def test_belongs_to_one_business(self, client, stranger):
        assert post(client, {"name": "x"}).status_code == 201
        other = post(stranger, {"name": "x"})
        assert other.status_code == 201
        assert "Idempotent-Replayed" not in other

    @pytest.mark.parametrize("key", ("", " ", "x" * 256, "a\x01b", "a\tb", "a\x7f"))
    def test_has_1_to_255_printable_characters(self, client, key):
        response = post(client, {"name": "x"}, key=key)
        assert response.status_code == 422
        assert list(response.json()["errors"]) == ["Idempotency-Key"]

    @pytest.mark.parametrize("key", ("x" * 255, "order 7, Monday", "é", "\xc3\x9f"))
    def test_of_255_characters_with_spaces_or_utf8_is_accepted(self, client, key):
        assert post(client, {"name": "x"}, key=key).status_code == 201

    def test_the_document_has_the_same_rule(self):
        schema = PARAMETERS["IdempotencyKey"]["schema"]
        assert (schema["pattern"], schema["maxLength"]) == (
            IDEMPOTENCY_KEY,
            LONGEST_IDEMPOTENCY_KEY,
        )

    def test_says_so_while_the_first_request_runs(self, client, business):
        def meanwhile():
            return post(client, {"name": "x"})

        post(client, {"name": "x"})
        IdempotencyRecord.objects.update(status=None, answer=None)
        response = meanwhile()
        assert response.status_code == 409
        assert response.json()["code"] == "idempotency_in_progress"
        assert response["Retry-After"] == "1"

    def test_is_forgotten_after_24_hours(self, client):
        with time_machine.travel(NOW, tick=False) as clock:
            post(client, {"name": "x"})
            clock.shift(timedelta(hours=24))
            assert post(client, {"name": "x"})["Idempotent-Replayed"] == "true"
            clock.shift(timedelta(seconds=1))
            assert "Idempotent-Replayed" not in post(client, {"name": "y"})

    def test_of_a_crashed_process_is_free_after_its_lease(self, client):
        with time_machine.travel(NOW, tick=False) as clock:
            post(client, {"name": "x"})
            IdempotencyRecord.objects.update(status=None, answer=None)
            clock.shift(LEASE)
            assert post(client, {"name": "x"}).status_code == 409
            clock.shift(timedelta(seconds=1))
            assert post(client, {"name": "x"}).status_code == 201

    def test_does_nothing_on_other_methods(self, client):
        row = post(client, {"name": "x"}).json()["data"]
        response = client.patch(
            f"{BOOKS}/{row['id']}", {"name": "y"}, headers={"Idempotency-Key": "k-1"}
        )
        assert response.json()["data"]["name"] == "y"

    def test_leaves_no_response_readable_in_the_database(self, client):
        post(client, {"name": "confidential"})
        with connection.cursor() as cursor:
            cursor.execute("SELECT answer FROM idempotency_answered")
            assert "confidential" not in cursor.fetchone()[0]


def _fails():
    raise OperationalError("the connection is closed")


class TestTakeKey:
    def test_lets_one_of_two_take_over(self, business):
        held = operations.acquire(business=business, key="k", fingerprint="f", scopes=[], now=NOW)
        later = NOW + LEASE + timedelta(seconds=1)
        second = operations.acquire(
            business=business, key="k", fingerprint="f", scopes=[], now=later
        )
        assert second.holder != held.holder
        with pytest.raises(operations.InProgress):
            operations.store_response(held, status=201, answer="{}")

    def test_gives_back_after_an_outage_what_it_could_not_release(self, business, monkeypatch):
        held = operations.acquire(business=business, key="k", fingerprint="f", scopes=[], now=NOW)
        with monkeypatch.context() as outage:
            outage.setattr(operations, "write_transaction", _fails)
            with pytest.raises(OperationalError):
                operations.release(held)
        again = operations.acquire(business=business, key="k", fingerprint="f", scopes=[], now=NOW)
        assert again.holder != held.holder
        operations.release(again)

    def test_gives_back_only_its_own(self, business):
        held = operations.acquire(business=business, key="k", fingerprint="f", scopes=[], now=NOW)
        later = NOW + LEASE + timedelta(seconds=1)
        operations.acquire(business=business, key="k", fingerprint="f", scopes=[], now=later)
        operations.release(held)
        assert IdempotencyRecord.objects.count() == 1


class TestPrune:
    def test_deletes_what_is_older_than_a_day(self, business):
        for hours in (23, 25):
            operations.acquire(
                business=business,
                key=str(hours),
                fingerprint="f",
                scopes=[],
                now=NOW - timedelta(hours=hours),
            )
        assert operations.prune(now=NOW) == 1
        assert IdempotencyRecord.objects.get().key == "23"

    def test_keeps_one_that_is_used_again_meanwhile(self, business, monkeypatch):
        """Between the search for old records and their deletion another request gets the key."""
        old = NOW - timedelta(hours=25)
        held = operations.acquire(business=business, key="k", fingerprint="f", scopes=[], now=old)
        operations.store_response(held, status=201, answer="{}")
        transaction = batches.write_transaction

        def use_again():
            again = operations.acquire(
                business=business, key="k", fingerprint="f", scopes=[], now=NOW
            )
            operations.store_response(again, status=201, answer="{}")
            return transaction()

        monkeypatch.setattr(batches, "write_transaction", use_again)
        assert operations.prune(now=NOW) == 0
        assert IdempotencyRecord.objects.get().created_at == NOW
