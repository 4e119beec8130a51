"""One word for one state: the API's value, in the API, the docs, the settings pages and the admin alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import TextChoices

from kaivox.businesses.models import Role
from kaivox.pages.docs.articles import find_article
from webhooks.choices import AttemptOutcome, DeliveryStatus
from webhooks.event_types import EVENT_TYPES

# In the admin, "staff" is who performs services.
OTHER_WORDS = {(Role, Role.STAFF): "Front desk"}
# Documented as what they are: no error, or shown as the HTTP status.
NO_ERRORS = {AttemptOutcome.IN_FLIGHT, AttemptOutcome.SUCCEEDED, AttemptOutcome.HTTP_ERROR}
_ROW = re.compile(r"^\| `(\w+)` \|", re.M)


def choices(base: type[TextChoices] = TextChoices) -> Iterator[type[TextChoices]]:
    for found in base.__subclasses__():
        if not found.__module__.startswith("django"):
            yield found
        yield from choices(found)


def test_labels_begin_with_the_value():
    assert apps.ready
    others = [
        (kind.__name__, value, label)
        for kind in choices()
        for value, label in kind.choices
        if not str(label).casefold().replace("-", " ").startswith(value.replace("_", " "))
        and OTHER_WORDS.get((kind, kind(value))) != label
    ]
    assert others == [], "Begin the label with the value; explain it in brackets."


def test_labels_are_in_sentence_case():
    """Labels of choices, and of the filters of lists: `Front desk`, not `front desk` or `Front Desk`."""
    labels = {
        f"{model._meta.label}.{field.name}": [str(label) for _, label in field.flatchoices]
        for model in apps.get_models()
        for field in model._meta.fields
        if not type(model._meta.app_config).__module__.startswith(("django.", "django_otp."))
    }
    for page in admin.site._registry.values():
        for one in page.list_filter:
            if isinstance(one, type) and issubclass(one, admin.SimpleListFilter):
                found = one.lookups(one, None, page)
                labels[one.__name__] = [str(text) for _, text in found if text not in EVENT_TYPES]
    wrong = [
        f"{where}: {label}"
        for where, found in labels.items()
        for label in found
        if not _is_sentence_case(label)
    ]
    assert sum(map(len, labels.values())) > 100
    assert wrong == []


def _is_sentence_case(label: str) -> bool:
    first, *others = re.findall(r"[^\W_]+", label)
    # A word with further capital letters is a name or an abbreviation: KaiVox, API.
    return (first[0].isupper() or first[0].isdigit()) and all(
        word.islower() or not word[1:].islower() for word in others if word.isalpha()
    )


@pytest.mark.parametrize(
    ("head", "values"),
    (
        ("| `status` | |", set(DeliveryStatus)),
        ("| `error` | |", set(AttemptOutcome) - NO_ERRORS),
    ),
)
def test_the_docs_list_the_states_of_a_delivery(head, values):
    table = find_article("webhooks").text.partition(head)[2].partition("\n\n")[0]
    assert set(_ROW.findall(table)) == set(map(str, values))
