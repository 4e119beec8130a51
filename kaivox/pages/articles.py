"""docs/*.md as pages. Everything in `docs/` is public but `docs/decisions/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown import Markdown

DOCS: Final[Path] = settings.BASE_DIR / "docs"

# In the order of reading; what is not named here follows by its title.
_FIRST: Final = ("quickstart", "authentication", "lists", "quotas", "webhooks", "errors")
_HIDDEN: Final = ("decisions",)

_LINK = re.compile(r'href="([^":#]+?)\.md(#[^"]*)?"')
_BLOCK = re.compile(r"^```.*?^```$", re.M | re.S)
_TITLE = re.compile(r"^# (.+)$", re.M)


@dataclass(frozen=True)
class Article:
    """One page of the docs; `slug` is its path below `/docs/`."""

    slug: str
    title: str
    summary: str
    text: str

    @property
    def section(self) -> str:
        return "Recipes" if self.slug.startswith("recipes/") else "Guides"

    @property
    def url(self) -> str:
        return f"/docs/{self.slug}"


def articles() -> list[Article]:
    """All of them, in reading order; the changelog last."""
    found = [article(path) for path in DOCS.rglob("*.md") if _is_public(path)]
    return sorted(found, key=_order)


def find_article(slug: str) -> Article | None:
    return next((found for found in articles() if found.slug == slug), None)


def code_blocks(slug: str) -> list[str]:
    """The fenced blocks of an article, fences included. Raises KeyError where there is none such."""
    found = find_article(slug)
    if found is None:
        raise KeyError(slug)
    return _BLOCK.findall(found.text)


def article(path: Path) -> Article:
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, _modified: int) -> Article:
    text = path.read_text(encoding="utf-8")
    title = _TITLE.search(text)
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    summary = next((part for part in paragraphs if not part.startswith(("#", "|", "`", "<"))), "")
    return Article(
        slug=path.relative_to(DOCS).with_suffix("").as_posix(),
        title=plain(title.group(1)) if title else path.stem.replace("_", " ").capitalize(),
        summary=plain(summary.replace("\n", " ")),
        text=text,
    )


def plain(text: str) -> str:
    """A line of Markdown without its marks."""
    return re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", lambda match: match.group(1) or "", text)


def _is_public(path: Path) -> bool:
    return path.relative_to(DOCS).parts[0] not in _HIDDEN


def _order(item: Article) -> tuple[Any, ...]:
    place = _FIRST.index(item.slug) if item.slug in _FIRST else len(_FIRST)
    return item.section == "Recipes", item.slug == "changelog", place, item.title


def line_as_html(text: str) -> SafeString:
    """A line of plain text in which `code` may stand."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S308 - escaped


@cache
def as_html(text: str) -> tuple[str, str]:
    """The page and its table of contents. Links between files become links between pages."""
    markdown = Markdown(
        extensions=["fenced_code", "codehilite", "tables", "toc", "attr_list", "sane_lists"],
        extension_configs={
            "codehilite": {"css_class": "hl", "guess_lang": False},
            "toc": {"permalink": "#", "toc_depth": "2-3"},
        },
    )
    html = _LINK.sub(lambda match: f'href="{match[1]}{match[2] or ""}"', markdown.convert(text))
    # A wide table scrolls by itself, by keyboard too.
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    html = html.replace("</table>", "</table></div>")
    return html, str(markdown.toc)  # type: ignore[attr-defined]
