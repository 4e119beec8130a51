"""Totals and tags are remembered until something changes. Whoever asks twice must be told what is
true at the second time: here every kind of change is made between the two."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, transaction
from django.urls import get_resolver
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appointments.models import Appointment
from kaivox.api import remembered, settled, unchanged
from kaivox.api.reading import AsTuples, reading_of
from kaivox.api.viewsets import BusinessViewSet
from kaivox.businesses.models import ShownQuerySet, ShownRow
from kaivox.businesses.write_lock import write_transaction
from ratelimits.throttling import EnterpriseThrottle
from services.models import Service
from staff.models import StaffMember
from tests import factories
from tests.api.acts import ACTS, API, VIEWS, World, refresh_segments


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """What a second or a thousand rows would make worth remembering is so at once."""
    monkeypatch.setattr(settled, "CLOCK_SKEW", timedelta(0))
    monkeypatch.setattr(remembered, "MANY_ROWS", 1)
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)


# What changes something at each time shows in some tag.
_SHOWN_ALWAYS = frozenset(ACTS) - {refresh_segments}


@pytest.fixture
def world(client, business) -> World:
    made = World(client, business)
    made.learn()
    return made


class TestAfterAnyAct:
    @pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
    def test_answers_are_the_true_ones(self, world, act):
        before = dict(world.seen)
        act(world)
        world.check()
        assert act not in _SHOWN_ALWAYS or world.seen != before

    @given(acts=st.lists(st.sampled_from(ACTS), min_size=2, max_size=5))
    @hypothesis_settings(
        max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_in_any_order_too(self, world, acts):
        with transaction.atomic():
            for act in acts:
                act(world)
                world.check()
            transaction.set_rollback(True)
        world.learn()

    def test_nothing_of_one_business_is_told_to_another(self, world, stranger):
        for path in world.lists:
            tag = world.seen[path]
            assert stranger.get(path, headers={"If-None-Match": tag}).status_code == 200


class TestTag:
    def test_is_looked_up_without_a_row_being_read(self, world, django_assert_num_queries):
        for path in world.paths:
            with django_assert_num_queries(1):  # the version
                response = world.client.get(path, headers={"If-None-Match": world.seen[path]})
            assert response.status_code == 304

    def test_comes_with_the_headers_of_any_answer(self, world):
        path = world.paths[0]
        full = world.client.get(path)
        spared = world.client.get(path, headers={"If-None-Match": full["ETag"]})
        assert spared.status_code == 304
        assert not spared.content
        left = "X-RateLimit-Remaining"
        assert int(spared[left]) == int(full[left]) - 1
        different = {"Content-Type", "Content-Length", "X-Request-ID", left, "RateLimit"}
        assert _without(spared, different) == _without(full, different)

    def test_is_the_same_for_head(self, world):
        path, tag = next(iter(world.seen.items()))
        assert world.client.head(path, headers={"If-None-Match": tag}).status_code == 304

    def test_is_found_among_several_and_behind_a_w(self, world):
        path, tag = next(iter(world.seen.items()))
        several = f'"other", W/{tag}'
        assert world.client.get(path, headers={"If-None-Match": several}).status_code == 304

    def test_does_not_spare_what_the_caller_may_not_see(self, world, client_of, business):
        path, tag = next(iter(world.seen.items()))
        poor = client_of(factories.make_key(business, scopes=["staff:read"]))
        assert poor.get(path, headers={"If-None-Match": tag}).status_code == 403

    def test_does_not_spare_a_refusal(self, world):
        path, tag = next(iter(world.seen.items()))
        wrong = world.client.get(f"{path}&nonsense=1", headers={"If-None-Match": tag})
        assert wrong.status_code == 422

    def test_of_a_page_for_people_is_worked_out(self, world):
        path, tag = next(iter(world.seen.items()))
        headers = {"If-None-Match": tag, "Accept": "text/html"}
        page = world.client.get(path, headers=headers)
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "ETag" not in page


def _without(response: Any, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in names}


class TestTotal:
    def test_is_counted_once(self, world, django_assert_max_num_queries):
        for path in world.lists[:2]:
            world.told(path)
            with django_assert_max_num_queries(2):  # the page and the version
                world.told(path)

    def test_of_few_rows_is_counted_each_time(self, world, monkeypatch, django_assert_num_queries):
        remembered.forget_all()
        unchanged.forget_all()
        monkeypatch.setattr(remembered, "MANY_ROWS", 3)
        for _ in range(3):
            with django_assert_num_queries(2):  # the page and the count
                world.told(world.lists[0])

    def test_is_another_for_another_filter(self, world):
        assert world.told(world.lists[0])[2] == 2
        assert world.told(f"{API}/appointments?per_page=1&source=web")[2] == 1


class TestVersion:
    def test_of_the_last_second_is_not_trusted(self, world, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr(settled, "CLOCK_SKEW", timedelta(seconds=60))
        remembered.forget_all()
        unchanged.forget_all()
        path = f"{API}/appointments/{world.past.pk}"
        for _ in range(2):
            with django_assert_num_queries(2):  # the version, the row
                assert world.told(path, world.seen[path])[0] == 304

    def test_is_forgotten_after_a_while(self, world, monkeypatch, django_assert_num_queries):
        path = f"{API}/appointments/{world.past.pk}"
        Appointment.objects.filter(pk=world.past.pk).update(
            notes="by hand", updated_at=world.past.updated_at
        )
        assert world.told(path, world.seen[path])[0] == 304
        monkeypatch.setattr("kaivox.api.versions.time.monotonic", lambda: 10.0**9)
        assert world.told(path, world.seen[path])[0] == 200

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
    def test_is_not_trusted_while_an_older_change_may_still_appear(self, client, business):
        world = World(client, business)
        world.learn()
        written, may_commit = Event(), Event()

        def change_late() -> None:
            with write_transaction():
                Appointment.objects.filter(pk=world.past.pk).update(notes="late")
                written.set()
                may_commit.wait(10)
            connection.close()

        thread = Thread(target=change_late)
        thread.start()
        try:
            assert written.wait(10)
            Appointment.objects.filter(pk=world.appointment.pk).update(notes="early")
            world.seen = {path: world.told(path)[1] for path in world.paths}
            for path, tag in world.seen.items():
                assert world.told(path, tag)[0] == 304
        finally:
            may_commit.set()
            thread.join(10)
        before = dict(world.seen)
        world.check()
        assert world.seen != before


class TestShownFrom:
    """What a viewset must keep to that names its tables."""

    @pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
    def test_names_all_that_is_shown(self, view):
        for serializer in {view.serializer_class, view.detail_serializer_class} - {None}:
            reading = reading_of(serializer, view.queryset.model)
            # Of a method that does not say what it `reads` nobody knows what it shows.
            assert isinstance(reading, AsTuples), serializer
            owners = {_owner_of(view.queryset.model, column) for column in reading._columns}
            assert view.queryset.model in owners <= set(view.shown_from)

    @pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
    def test_has_an_index_for_the_newest(self, view):
        for model in view.shown_from:
            indexes = [
                one.fields or [getattr(part, "name", "") for part in one.expressions]
                for one in model._meta.indexes
            ]
            assert ["business", "updated_at", "id"] in indexes, model

    def test_names_rows_that_leave_marks(self):
        for model in {model for view in VIEWS for model in view.shown_from}:
            assert issubclass(model, ShownRow)
            assert isinstance(model._default_manager.all(), ShownQuerySet)

    def test_names_no_table_whose_rows_are_deleted_alone(self):
        for model in {model for view in VIEWS for model in view.shown_from}:
            roles = admin.site._registry[model].delete_roles
            assert not roles or _is_protected(model), model

    def test_is_said_by_these_alone(self):
        def walk(patterns: Any) -> Any:
            for pattern in patterns:
                yield getattr(getattr(pattern, "callback", None), "cls", None)
                yield from walk(getattr(pattern, "url_patterns", ()))

        views = {view for view in walk(get_resolver().url_patterns) if view is not None}
        resources = {view for view in views if issubclass(view, BusinessViewSet)}
        assert {view for view in resources if view.shown_from} == set(VIEWS)


def _owner_of(model: Any, column: str) -> Any:
    *steps, _ = column.split("__")
    for step in steps:
        model = model._meta.get_field(step).related_model
    return model


def _is_protected(model: Any) -> bool:
    """Whether a row of it that an appointment shows cannot be deleted."""
    assert apps.is_installed("appointments")
    return model in (Service, StaffMember) and all(
        field.remote_field.on_delete.__name__ == "PROTECT"
        for field in Appointment._meta.fields
        if field.related_model is model
    )
