"""Base classes of the admin: tenant-scoped forms, choices and permissions."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.forms import modelform_factory
from django.test import RequestFactory

from appointments.models import Appointment
from kaivox.admin.base import (
    BusinessOwnedAdmin,
    BusinessOwnedInline,
    TenantModelForm,
    business_id_of,
)
from kaivox.errors import Conflict, Invalid
from staff.models import StaffMember
from tests.factories import make_appointment, make_service, make_staff, make_user

pytestmark = pytest.mark.once_in_production


def asked_by(user):
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


class TestTenantModelForm:
    """A member of two businesses is offered the choices of both."""

    def test_rejects_a_choice_of_another_business(self, business, other_business):
        form_class = modelform_factory(
            StaffMember, TenantModelForm, fields=("business", "services")
        )
        own, foreign = make_service(business), make_service(other_business)
        form = form_class({"business": business.pk, "services": [own.pk, foreign.pk]})

        assert form.errors == {"services": ["This belongs to another business."]}

    def test_uses_the_business_of_an_existing_row(self, business, other_business):
        form_class = modelform_factory(Appointment, TenantModelForm, fields=("staff",))
        row, foreign = make_appointment(business), make_staff(other_business)

        assert form_class({"staff": foreign.pk}, instance=row).errors == {
            "staff": ["Select a valid choice. That choice is not one of the available choices."]
        }
        assert form_class({"staff": row.staff_id}, instance=row).is_valid()

    @pytest.mark.parametrize(
        ("error", "shown"),
        (
            (Invalid(errors={"name": ["Too long."]}), {"name": ["Too long."]}),
            (Invalid(errors={"elsewhere": ["No."]}), {"__all__": [Invalid.message]}),
            (Conflict("Not free."), {"__all__": ["Not free."]}),
        ),
    )
    def test_shows_the_error_of_an_operation(self, error, shown, db):
        form_class = modelform_factory(StaffMember, TenantModelForm, fields=("name",))
        form_class.domain_error = error

        assert form_class({"name": "Ana"}).errors == shown


class TestChoices:
    @pytest.fixture
    def staff_admin(self):
        return type("Plain", (BusinessOwnedAdmin,), {})(StaffMember, admin.site)

    def test_are_of_the_persons_businesses(self, staff_admin, business, other_business):
        own = make_service(business)
        make_service(other_business)
        request = asked_by(make_user(business))
        form = staff_admin.get_form(request)()

        assert list(form.fields["services"].queryset) == [own]
        assert list(form.fields["business"].queryset) == [business]

    def test_name_the_business_where_there_is_one_alone(
        self, staff_admin, business, other_business
    ):
        person = make_user(business)

        assert staff_admin.get_changeform_initial_data(asked_by(person)) == {
            "business": business.pk
        }
        other_business.memberships.create(user=person)
        assert staff_admin.get_changeform_initial_data(asked_by(person)) == {}

    def test_an_analyst_has_none(self, staff_admin, business):
        request = asked_by(make_user(business, role="analyst"))

        assert not staff_admin.has_add_permission(request)
        assert staff_admin.has_view_permission(request, make_staff(business))

    def test_actions_work_on_what_may_be_changed(self, staff_admin, business, other_business):
        person = make_user(business)
        other_business.memberships.create(user=person, role="analyst")
        own, seen = make_staff(business), make_staff(other_business)
        request = asked_by(person)
        rows = staff_admin.get_queryset(request)

        assert set(rows) == {own, seen}
        assert list(staff_admin.changeable(request, rows)) == [own]


class TestInlines:
    def test_follow_the_parent(self, business, other_business):
        inline = type("Hours", (BusinessOwnedInline,), {"model": StaffMember})(
            StaffMember, admin.site
        )
        request = asked_by(make_user(business, role="staff"))

        assert inline.has_change_permission(request, business)
        assert inline.has_add_permission(request, make_staff(business))
        assert not inline.has_delete_permission(request, business)
        assert not inline.has_view_permission(request, other_business)


class TestBusinessIdOf:
    def test_walks_the_path(self, business):
        row = make_appointment(business)

        assert business_id_of(business, "pk") == business.pk
        assert business_id_of(row) == business.pk
        assert business_id_of(row, "staff__business") == business.pk
