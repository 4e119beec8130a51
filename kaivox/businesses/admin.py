"""The admin's pages of businesses, their people, their keys, and of who changed what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from kaivox.businesses import operations
from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import (
    OWNERS,
    SUPERUSERS,
    BusinessOwnedAdmin,
    BusinessOwnedInline,
    person,
)
from kaivox.businesses.admin_forms import ApiKeyForm, BusinessForm, PlanForm, RotateForm
from kaivox.businesses.models import ApiKey, AuditEntry, Business, Membership
from kaivox.businesses.operations import BUSINESS_SETTINGS, KEY_SETTINGS, IssuedKey

__all__ = ["BusinessOwnedAdmin", "BusinessOwnedInline"]

Values = dict[str, Any]


# --- Businesses ------------------------------------------------------------------------------


def _change_plan(request: HttpRequest, business: Business, values: Values) -> str:
    changed = operations.change_plan(
        business_id=business.pk, plan=values["plan"], actor=person(request), now=timezone.now()
    )
    return f"{changed} is on {changed.get_plan_display()} from its next request on."


def _suspend(request: HttpRequest, business: Business, values: Values) -> str:
    operations.suspend_business(business_id=business.pk, actor=person(request), now=timezone.now())
    return f"{business} is suspended."


def _reopen(request: HttpRequest, business: Business, values: Values) -> str:
    operations.reopen_business(business_id=business.pk, actor=person(request), now=timezone.now())
    return f"{business} is open again."


def _create_sandbox(request: HttpRequest, business: Business, values: Values) -> str:
    sandbox = operations.create_sandbox(
        business_id=business.pk, actor=person(request), now=timezone.now()
    )
    return f"{sandbox} is ready. Issue a key of it to try things out."


@admin.register(Business)
class BusinessAdmin(ActsAdmin):
    form = BusinessForm
    add_roles = SUPERUSERS
    change_roles = OWNERS
    delete_roles = frozenset()  # what a business did stays on record: suspend it
    business_path = "pk"
    list_display = ("name", "slug", "plan", "timezone", "livemode", "suspended_at")
    list_filter = ("plan", "livemode")
    search_fields = ("name", "slug", "contact_email")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "contact_email", "plan", "livemode", "suspended_at")}),
        ("Place", {"fields": ("timezone", "country", "currency")}),
        (
            "Booking",
            {
                "fields": (
                    "slot_interval_minutes",
                    "minimum_notice_minutes",
                    "horizon_days",
                    "daily_cap_per_staff",
                )
            },
        ),
        ("Calls", {"fields": ("transcript_retention_days", "mask_transcripts")}),
        ("API", {"fields": ("cors_origins",)}),
    )
    acts = (
        Act(
            "plan",
            "Change plan",
            "The new quota holds from the next request on.",
            _change_plan,
            form=PlanForm,
            roles=SUPERUSERS,
        ),
        Act(
            "suspend",
            "Suspend",
            "All API keys are refused from the next request on. Nothing is deleted.",
            _suspend,
            is_offered=lambda business: not business.is_suspended,
            roles=SUPERUSERS,
        ),
        Act(
            "reopen",
            "Reopen",
            "API keys work again from the next request on.",
            _reopen,
            is_offered=lambda business: business.is_suspended,
            roles=SUPERUSERS,
        ),
        Act(
            "sandbox",
            "Create sandbox",
            "A twin of this business with demo data and keys of its own (kv_test_…). Nothing that "
            "is done there touches this business.",
            _create_sandbox,
            is_offered=lambda business: business.livemode,
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("suspended_at",)
        return ("suspended_at", "slug", "plan", "livemode")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        if not change:
            saved = operations.create_business(
                actor=person(request), now=timezone.now(), **form.cleaned_data
            )
        else:
            saved = operations.change_business(
                business_id=obj.pk,
                actor=person(request),
                now=timezone.now(),
                **{name: value for name, value in values.items() if name in BUSINESS_SETTINGS},
            )
        obj.__dict__.update(saved.__dict__)


@admin.register(Membership)
class MembershipAdmin(BusinessOwnedAdmin):
    """Who sees which business. Only superusers change it: owners would have to be shown everybody
    to choose from."""

    view_roles = OWNERS
    add_roles = change_roles = delete_roles = SUPERUSERS
    list_display = ("user", "business", "role", "created_at")
    list_select_related = ("user", "business")
    list_filter = ("business", "role")
    search_fields = ("user__username", "user__email", "business__name")
    ordering = ("business__name", "user__username")
    autocomplete_fields = ("user", "business")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        saved = operations.set_membership(
            business_id=obj.business_id,
            user=obj.user,
            role=obj.role,
            actor=person(request),
            now=timezone.now(),
        )
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        operations.end_membership(membership_id=obj.pk, actor=person(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for membership in self.changeable(request, queryset):
            self.delete_model(request, membership)


# --- Keys ------------------------------------------------------------------------------------


def _rotate(request: HttpRequest, key: ApiKey, values: Values) -> HttpResponse:
    issued = operations.rotate_api_key(
        key_id=key.pk, grace=values["grace"], actor=person(request), now=timezone.now()
    )
    return show_once(request, issued)


def _revoke(request: HttpRequest, key: ApiKey, values: Values) -> str:
    operations.revoke_api_key(key_id=key.pk, actor=person(request), now=timezone.now())
    return f"{key} is revoked."


def show_once(request: HttpRequest, issued: IssuedKey) -> HttpResponse:
    """The page with the new key. The secret is in this answer and nowhere else: pages of the admin
    are `no-store`."""
    context = {
        **admin.site.each_context(request),
        "title": "Copy the key now",
        "key": issued.key,
        "secret": issued.secret,
        "opts": ApiKey._meta,
    }
    return TemplateResponse(request, "admin/businesses/key_issued.html", context)


@admin.register(ApiKey)
class ApiKeyAdmin(ActsAdmin):
    form = ApiKeyForm
    add_roles = change_roles = OWNERS
    delete_roles = frozenset()  # a revoked key stays, so that one found in a log can be told
    list_display = ("name", "business", "shown", "state", "scope_count", "last_used_at")
    list_select_related = ("business",)
    list_filter = ("business",)
    search_fields = ("name", "prefix", "last_four", "business__name")
    ordering = ("-created_at", "-pk")
    autocomplete_fields = ("business",)
    readonly_fields = (
        "shown",
        "state",
        "issued_by",
        "created_at",
        "last_used_at",
        "last_used_address",
    )
    acts = (
        Act(
            "rotate",
            "Rotate",
            "Makes another key with the same settings, which is shown once.",
            _rotate,
            form=RotateForm,
            is_offered=lambda key: key.revoked_at is None,
        ),
        Act(
            "revoke",
            "Revoke",
            "Requests with this key are refused at once. This cannot be undone.",
            _revoke,
            is_offered=lambda key: not key.is_revoked(timezone.now()),
        ),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        settable = ["business", "name", "scopes", "allowed_cidrs", "query_allowed", "expires_at"]
        return settable if obj is None else [*settable, *self.readonly_fields]

    @admin.display(description="key")
    def shown(self, key: ApiKey) -> str:
        return f"{key.prefix}…{key.last_four}"

    @admin.display(description="state")
    def state(self, key: ApiKey) -> str:
        now = timezone.now()
        if key.is_revoked(now):
            return "revoked"
        if key.is_expired(now):
            return "expired"
        if key.revoked_at is not None:
            return f"replaced, valid until {key.revoked_at:%Y-%m-%d %H:%M} UTC"
        return "valid"

    @admin.display(description="scopes")
    def scope_count(self, key: ApiKey) -> str:
        return ", ".join(key.scopes) if len(key.scopes) <= 3 else f"{len(key.scopes)} scopes"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in KEY_SETTINGS}
        if change:
            saved = operations.change_api_key(
                key_id=obj.pk, actor=person(request), now=timezone.now(), **values
            )
        else:
            issued = operations.issue_api_key(
                business_id=obj.business_id, actor=person(request), now=timezone.now(), **values
            )
            request.issued = issued  # type: ignore[attr-defined]
            saved = issued.key
        obj.__dict__.update(saved.__dict__)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return show_once(request, request.issued)  # type: ignore[attr-defined]


# --- Audit -----------------------------------------------------------------------------------


@admin.register(AuditEntry)
class AuditEntryAdmin(BusinessOwnedAdmin):
    """Read only, for everybody."""

    view_roles = OWNERS
    add_roles = change_roles = delete_roles = frozenset()
    list_display = ("at", "business", "actor_name", "action", "subject")
    list_select_related = ("business",)
    list_filter = ("business", "at")
    search_fields = ("action", "subject", "actor_name", "request_id")
    ordering = ("-pk",)
    fields = ("at", "business", "actor_name", "action", "subject", "changes", "request_id")
