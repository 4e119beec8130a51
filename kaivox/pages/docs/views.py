"""The developers' page and the docs, as HTML and as Markdown. None of them queries the database."""

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
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from kaivox import health
from kaivox.api.compression import gzip_page
from kaivox.api.etags import make_etag, names_etag
from kaivox.businesses.models import Plan
from kaivox.pages.docs import feed
from kaivox.pages.docs.articles import (
    Article,
    articles,
    as_html,
    code_blocks,
    find_article,
    line_as_html,
)
from kaivox.pages.docs.reference import find_resource, page, resources
from kaivox.pages.docs.samples import as_code, samples
from kaivox.pages.docs.search import search_index
from kaivox.pages.openapi_reader import Operation, operations
from ratelimits.limiter import Quota
from ratelimits.throttling import QUOTAS
from webhooks.event_types import EVENT_TYPES

# Order of the resources on the developers' page; others follow.
_TAGS: Final = (
    "appointments", "customers", "calls", "staff", "services", "resources", "closures", "calendars", "waitlist",
    "webhooks", "business",
)  # fmt: skip
# Those shown in every language; of the others curl, as the page is loaded first. The reference has all.
_IN_EVERY_LANGUAGE: Final = ("appointments", "customers", "calls", "webhooks")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The developers' page: quickstart, endpoints, quotas, webhooks."""
    return HttpResponse(_home("pages/developers.html", timezone.now().date()))


@require_safe
def home_text(request: HttpRequest) -> HttpResponse:
    return _markdown(_home("pages/developers.md", timezone.now().date()))


@lru_cache(maxsize=4)
def _home(template: str, today: date) -> str:
    return render_to_string(template, _context(today))


def _context(today: date) -> dict[str, Any]:
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
    return f"{quota.per_minute:,}", "unlimited" if quota.per_day is None else f"{quota.per_day:,}"


def _groups(today: date) -> list[tuple[str, list[dict[str, Any]]]]:
    found = sorted(operations(), key=_sort_key)
    return [
        (tag, [_entry(operation, today) for operation in members])
        for tag, members in groupby(found, key=lambda operation: operation.tag)
    ]


def _sort_key(operation: Operation) -> tuple[int, str]:
    name = operation.tag.lower()
    return (_TAGS.index(name) if name in _TAGS else len(_TAGS), name)


def _entry(operation: Operation, today: date) -> dict[str, Any]:
    found = samples(operation, settings.PUBLIC_URL, today)
    whole = operation.tag.lower() in _IN_EVERY_LANGUAGE
    shown = {language: code for language, code in found.items() if whole or language == "curl"}
    return {
        "operation": operation,
        "summary": line_as_html(operation.summary),
        "samples": found,
        "code": as_code(shown),
    }


@require_safe
def docs_index(request: HttpRequest) -> HttpResponse:
    context = {"place": "docs", "sections": _sections(articles())}
    return render(request, "pages/docs/index.html", context)


@require_safe
def doc(request: HttpRequest, slug: str) -> HttpResponse:
    found = _found(slug)
    html, toc = as_html(found.text)
    everything = articles()
    at = everything.index(found)
    context = {
        "place": "docs",
        "article": found,
        "html": html,
        "toc": toc,
        "previous": everything[at - 1] if at else None,
        "next": everything[at + 1] if at + 1 < len(everything) else None,
        "sections": _sections(everything),
    }
    return render(request, "pages/docs/article.html", context)


def _sections(found: list[Article]) -> dict[str, list[Article]]:
    """`found`, in reading order, by section."""
    return {name: list(members) for name, members in groupby(found, lambda item: item.section)}


@require_safe
@gzip_page
def search(request: HttpRequest) -> HttpResponse:
    """The search index. It changes with a release; until then browsers get 304."""
    found = search_index()
    tag = make_etag(found)
    if names_etag(request.META.get("HTTP_IF_NONE_MATCH", ""), tag):
        return HttpResponse(status=304, headers={"ETag": tag})
    headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
    return HttpResponse(found, content_type="application/json", headers=headers)


@require_safe
def reference_index(request: HttpRequest) -> HttpResponse:
    context = {"place": "reference", "resources": resources()}
    return render(request, "pages/docs/reference_index.html", context)


@require_safe
def reference(request: HttpRequest, slug: str) -> HttpResponse:
    if find_resource(slug) is None:
        raise Http404
    return HttpResponse(page(slug, timezone.now().date()))


@require_safe
def changelog_feed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        feed.changelog_feed(_found("changelog")), content_type=Atom1Feed.content_type
    )


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
    """Index of the Markdown pages for language models (https://llmstxt.org)."""
    context = {"base": settings.PUBLIC_URL, "articles": articles()}
    return HttpResponse(
        render_to_string("pages/llms.txt", context), content_type="text/plain; charset=utf-8"
    )


@require_safe
def llms_full(request: HttpRequest) -> HttpResponse:
    """All pages of the docs in one Markdown text."""
    pages = [_home("pages/developers.md", timezone.now().date())]
    pages += [item.text for item in articles()]
    return HttpResponse("\n\n".join(pages), content_type="text/plain; charset=utf-8")


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Status of this server by component."""
    return render(request, "pages/status.html", {"place": "status", "parts": health.parts()})


def _markdown(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/markdown; charset=utf-8")
