"""ETags and totals of lists hold until something changes: here every kind of change is made, and each
response after it must be the true one."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.urls import get_resolver
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appointments.models import Appointment
from customers.models import Customer
from kaivox import redis
from kaivox.api import collection_version
from kaivox.api.row_readers import ValuesReader, row_reader_for
from kaivox.api.viewsets import BusinessViewSet
from kaivox.db.change_counters import change_count, counted_models, create_triggers
from ratelimits.throttling import EnterpriseThrottle
from tests import factories
from tests.api.changes import API, CHANGES, VIEWS, World, refresh_segments
from tests.effort import examples


@pytest.fixture(autouse=True)
def large_quota(monkeypatch):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)


# What changes something at each time shows in some tag.
_SHOWN_ALWAYS = frozenset(CHANGES) - {refresh_segments}


@pytest.fixture
def world(client, business) -> World:
    made = World(client, business)
    made.learn()
    return made


class TestAfterAnyAct:
    @pytest.mark.parametrize("act", CHANGES, ids=lambda act: act.__name__)
    def test_responses_are_current(self, world, act):
        before = dict(world.seen)
        act(world)
        world.check()
        assert act not in _SHOWN_ALWAYS or world.seen != before

    @given(acts=st.lists(st.sampled_from(CHANGES), min_size=2, max_size=5))
    @hypothesis_settings(max_examples=examples(10, quick=2))
    def test_in_any_order_too(self, world, acts):
        for act in acts:
            act(world)
            world.check()

    def test_shows_nothing_of_another_business(self, world, stranger):
        for path in world.lists:
            response = stranger.get(path, headers={"If-None-Match": world.seen[path].etag})
            assert response.status_code == 200


class TestList:
    def test_304_reads_no_row(self, world, django_assert_num_queries):
        for path in world.lists:
            if "ordering=-updated_at" not in path:
                with django_assert_num_queries(2):  # the key, the version
                    assert world.read(path, world.seen[path].etag).status_code == 304

    def test_304_has_the_headers_of_a_200(self, world):
        path = world.lists[0]
        full = world.read(path)
        unchanged = world.read(path, full["ETag"])
        assert not unchanged.content
        left = "X-RateLimit-Remaining"
        assert int(unchanged[left]) == int(full[left]) - 1
        # `Link` is read from the page, which a 304 does not load; RFC 9110 §15.4.5 does not ask for it.
        different = {"Content-Type", "Content-Length", "Link", "X-Request-ID", left, "RateLimit"}
        assert _without(unchanged, different) == _without(full, different)

    def test_etag_is_weak_and_compared_weakly(self, world):
        path, seen = world.lists[0], world.seen[world.lists[0]]
        assert seen.etag.startswith('W/"')
        for header in (seen.etag, seen.etag.removeprefix("W/"), f'"other", {seen.etag}', "*"):
            assert world.read(path, header).status_code == 304

    def test_etag_is_the_same_for_head(self, world):
        path, seen = world.lists[0], world.seen[world.lists[0]]
        headers = {"If-None-Match": seen.etag}
        assert world.client.head(path, headers=headers).status_code == 304

    def test_etag_is_of_this_query(self, world):
        etags = {seen.etag for seen in world.seen.values()}
        assert len(etags) == len(world.seen)
        wrong = world.read(f"{world.lists[0]}&nonsense=1", world.seen[world.lists[0]].etag)
        assert wrong.status_code == 422

    def test_etag_is_of_these_scopes(self, world, client_of, business):
        path, seen = world.lists[0], world.seen[world.lists[0]]
        other = client_of(factories.make_key(business, scopes=["appointments:read"]))
        assert other.get(path, headers={"If-None-Match": seen.etag}).status_code == 200
        poor = client_of(factories.make_key(business, scopes=["staff:read"]))
        assert poor.get(path, headers={"If-None-Match": seen.etag}).status_code == 403

    def test_html_page_is_always_sent_in_full(self, world):
        path, seen = world.lists[0], world.seen[world.lists[0]]
        asked = f"{path}{'&' if '?' in path else '?'}format=api"
        page = world.client.get(asked, headers={"If-None-Match": seen.etag})
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")

    def test_etag_changes_with_a_release(self, world, monkeypatch):
        path, seen = world.lists[0], world.seen[world.lists[0]]
        monkeypatch.setattr(collection_version, "code_version", lambda: "the next release")
        assert world.read(path, seen.etag).status_code == 200

    def test_total_is_counted_once(self, world, django_assert_max_num_queries):
        for path in world.lists[:2]:
            world.see(path)
            with django_assert_max_num_queries(3):  # the key, the version, the page
                world.see(path)

    def test_total_is_another_for_another_filter(self, world):
        assert world.seen[world.lists[0]].body["meta"]["total"] == 2
        other = world.see(f"{API}/appointments?per_page=1&source=web")
        assert other.body["meta"]["total"] == 1

    @pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis")
    def test_total_is_counted_where_redis_is_away(self, world, monkeypatch):
        gone = caches.create_connection("default")
        gone._servers = ["redis://127.0.0.1:1/0"]
        monkeypatch.setattr(collection_version, "shared_cache", gone)
        monkeypatch.setattr(redis, "breaker", redis.CircuitBreaker())
        for path in world.lists:
            assert world.see(path).body == world.seen[path].body


def _without(response: Any, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in names}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
class TestConcurrentWriters:
    @pytest.fixture
    def late_change(self, client, business):
        """A change that is made before another one and commits after it."""
        world = World(client, business)
        written, may_commit = Event(), Event()

        def change() -> None:
            with transaction.atomic():
                Appointment.objects.filter(pk=world.past.pk).update(notes="late")
                written.set()
                may_commit.wait(10)
            connection.close()

        def commit() -> None:
            may_commit.set()
            thread.join(10)

        thread = Thread(target=change)
        thread.start()
        assert written.wait(10)
        yield world, commit
        commit()

    def test_do_not_wait_for_each_other_and_all_count(self, late_change):
        world, commit = late_change
        before = change_count(connection, world.business.pk, [Appointment])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1ms'")
        Appointment.objects.filter(pk=world.appointment.pk).update(notes="early")
        assert change_count(connection, world.business.pk, [Appointment]) == before + 1
        commit()
        assert change_count(connection, world.business.pk, [Appointment]) == before + 2

    def test_a_late_commit_is_seen(self, late_change):
        world, commit = late_change
        Appointment.objects.filter(pk=world.appointment.pk).update(notes="early")
        world.learn()
        before = dict(world.seen)
        commit()
        world.check()
        assert world.seen != before


class TestTriggers:
    def test_are_created_again_where_they_are_missing(self, world):
        with connection.cursor() as cursor:
            on = " ON customers_customer" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER customers_customer_count_update{on}")
        create_triggers(using="default")
        before = change_count(connection, world.business.pk, [Customer])
        create_triggers(using="default")
        Customer.objects.filter(pk=world.appointment.customer_id).update(notes="counted once")
        assert change_count(connection, world.business.pk, [Customer]) > before

    def test_count_a_bulk_change_of_several_businesses(self, business, other_business):
        rows = [
            Customer(business=owner, name="New", email="n@example.com")
            for owner in (business, other_business)
        ]
        Customer.objects.bulk_create(rows)
        Customer.objects.all().update(notes="bulk")
        Customer.objects.all().delete()
        for owner in (business, other_business):
            assert change_count(connection, owner.pk, [Customer]) >= 3


class TestVersionModels:
    """The rules of a viewset that names its tables."""

    @pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
    def test_are_all_that_is_shown(self, view):
        for serializer in {view.serializer_class, view.detail_serializer_class} - {None}:
            reading = row_reader_for(serializer, view.queryset.model)
            # What a method reads is known only where it declares it.
            assert isinstance(reading, ValuesReader), serializer
            owners = {_owner_of(view.queryset.model, column) for column in reading._columns}
            assert view.queryset.model in owners <= set(view.version_models)

    def test_are_counted(self):
        assert {model for view in VIEWS for model in view.version_models} <= set(counted_models())

    def test_are_named_by_these_alone(self):
        def walk(patterns: Any) -> Any:
            for pattern in patterns:
                yield getattr(getattr(pattern, "callback", None), "cls", None)
                yield from walk(getattr(pattern, "url_patterns", ()))

        views = {view for view in walk(get_resolver().url_patterns) if view is not None}
        resources = {view for view in views if issubclass(view, BusinessViewSet)}
        assert {view for view in resources if view.version_models} == set(VIEWS)


def _owner_of(model: Any, column: str) -> Any:
    *steps, _ = column.split("__")
    for step in steps:
        model = model._meta.get_field(step).related_model
    return model
