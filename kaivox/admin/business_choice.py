"""The business of a row that is added: chosen first, so that the form offers rows of that business alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.http import urlencode

from kaivox.api.values import parse_id
from kaivox.businesses.models import Business

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _ModelMultipleChoiceField = ModelMultipleChoiceField[Any]
else:
    _ModelMultipleChoiceField = ModelMultipleChoiceField

# With more than these the form comes first, and rejects rows of another business.
MAX_CHOICES: Final = 500


class TenantAutocompleteSelect(AutocompleteSelect):
    """A searched choice among rows of `business_id`, where it is set."""

    business_id: int | None = None

    def get_url(self) -> str:
        url = super().get_url()
        if self.business_id is None:
            return url
        return f"{url}?{urlencode({'business': self.business_id})}"

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        """Without values that are no ids, from the query or a form: Django would query for them."""
        return super().optgroups(name, [one for one in value if parse_id(str(one))], attr)


class IdsField(_ModelMultipleChoiceField):
    """Several rows. A value that is no id is an invalid choice: Django would query for it."""

    def clean(self, value: Any) -> Any:
        for one in value if isinstance(value, list | tuple) else ():
            if parse_id(str(one)) is None:
                raise ValidationError(
                    self.error_messages["invalid_pk_value"],
                    code="invalid_pk_value",
                    params={"pk": one},
                )
        return super().clean(value)


def searched_business(request: HttpRequest) -> int | None:
    """The business whose rows a `TenantAutocompleteSelect` searches; None for other requests."""
    match = request.resolver_match
    if match is None or match.url_name != "autocomplete":
        return None
    return parse_id(request.GET.get("business", ""))


def chosen_business(request: HttpRequest, allowed: QuerySet[Business]) -> Business | None:
    """The business that the form or `?business=` names, else the only one of `allowed`."""
    text = request.POST.get("business") or request.GET.get("business")
    if text:
        found = parse_id(text)
        return allowed.filter(pk=found).first() if found else None
    some = list(allowed.order_by("pk")[:2])
    return some[0] if len(some) == 1 else None


def choice_page(
    request: HttpRequest, admin: ModelAdmin[Any], allowed: QuerySet[Business]
) -> TemplateResponse | None:
    """The page that asks for the business; None where one is chosen, or there are too few or many."""
    if request.method == "POST" or chosen_business(request, allowed) is not None:
        return None
    businesses = list(allowed.order_by("name", "pk")[: MAX_CHOICES + 1])
    if not 1 < len(businesses) <= MAX_CHOICES:
        return None
    context = {
        **admin.admin_site.each_context(request),
        "title": f"Add {admin.opts.verbose_name}",
        "opts": admin.opts,
        "businesses": businesses,
        "others": [item for item in request.GET.items() if item[0] != "business"],
        "is_popup": "_popup" in request.GET,
    }
    return TemplateResponse(request, "admin/choose_business.html", context)
