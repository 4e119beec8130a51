"""Object actions: buttons on an admin page that run an operation, after a page that asks to confirm."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from kaivox.admin.base import OWNERS, BusinessOwnedAdmin, rendered
from kaivox.admin.related_lists import related_lists
from kaivox.errors import DomainError
from kaivox.registry import Registry


def _always(row: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ObjectAction:
    """One button of a change page.

    `run(request, row, values)` returns the sentence to show afterwards, or a response of its own;
    `values` are the cleaned fields of `form`. `form_for(row)` returns the form class, or a partial of
    it, where its choices or initial values depend on the row. `dismiss_label` is on the link that
    leaves without running.
    """

    name: str
    label: str
    explanation: str
    run: Callable[[HttpRequest, Any, dict[str, Any]], str | HttpResponse]
    form: type[forms.Form] = forms.Form
    is_offered: Callable[[Any], bool] = _always
    roles: Collection[str] = OWNERS
    form_for: Callable[[Any], Callable[[Any], forms.Form]] | None = None
    dismiss_label: str = "Cancel"


# Actions that an app adds to the admin of a model in a lower layer, by the model's label.
extra_actions: Final[Registry[ObjectAction]] = Registry("object actions of models in lower layers")


class ObjectActionsAdmin(BusinessOwnedAdmin):
    """`BusinessOwnedAdmin` with object actions."""

    object_actions: ClassVar[tuple[ObjectAction, ...]] = ()

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<path:object_id>/act/<slug:name>/",
            self.admin_site.admin_view(self.object_action_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_act",
        )
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        context["object_actions"] = [
            (action, self._url(action, row))
            for action in self._actions()
            if row is not None and self._offers(action, request, row)
        ]
        if row is not None:
            found = (related(row) for related in related_lists.all(self.opts.label))
            context["related_lists"] = [one for one in found if one is not None]
        return super().render_change_form(request, context, *args, **kwargs)

    def object_action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """GET asks to confirm, POST runs the action and redirects to the change page, or to the path in
        `?next=`. Times are shown and entered in the zone of the business."""
        row = self.get_object(request, object_id)
        action = next((action for action in self._actions() if action.name == name), None)
        if row is None or action is None:
            raise Http404
        if not self._offers(action, request, row):
            raise PermissionDenied
        with timezone.override(self._zone(request, row)):
            return rendered(self._run(request, action, row))

    def _run(self, request: HttpRequest, action: ObjectAction, row: Any) -> HttpResponse:
        form_class = action.form_for(row) if action.form_for else action.form
        form = form_class(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                result = action.run(request, row, form.cleaned_data)
            except DomainError as error:
                form.add_error(None, " ".join(error.texts))
            else:
                return self._after(request, row, action.label, result)
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "action": action,
            "form": form,
            "zone_name": timezone.get_current_timezone_name(),
            "original": row,
            "opts": self.opts,
            "back": self._back(request, row),
        }
        return TemplateResponse(request, "admin/object_action.html", context)

    def _back(self, request: HttpRequest, row: Any) -> str:
        """Where the page leads afterwards: `?next=` if it is of this site, else the change page."""
        path = request.GET.get("next", "")
        if url_has_allowed_host_and_scheme(
            path, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        ):
            return path
        return reverse(admin_urlname(self.opts, "change"), args=[row.pk])

    def _after(
        self, request: HttpRequest, row: Any, label: str, result: str | HttpResponse
    ) -> HttpResponse:
        self._log(request, row, label)
        if isinstance(result, HttpResponse):
            return result
        messages.success(request, result)
        return HttpResponseRedirect(self._back(request, row))

    def _actions(self) -> Sequence[ObjectAction]:
        return (*self.object_actions, *extra_actions.all(self.opts.label))

    def _log(self, request: HttpRequest, row: Any, label: str) -> None:
        """Adds the action to the object's History. The row is read again, as its name may have
        changed; an action that deletes the row leaves no entry."""
        fresh = self.model._base_manager.filter(pk=row.pk).first()
        if fresh is not None:
            self.log_change(request, fresh, f"{label}.")

    def _offers(self, action: ObjectAction, request: HttpRequest, row: Any) -> bool:
        return self._may(request, action.roles, row) and action.is_offered(row)

    def _url(self, action: ObjectAction, row: Any) -> str:
        return reverse(admin_urlname(self.opts, "act"), args=[row.pk, action.name])


def admin_urlname(opts: Any, name: str) -> str:
    return f"{admin.site.name}:{opts.app_label}_{opts.model_name}_{name}"
