"""Tenant-scoped ModelAdmin: a member sees and changes rows of their businesses, as their role allows.

Superusers see all rows. Permissions follow the role of the membership, not Django's model
permissions, which apply to all rows of a model alike. Every ModelAdmin extends
`BusinessOwnedAdmin`, every inline `BusinessOwnedInline`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from kaivox.admin.business_choice import (
    IdsField,
    TenantAutocompleteSelect,
    choice_page,
    chosen_business,
    searched_business,
)
from kaivox.admin.changelists import CappedPaginator, TenantFieldListFilter
from kaivox.admin.columns import time_column
from kaivox.admin.history import HistoryEntry, history_of
from kaivox.api.request_context import context_of
from kaivox.api.values import check_name
from kaivox.businesses.denormalized_names import touch_dependents
from kaivox.businesses.models import Business, BusinessOwned, Membership, Role
from kaivox.db.transactions import write_transaction
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
WRITERS = frozenset({Role.OWNER, Role.DEVELOPER, Role.STAFF})
# API keys, webhooks and the request log.
DEVELOPERS = frozenset({Role.OWNER, Role.DEVELOPER})
OWNERS = frozenset({Role.OWNER})
# A pseudo role that no membership has: only superusers pass.
SUPERUSERS = frozenset({"superuser"})


def person(request: HttpRequest) -> User:
    """The logged-in user, as the actor of an operation."""
    return request.user  # type: ignore[return-value]


def roles_of(request: HttpRequest) -> Mapping[int, str]:
    """Business id → role of the logged-in user; one query per request."""
    context = context_of(request)
    if context.roles is None:
        context.roles = dict(
            Membership.objects.filter(user=request.user.pk).values_list("business_id", "role")
        )
    return context.roles


def businesses_where(request: HttpRequest, roles: Collection[str]) -> set[int]:
    """Ids of the businesses in which the logged-in user has one of `roles`."""
    return {business for business, role in roles_of(request).items() if role in roles}


def business_id_of(row: Any, path: str = "business") -> int | None:
    """Id of the business of `row`; `path` is the look-up, such as `delivery__endpoint__business`."""
    if isinstance(row, Business):
        return row.pk
    *steps, last = path.split("__")
    for step in steps:
        row = getattr(row, step)
    found: int | None = getattr(row, f"{last}_id", None)
    return found


def zone_of(row: Any, path: str = "business") -> tzinfo:
    """Time zone of the business of `row`; `path` as in `business_id_of`."""
    if not isinstance(row, Business):
        for step in path.split("__"):
            row = getattr(row, step)
    found: tzinfo = row.zone
    return found


class TenantModelForm(_ModelForm):
    """Offers related rows of the row's business alone, and rejects others."""

    domain_error: ClassVar[DomainError | None] = None
    # The business of a new row, where it is chosen already.
    chosen_business: ClassVar[Business | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        business_id = getattr(self.instance, "business_id", None)
        if business_id is None and self.chosen_business is not None:
            business_id = self.chosen_business.pk
            self._fix_business(business_id)
        if business_id is None:
            return
        for field in self.fields.values():
            widget = getattr(field.widget, "widget", field.widget)
            if isinstance(widget, TenantAutocompleteSelect):
                widget.business_id = business_id
            if not isinstance(field, forms.ModelChoiceField) or field.queryset is None:
                continue
            if issubclass(field.queryset.model, BusinessOwned):
                field.queryset = field.queryset.filter(business_id=business_id)

    def _fix_business(self, business_id: int) -> None:
        field = self.fields.get("business")
        if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
            field.queryset = field.queryset.filter(pk=business_id)
            field.empty_label = None
            field.disabled = True
            field.widget = getattr(field.widget, "widget", field.widget)  # without its links
            self.initial["business"] = business_id

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        values = self.cleaned_data if cleaned is None else cleaned
        if values.get("name"):
            try:
                check_name(values["name"])
            except ValueError as error:
                self.add_error("name", str(error))
        business_id = self._business_id(values)
        for name, value in list(values.items()):
            if business_id is not None and _is_foreign(value, business_id):
                self.add_error(name, "This belongs to another business.")
        if self.domain_error is not None:
            self._show(self.domain_error)
        return values

    def _business_id(self, values: dict[str, Any]) -> int | None:
        chosen = values.get("business")
        return chosen.pk if chosen else getattr(self.instance, "business_id", None)

    def _show(self, error: DomainError) -> None:
        shown = {name: texts for name, texts in error.errors.items() if name in self.fields}
        for name, texts in shown.items():
            self.add_error(name, forms.ValidationError(texts))
        if not shown:
            self.add_error(None, error.message)


class MembershipPermissionMixin(_Access):
    """Permissions and choices by membership, for admins and inlines alike."""

    view_roles: ClassVar[Collection[str]] = EVERYONE
    add_roles: ClassVar[Collection[str]] = WRITERS
    change_roles: ClassVar[Collection[str]] = WRITERS
    delete_roles: ClassVar[Collection[str]] = OWNERS
    # Look-up path from the row to its business.
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
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", TenantAutocompleteSelect(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        self._limit_choices(db_field, request, kwargs)
        kwargs.setdefault("form_class", IdsField)
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
        if model is Business:  # chosen only when a row is added
            kwargs["queryset"] = rows.filter(pk__in=businesses_where(request, self.add_roles))
        else:
            mine = businesses_where(request, {*self.add_roles, *self.change_roles})
            kwargs["queryset"] = rows.filter(business__in=mine)


class BusinessOwnedAdmin(MembershipPermissionMixin, _ModelAdmin):
    """Base of every admin page of rows that belong to a business.

    `save_model` and `delete_model` of subclasses call an operation. A DomainError that it raises is
    shown as an error of the form, which is bound to the submitted values.
    """

    form = TenantModelForm
    paginator = CappedPaginator
    change_form_template = "admin/business_owned_change_form.html"
    object_history_template = "admin/object_history_of_all_channels.html"
    show_full_result_count = False
    # Columns that are shown as badges.
    badge_columns: ClassVar[Collection[str]] = ("state",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request)
        if self._has_business and (searched := searched_business(request)):
            rows = rows.filter(business=searched)
        if request.user.is_superuser:
            return rows
        seen = businesses_where(request, {*self.view_roles, *self.change_roles})
        return rows.filter(**{f"{self.business_path}__in": seen})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's log of admin changes, followed by `history_of` for owners, as in the audit."""
        row = self.get_object(request, object_id)
        history: list[HistoryEntry] = []
        if row is not None and self._may(request, OWNERS, row):
            business_id = business_id_of(row, self.business_path)
            history = history_of(row, business_id=business_id) if business_id else []
        with timezone.override(self._zone(request, row)):
            response = super().history_view(
                request, object_id, {"history": history, **(extra_context or {})}
            )
            return rendered(response)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Times are shown in the zone of each row's business."""
        return [self._in_local_time(name) for name in super().get_list_display(request)]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """The first column links to the row; where it is a badge, the second."""
        if list_display[0] in self.badge_columns:
            return list(list_display)[1:2]
        return super().get_list_display_links(request, list_display)

    def changeable(self, request: HttpRequest, rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Those of `rows` that the logged-in user may change; for admin actions."""
        if request.user.is_superuser:
            return rows
        mine = businesses_where(request, self.change_roles)
        return rows.filter(**{f"{self.business_path}__in": mine})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        # A row never moves to another business: rows that reference it would not move with it.
        return (*fields, "business") if obj is not None and self._has_business else fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        business = self._chosen(request)
        return ({"business": business.pk} if business else {}) | initial

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Asks for the business first, unless the address names it or there is only one."""
        if self._has_business and self.has_add_permission(request):
            page = choice_page(request, self, self._businesses_to_add_to(request))
            if page is not None:
                return page
        return super().add_view(request, form_url, extra_context)

    def _businesses_to_add_to(self, request: HttpRequest) -> models.QuerySet[Business]:
        if request.user.is_superuser:
            return Business.objects.all()
        return Business.objects.filter(pk__in=businesses_where(request, self.add_roles))

    def _chosen(self, request: HttpRequest) -> Business | None:
        return chosen_business(request, self._businesses_to_add_to(request))

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Limits choices of related fields to rows of the user's businesses."""
        one_business = not request.user.is_superuser and len(roles_of(request)) <= 1
        return [
            (name, TenantFieldListFilter) if self._is_relation(name) else name
            for name in super().get_list_filter(request)
            if not (one_business and name == "business")
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        of_request: dict[str, Any] = {"domain_error": context_of(request).form_error}
        if obj is None and self._has_business:
            of_request["chosen_business"] = self._chosen(request)
        return type(form)(form.__name__, (form,), of_request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and {"name", "is_active"} & set(form.changed_data):
            touch_dependents(obj)  # lists elsewhere show only active services and staff

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Times are shown and entered in the zone of the business."""
        row = None if object_id is None else self.get_object(request, unquote(object_id))
        with timezone.override(self._zone(request, row)):
            context = {"zone_name": timezone.get_current_timezone_name(), **(extra_context or {})}
            return rendered(self._changeform(request, object_id, form_url, context))

    def _changeform(self, request: HttpRequest, *args: Any) -> HttpResponse:
        if request.method != "POST":
            return super().changeform_view(request, *args)
        try:
            with write_transaction():
                return super().changeform_view(request, *args)
        except DomainError as error:
            # The transaction was rolled back. Render the form again, now with the error.
            context_of(request).form_error = error
            return super().changeform_view(request, *args)

    def _zone(self, request: HttpRequest, row: Any) -> tzinfo:
        """Of the business of `row`, or of a new row; UTC where it is not chosen yet."""
        if row is not None:
            return zone_of(row, self.business_path)
        business = self._chosen(request) if self._has_business else None
        return business.zone if business else UTC

    def _in_local_time(self, name: Any) -> Any:
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:
            return name
        if not isinstance(field, models.DateTimeField):
            return name
        label = str(field.verbose_name)
        return time_column(name, label, lambda row: zone_of(row, self.business_path))

    @property
    def _has_business(self) -> bool:
        return self.business_path == "business"

    def _is_relation(self, name: Any) -> bool:
        if not isinstance(name, str) or "__" in name:
            return False
        fields = {field.name: field for field in self.model._meta.get_fields()}
        return name in fields and bool(fields[name].is_relation)


class BusinessOwnedInline(MembershipPermissionMixin, _TabularInline):
    """Base of inlines; permission checks get the parent row, which has the business."""

    form = TenantModelForm
    extra = 0


def rendered(response: HttpResponse) -> HttpResponse:
    """Renders now what Django would render later, when the time zone is another again."""
    return response.render() if isinstance(response, TemplateResponse) else response


def _is_foreign(value: Any, business_id: int) -> bool:
    if isinstance(value, BusinessOwned):
        return value.business_id != business_id
    if isinstance(value, models.QuerySet) and issubclass(value.model, BusinessOwned):
        return any(row.business_id != business_id for row in value)
    return False
