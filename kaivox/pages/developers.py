"""The developers' page, the docs, and both as text for machines. None of them asks the database."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from kaivox import health
from kaivox.businesses.models import Plan
from kaivox.pages.articles import (
    Article,
    articles,
    as_html,
    code_blocks,
    find_article,
    line_as_html,
)
from kaivox.pages.openapi import Operation, operations
from kaivox.pages.samples import samples
from ratelimits.throttling import QUOTAS
from ratelimits.window import Quota
from webhooks.event_types import EVENT_TYPES

# The order of the developers' page; what is not named comes after.
_TAGS: Final = ("appointments", "customers", "calls", "staff", "services", "webhooks", "business")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What it is, and from nothing to a verified webhook."""
    return HttpResponse(_home("pages/developers.html", timezone.now().date()))


@require_safe
def home_text(request: HttpRequest) -> HttpResponse:
    return _markdown(_home("pages/developers.md", timezone.now().date()))


@lru_cache(maxsize=4)
def _home(template: str, today: date) -> str:
    return render_to_string(template, _facts(today))


def _facts(today: date) -> dict[str, Any]:
    found = articles()
    receiver, booking = (
        block for block in code_blocks("quickstart") if block.startswith("```python")
    )
    return {
        "place": "developers",
        "base": settings.PUBLIC_URL,
        "groups": _groups(today),
        "receiver": as_html(receiver)[0],
        "booking": as_html(booking)[0],
        "plans": [(Plan(name).label, *_in_words(quota)) for name, quota in QUOTAS.items()],
        "events": [(kind.name, line_as_html(kind.meaning)) for kind in EVENT_TYPES.values()],
        "plain_events": [(kind.name, kind.meaning) for kind in EVENT_TYPES.values()],
        "error_count": _found("errors").text.count("\n### "),
        "recipes": [item for item in found if item.section == "Recipes"],
        "guides": [item for item in found if item.section == "Guides"],
    }


def _in_words(quota: Quota) -> tuple[str, str]:
    return f"{quota.per_minute:,}", "no bound" if quota.per_day is None else f"{quota.per_day:,}"


def _groups(today: date) -> list[tuple[str, list[dict[str, Any]]]]:
    found = sorted(operations(), key=_place)
    return [
        (tag, [_entry(operation, today) for operation in members])
        for tag, members in groupby(found, key=lambda operation: operation.tag)
    ]


def _place(operation: Operation) -> tuple[int, str]:
    name = operation.tag.lower()
    return (_TAGS.index(name) if name in _TAGS else len(_TAGS), name)


def _entry(operation: Operation, today: date) -> dict[str, Any]:
    return {
        "operation": operation,
        "summary": line_as_html(operation.summary),
        "samples": samples(operation, settings.PUBLIC_URL, today),
    }


@require_safe
def docs_index(request: HttpRequest) -> HttpResponse:
    found = articles()
    sections = {name: list(members) for name, members in groupby(found, lambda item: item.section)}
    return render(request, "docs/index.html", {"place": "docs", "sections": sections})


@require_safe
def doc(request: HttpRequest, slug: str) -> HttpResponse:
    found = _found(slug)
    html, toc = as_html(found.text)
    context = {
        "place": "docs",
        "article": found,
        "html": html,
        "toc": toc,
        "sections": {
            name: list(members) for name, members in groupby(articles(), lambda item: item.section)
        },
    }
    return render(request, "docs/article.html", context)


@require_safe
def doc_text(request: HttpRequest, slug: str) -> HttpResponse:
    return _markdown(_found(slug).text)


def _found(slug: str) -> Article:
    found = find_article(slug)
    if found is None:
        raise Http404
    return found


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """https://llmstxt.org: where a language model finds each page as text."""
    context = {"base": settings.PUBLIC_URL, "articles": articles()}
    return HttpResponse(
        render_to_string("pages/llms.txt", context), content_type="text/plain; charset=utf-8"
    )


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """The status of this server, part by part."""
    return render(request, "pages/status.html", {"place": "status", "parts": health.parts()})


def _markdown(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/markdown; charset=utf-8")
