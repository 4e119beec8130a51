"""The search index of docs and reference: one JSON file, searched by a script in the browser."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from django.utils.html import strip_tags

from kaivox.pages.docs.articles import Article, articles, as_html, plain
from kaivox.pages.docs.reference import resources

_HEADING: Final = re.compile(r'<h[1-3] id="([^"]+)">(.*?)</h[1-3]>', re.S)
_LEFT_OUT: Final = re.compile(r'<div class="hl">.*?</div>|<a class="headerlink".*?</a>', re.S)
_INLINE: Final = re.compile(r"</?(?:a|code|em|span|strong|wbr)\b[^>]*>")


def search_index() -> bytes:
    """JSON array of sections and operations: `title`, `page` (where it is), `url`, `text`."""
    return _index(tuple(articles()))


@cache
def _index(found: tuple[Article, ...]) -> bytes:
    entries = [entry for article in found for entry in _sections(article)]
    return json.dumps(
        [*_operations(), *entries], ensure_ascii=False, separators=(",", ":")
    ).encode()


def _operations() -> Iterator[dict[str, str]]:
    for resource in resources():
        for operation in resource.operations:
            names = [item.name for item in (*operation.parameters, *operation.body)]
            yield {
                "title": plain(operation.summary),
                "page": f"{operation.method.upper()} {operation.path}",
                "url": f"{resource.url}#{operation.anchor}",
                "text": " ".join(
                    [plain(operation.description), operation.anchor.replace("_", " "), *names]
                ),
            }


def _sections(article: Article) -> Iterator[dict[str, str]]:
    _, *parts = _HEADING.split(_LEFT_OUT.sub("", as_html(article.text)[0]))
    for anchor, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        name = _plain(title)
        yield {
            "title": name,
            "page": article.title,
            "url": article.url if name == article.title else f"{article.url}#{anchor}",
            "text": _plain(body),
        }


def _plain(markup: str) -> str:
    """The text of HTML on one line; cells of tables are separated by spaces, words are whole."""
    blocks = _INLINE.sub("", markup).replace("<", " <")
    return " ".join(html.unescape(strip_tags(blocks)).split())
