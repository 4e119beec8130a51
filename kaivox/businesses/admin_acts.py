"""Buttons on an admin page that run an operation: each asks first, then acts by POST."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from kaivox.businesses.admin_base import OWNERS, BusinessOwnedAdmin
from kaivox.errors import DomainError


def _always(row: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Act:
    """One button. `run(request, row, values)` returns the sentence to show afterwards, or an answer
    of its own; `values` are the cleaned fields of `form`. `form_for(row)` makes the form where its
    choices or first values depend on the row."""

    name: str
    label: str
    explanation: str
    run: Callable[[HttpRequest, Any, dict[str, Any]], str | HttpResponse]
    form: type[forms.Form] = forms.Form
    is_offered: Callable[[Any], bool] = _always
    roles: Collection[str] = OWNERS
    form_for: Callable[[Any], type[forms.Form]] | None = None


class ActsAdmin(BusinessOwnedAdmin):
    """`BusinessOwnedAdmin` with buttons."""

    acts: ClassVar[tuple[Act, ...]] = ()
    change_form_template = "admin/change_form_with_acts.html"

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<path:object_id>/act/<slug:name>/",
            self.admin_site.admin_view(self.act_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_act",
        )
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        offered = [act for act in self.acts if row is not None and self._offers(act, request, row)]
        context["acts"] = [(act, self._url(act, row)) for act in offered]
        return super().render_change_form(request, context, *args, **kwargs)

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        act = next((act for act in self.acts if act.name == name), None)
        if row is None or act is None:
            raise Http404
        if not self._offers(act, request, row):
            raise PermissionDenied
        form_class = act.form_for(row) if act.form_for else act.form
        form = form_class(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                done = act.run(request, row, form.cleaned_data)
            except DomainError as refusal:
                form.add_error(None, _sentence(refusal))
            else:
                return self._after(request, row, done)
        context = {
            **self.admin_site.each_context(request),
            "title": act.label,
            "act": act,
            "form": form,
            "original": row,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/act.html", context)

    def _after(self, request: HttpRequest, row: Any, done: str | HttpResponse) -> HttpResponse:
        if isinstance(done, HttpResponse):
            return done
        messages.success(request, done)
        return HttpResponseRedirect(reverse(admin_urlname(self.opts, "change"), args=[row.pk]))

    def _offers(self, act: Act, request: HttpRequest, row: Any) -> bool:
        return self._may(request, act.roles, row) and act.is_offered(row)

    def _url(self, act: Act, row: Any) -> str:
        return reverse(admin_urlname(self.opts, "act"), args=[row.pk, act.name])


def admin_urlname(opts: Any, name: str) -> str:
    return f"{admin.site.name}:{opts.app_label}_{opts.model_name}_{name}"


def _sentence(refusal: DomainError) -> str:
    return " ".join(said for field in refusal.errors.values() for said in field) or refusal.message
