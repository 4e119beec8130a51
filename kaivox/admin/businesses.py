"""Admin of businesses, memberships and API keys."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from kaivox.admin.base import DEVELOPERS, OWNERS, SUPERUSERS, BusinessOwnedAdmin, person
from kaivox.admin.business_forms import ApiKeyForm, BusinessForm, PlanForm, RotateForm
from kaivox.admin.columns import Tone, badge, local_time
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from kaivox.api.request_context import context_of
from kaivox.businesses import members, operations
from kaivox.businesses.models import ApiKey, Business, Membership
from kaivox.businesses.operations import BUSINESS_SETTINGS, KEY_SETTINGS, IssuedKey

Values = dict[str, Any]


# --- Businesses ------------------------------------------------------------------------------


def _change_plan(request: HttpRequest, business: Business, values: Values) -> str:
    changed = operations.change_plan(
        business_id=business.pk, plan=values["plan"], actor=person(request), now=timezone.now()
    )
    return f"{changed} is on {changed.get_plan_display()} from the next request on."


def _suspend(request: HttpRequest, business: Business, values: Values) -> str:
    operations.suspend_business(business_id=business.pk, actor=person(request), now=timezone.now())
    return f"{business} is suspended."


def _reactivate(request: HttpRequest, business: Business, values: Values) -> str:
    operations.reopen_business(business_id=business.pk, actor=person(request), now=timezone.now())
    return f"{business} is active again."


def _create_sandbox(request: HttpRequest, business: Business, values: Values) -> str:
    sandbox = operations.create_sandbox(
        business_id=business.pk, actor=person(request), now=timezone.now()
    )
    return f"{sandbox} is ready. Issue an API key for it to try it."


@admin.register(Business)
class BusinessAdmin(ObjectActionsAdmin):
    form = BusinessForm
    add_roles = SUPERUSERS
    change_roles = OWNERS
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    delete_roles = frozenset()  # its history is preserved: suspend it instead
    business_path = "pk"
    list_display = ("state", "name", "slug", "plan", "timezone")
    list_filter = ("plan", "livemode")
    search_fields = ("name", "slug", "contact_email")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "contact_email", "plan", "livemode", "suspended_at")}),
        ("Region", {"fields": ("timezone", "country", "currency")}),
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
        ("Reminders", {"fields": ("reminder_hours",)}),
        ("Calls", {"fields": ("transcript_retention_days", "mask_transcripts")}),
        ("API", {"fields": ("cors_origins",)}),
    )
    object_actions = (
        ObjectAction(
            "plan",
            "Change plan",
            "The new quota applies from the next request on.",
            _change_plan,
            form=PlanForm,
            roles=SUPERUSERS,
        ),
        ObjectAction(
            "suspend",
            "Suspend",
            "All API keys are rejected from the next request on. Nothing is deleted.",
            _suspend,
            is_offered=lambda business: not business.is_suspended,
            roles=SUPERUSERS,
        ),
        ObjectAction(
            "reopen",
            "Reactivate",
            "API keys work again from the next request on.",
            _reactivate,
            is_offered=lambda business: business.is_suspended,
            roles=SUPERUSERS,
        ),
        ObjectAction(
            "sandbox",
            "Create sandbox",
            "Creates a copy of this business with demo data and its own keys (kv_test_…). Changes "
            "there do not affect this business.",
            _create_sandbox,
            is_offered=lambda business: business.livemode,
        ),
    )

    @admin.display(description="status", ordering="suspended_at")
    def state(self, business: Business) -> SafeString:
        if business.is_suspended:
            return badge("Suspended", Tone.BAD)
        return badge("Active", Tone.GOOD) if business.livemode else badge("Sandbox", Tone.INFO)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("suspended_at",)
        return ("suspended_at", "slug", "plan", "livemode")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else super().get_prepopulated_fields(request, obj)

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
    """Memberships. Only superusers change them: the form shows every user to choose from."""

    view_roles = OWNERS
    add_roles = change_roles = delete_roles = SUPERUSERS
    list_display = ("state", "user", "business", "role", "created_at")
    list_select_related = ("user", "business")
    list_filter = ("business", "role")
    search_fields = ("user__username", "user__email", "business__name")
    ordering = ("business__name", "user__username")
    autocomplete_fields = ("user", "business")

    @admin.display(description="status", ordering="user__is_active")
    def state(self, membership: Membership) -> SafeString:
        if membership.user.is_active:
            return badge("Active", Tone.GOOD)
        return badge("Login disabled", Tone.QUIET)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        saved = members.set_membership(
            business_id=obj.business_id,
            user=obj.user,
            role=obj.role,
            actor=person(request),
            now=timezone.now(),
        )
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        members.end_membership(membership_id=obj.pk, actor=person(request), now=timezone.now())

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
    """The page with the new key. The secret is only in this response, which is `no-store`."""
    context = {
        **admin.site.each_context(request),
        "title": "Copy the key now",
        "key": issued.key,
        "secret": issued.secret,
        "opts": ApiKey._meta,
    }
    return TemplateResponse(request, "businesses/key_issued.html", context)


@admin.register(ApiKey)
class ApiKeyAdmin(ObjectActionsAdmin):
    form = ApiKeyForm
    view_roles = add_roles = change_roles = DEVELOPERS
    delete_roles = (
        frozenset()
    )  # a revoked key remains, so that one found in a log can be identified
    list_display = ("state", "name", "business", "shown", "scope_count", "last_used_at")
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
    object_actions = (
        ObjectAction(
            "rotate",
            "Rotate",
            "Issues a new key with the same settings. It is shown only once.",
            _rotate,
            form=RotateForm,
            roles=DEVELOPERS,
            is_offered=lambda key: key.revoked_at is None and not key.is_expired(timezone.now()),
        ),
        ObjectAction(
            "revoke",
            "Revoke",
            "Requests with this key are rejected from now on. This cannot be undone.",
            _revoke,
            roles=DEVELOPERS,
            is_offered=lambda key: not key.is_revoked(timezone.now()),
        ),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        settable = ["business", "name", "scopes", "allowed_cidrs", "query_allowed", "expires_at"]
        return settable if obj is None else [*settable, *self.readonly_fields]

    @admin.display(description="key")
    def shown(self, key: ApiKey) -> str:
        return f"{key.prefix}…{key.last_four}"

    @admin.display(description="status")
    def state(self, key: ApiKey) -> SafeString:
        now = timezone.now()
        if key.is_revoked(now):
            return badge("Revoked", Tone.QUIET)
        if key.is_expired(now):
            return badge("Expired", Tone.QUIET)
        if key.revoked_at is not None:
            until = local_time(key.revoked_at, key.business.zone)
            return badge(f"Rotated, active until {until}", Tone.WARNING)
        return badge("Active", Tone.GOOD)

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
            context_of(request).issued_key = issued
            saved = issued.key
        obj.__dict__.update(saved.__dict__)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return show_once(request, context_of(request).issued_key)
