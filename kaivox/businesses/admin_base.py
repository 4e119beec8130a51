"""What may a person see and touch in the admin? Rows of the businesses they are a member of, as far
as their role goes there; a superuser everything.

Roles decide, not Django's table of model permissions: a permission there is for all rows alike, a
role is for one business. Every admin of ours extends `BusinessOwnedAdmin`, every inline
`BusinessOwnedInline`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest, HttpResponse

from kaivox.businesses.admin_lists import CappedPaginator, OwnedFilter
from kaivox.businesses.models import Business, BusinessOwned, Membership, Role
from kaivox.businesses.names import renamed
from kaivox.businesses.write_lock import write_transaction
from kaivox.errors import DomainError

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
    _ModelForm = forms.ModelForm[Any]
    _Access = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline
    _ModelForm = forms.ModelForm
    _Access = object

EVERYONE = frozenset(Role)
WRITERS = frozenset({Role.OWNER, Role.STAFF})
OWNERS = frozenset({Role.OWNER})
# A role that no membership has.
SUPERUSERS = frozenset({"superuser"})


def person(request: HttpRequest) -> User:
    """Who is logged in: the actor of an operation."""
    return request.user  # type: ignore[return-value]


def roles_of(request: HttpRequest) -> dict[int, str]:
    """Business id → role of the person who asks; one query a request."""
    found: dict[int, str] | None = getattr(request, "_roles", None)
    if found is None:
        found = dict(
            Membership.objects.filter(user=request.user.pk).values_list("business_id", "role")
        )
        request._roles = found  # type: ignore[attr-defined]
    return found


def businesses_where(request: HttpRequest, roles: Collection[str]) -> set[int]:
    """Ids of the businesses in which the person who asks has one of `roles`."""
    return {business for business, role in roles_of(request).items() if role in roles}


def business_id_of(row: Any, path: str = "business") -> int | None:
    """The business that `row` belongs to; `path` is the look-up, `delivery__endpoint__business`."""
    if isinstance(row, Business):
        return row.pk
    *steps, last = path.split("__")
    for step in steps:
        row = getattr(row, step)
    found: int | None = getattr(row, f"{last}_id", None)
    return found


class OneBusinessForm(_ModelForm):
    """Refuses what belongs to another business than the row itself: members of two businesses are
    offered the choices of both."""

    refusal: ClassVar[DomainError | None] = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        values = self.cleaned_data if cleaned is None else cleaned
        business_id = self._business_id(values)
        for name, value in list(values.items()):
            if business_id is not None and _is_foreign(value, business_id):
                self.add_error(name, "This belongs to another business.")
        if self.refusal is not None:
            self._show(self.refusal)
        return values

    def _business_id(self, values: dict[str, Any]) -> int | None:
        chosen = values.get("business")
        return chosen.pk if chosen else getattr(self.instance, "business_id", None)

    def _show(self, refusal: DomainError) -> None:
        shown = {name: said for name, said in refusal.errors.items() if name in self.fields}
        for name, said in shown.items():
            self.add_error(name, forms.ValidationError(said))
        if not shown:
            self.add_error(None, refusal.message)


class _MemberAccess(_Access):
    """Permissions and choices by membership, for admins and inlines alike."""

    view_roles: ClassVar[Collection[str]] = EVERYONE
    add_roles: ClassVar[Collection[str]] = WRITERS
    change_roles: ClassVar[Collection[str]] = WRITERS
    delete_roles: ClassVar[Collection[str]] = OWNERS
    # From the row to its business.
    business_path: ClassVar[str] = "business"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, {*self.view_roles, *self.change_roles}, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.add_roles, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.change_roles, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.delete_roles, obj)

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        self._limit_choices(db_field, request, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        self._limit_choices(db_field, request, kwargs)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _may(self, request: HttpRequest, roles: Collection[str], obj: Any) -> bool:
        user = request.user
        if not (user.is_active and user.is_staff):
            return False
        if user.is_superuser:
            return bool(roles)
        mine = businesses_where(request, roles)
        return bool(mine) if obj is None else business_id_of(obj, self.business_path) in mine

    def _limit_choices(self, db_field: Any, request: HttpRequest, kwargs: dict[str, Any]) -> None:
        model = db_field.related_model
        if request.user.is_superuser or not issubclass(model, (Business, BusinessOwned)):
            return
        rows = kwargs.get("queryset")
        rows = model._default_manager.all() if rows is None else rows
        if model is Business:  # chosen once, when the row is added
            kwargs["queryset"] = rows.filter(pk__in=businesses_where(request, self.add_roles))
        else:
            mine = businesses_where(request, {*self.add_roles, *self.change_roles})
            kwargs["queryset"] = rows.filter(business__in=mine)


class BusinessOwnedAdmin(_MemberAccess, _ModelAdmin):
    """Base of every admin page of rows that belong to a business.

    `save_model` and `delete_model` of subclasses call the operation; a DomainError that it raises
    comes back as an error of the form, with what the person had typed.
    """

    form = OneBusinessForm
    paginator = CappedPaginator
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        seen = businesses_where(request, {*self.view_roles, *self.change_roles})
        return rows.filter(**{f"{self.business_path}__in": seen})

    def changeable(self, request: HttpRequest, rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Those of `rows` that the person may change: what an action works on."""
        if request.user.is_superuser:
            return rows
        mine = businesses_where(request, self.change_roles)
        return rows.filter(**{f"{self.business_path}__in": mine})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        # A row never moves to another business: what points at it would stay behind.
        return (*fields, "business") if obj is not None and self._has_business else fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        mine = businesses_where(request, self.add_roles)
        return ({"business": mine.pop()} if len(mine) == 1 else {}) | initial

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Choices of a related field are rows of the person's businesses alone."""
        one_business = not request.user.is_superuser and len(roles_of(request)) <= 1
        return [
            (name, OwnedFilter) if self._is_relation(name) else name
            for name in super().get_list_filter(request)
            if not (one_business and name == "business")
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return form if refusal is None else type(form)(form.__name__, (form,), {"refusal": refusal})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "name" in form.changed_data:
            renamed(obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        try:
            with write_transaction():
                return super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            # Nothing was written. The same form again, which now shows why.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    @property
    def _has_business(self) -> bool:
        return self.business_path == "business"

    def _is_relation(self, name: Any) -> bool:
        if not isinstance(name, str) or "__" in name:
            return False
        fields = {field.name: field for field in self.model._meta.get_fields()}
        return name in fields and bool(fields[name].is_relation)


class BusinessOwnedInline(_MemberAccess, _TabularInline):
    """Base of inlines; `obj` of the permissions is the parent row, which has the business."""

    form = OneBusinessForm
    extra = 0


def _is_foreign(value: Any, business_id: int) -> bool:
    if isinstance(value, BusinessOwned):
        return value.business_id != business_id
    if isinstance(value, models.QuerySet) and issubclass(value.model, BusinessOwned):
        return any(row.business_id != business_id for row in value)
    return False
