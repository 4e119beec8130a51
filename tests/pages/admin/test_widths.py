"""Lists and forms of the admin fit on a screen of 1,280 pixels, and axe-core finds nothing in them."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from kaivox.admin.base import BusinessOwnedAdmin
from kaivox.businesses.models import Membership, Role
from kaivox.demo.catalogue import STUDIO_NINE
from kaivox.demo.seed import seed_business
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.once]

LAPTOP = {"viewport": {"width": 1280, "height": 800}}
ADMINS = [page for page in admin.site._registry.values() if isinstance(page, BusinessOwnedAdmin)]
# Boxes that Django lets scroll sideways, and the page itself.
TOO_WIDE = """() => [...document.querySelectorAll("html, .results, .inline-group, .tabular, fieldset")]
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => `${box.tagName} ${box.className}: ${box.scrollWidth} in ${box.clientWidth}`)"""

# Scripts have named the searched choices, the last of what they name.
NAMED = "() => !document.querySelector('.select2-selection__rendered:not([aria-label])')"


@pytest.fixture
def owner(db):
    """Owner of a business with the demo's data."""
    business = seed_business(STUDIO_NINE, now=timezone.now())
    user = factories.make_user(is_superuser=True)
    Membership.objects.create(business=business, user=user, role=Role.OWNER)
    factories.make_key(business)
    return user


def paths_of(page) -> list[str]:
    """The list, the form of a new row, and the page of the latest row with its actions."""
    name = f"admin:{page.opts.app_label}_{page.opts.model_name}"
    found = [reverse(f"{name}_changelist")]
    if page.add_roles:
        found.append(reverse(f"{name}_add"))
    row = page.model._default_manager.order_by("-pk").first()
    if row is not None:
        found.append(reverse(f"{name}_change", args=[row.pk]))
    return found


def test_nothing_overflows_and_everything_is_accessible(visit, owner):
    visitor = visit(**LAPTOP)
    visitor.log_in(owner)
    wrong = []
    for model_admin in ADMINS:
        for path in paths_of(model_admin):
            page = visitor.open(path)
            page.wait_for_function(NAMED)
            wrong += [f"{path}: {box}" for box in page.evaluate(TOO_WIDE)]
            wrong += [f"{path}: {word} is broken" for word in visitor.broken_words("#result_list")]
            wrong += [f"{path}: {violation}" for violation in visitor.violations_in_both_schemes()]
    assert wrong == []
