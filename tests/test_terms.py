"""One word for one state: the API's value, in the API, the docs, the settings pages and the admin alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db.models import TextChoices

from kaivox.businesses.models import Role
from kaivox.pages.docs.articles import find_article
from webhooks.choices import AttemptOutcome, DeliveryStatus

# In the admin, "staff" is who performs services.
OTHER_WORDS = {(Role, Role.STAFF): "front desk"}
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
