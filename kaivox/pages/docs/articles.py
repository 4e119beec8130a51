"""Pages of docs/*.md. All of `docs/` is public except `docs/decisions/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown import Markdown

from kaivox.line_breaks import with_breaks

DOCS: Final[Path] = settings.BASE_DIR / "docs"

# Reading order; other articles follow by title.
_FIRST: Final = (
    "quickstart", "recipes", "authentication", "api", "errors", "request-log",
    "scheduling", "series", "visits", "webhooks", "quotas", "plans", "voice", "agents", "sdks", "typescript",
    "cli", "zapier", "n8n", "bi", "sandbox", "go-live", "security",
)  # fmt: skip
_HIDDEN: Final = ("decisions", "operations")  # about the code and the installation, not the API
_DEFAULT_URL: Final = "http://127.0.0.1:8000"

_LINK = re.compile(r'href="([^":#]+?)\.md(#[^"]*)?"')
_BLOCK = re.compile(r"^```.*?^```$", re.M | re.S)
_EMPTY_HEAD = re.compile(r"<thead>\s*<tr>\s*(?:<th[^>]*></th>\s*)+</tr>\s*</thead>\s*")
_EMPTY_CELL = re.compile(r"<th([^>]*)></th>")
_CODE = re.compile(r"<code>([^<\n]+)</code>")
_ENTRY = re.compile(r"(?<=>)[a-z_]+(?=</a>)")  # of a table of contents: the code of an error
# Short names never wrap, longer ones not in the first column, such as the codes of errors.
_SHORT_NAME: Final = 24
_LONG_NAME: Final = 28
_SHORT_WORD: Final = 16  # of a command
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
    """All articles in reading order, the changelog last."""
    found = [article(path) for path in DOCS.rglob("*.md") if _is_public(path)]
    return sorted(found, key=_order)


def find_article(slug: str) -> Article | None:
    return next((found for found in articles() if found.slug == slug), None)


def code_blocks(slug: str) -> list[str]:
    """The fenced blocks of an article, fences included. Raises KeyError for an unknown article."""
    found = find_article(slug)
    if found is None:
        raise KeyError(slug)
    return _BLOCK.findall(found.text)


def article(path: Path) -> Article:
    return _read(path, path.stat().st_mtime_ns, settings.PUBLIC_URL)


@cache
def _read(path: Path, _modified: int, public_url: str) -> Article:
    # The files name the default address; a reader of this server copies its own.
    text = path.read_text(encoding="utf-8").replace(_DEFAULT_URL, public_url)
    title = _TITLE.search(text)
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    summary = next((part for part in paragraphs if not part.startswith(("#", "|", "```", "<"))), "")
    return Article(
        slug=path.relative_to(DOCS).with_suffix("").as_posix(),
        title=plain(title.group(1)) if title else path.stem.replace("_", " ").capitalize(),
        summary=plain(summary.replace("\n", " ")),
        text=text,
    )


def plain(text: str) -> str:
    """A line of Markdown as plain text."""
    return re.sub(r"[`*]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text))


def _is_public(path: Path) -> bool:
    return path.relative_to(DOCS).parts[0] not in _HIDDEN


def _order(item: Article) -> tuple[Any, ...]:
    position = _FIRST.index(item.slug) if item.slug in _FIRST else len(_FIRST)
    return item.section == "Recipes", item.slug == "changelog", position, item.title


def line_as_html(text: str) -> SafeString:
    """A line of plain text that may contain `code`, as HTML."""
    return mark_safe(_CODE.sub(_wrapping, re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))))  # noqa: S308 - escaped


def _wrapping(match: re.Match[str]) -> str:
    """Inline code: a short name stays in one line, a longer text wraps at its separators."""
    text = unescape(match[1])
    if " " in text:
        return f"<code>{' '.join(map(_word, text.split(' ')))}</code>"
    if len(text) <= _SHORT_NAME:
        return f'<code class="name">{match[1]}</code>'
    kind = ' class="long-name"' if len(text) <= _LONG_NAME else ""
    return f"<code{kind}>{with_breaks(text)}</code>"


def _word(text: str) -> str:
    """A word of a command. A browser would break an option, such as `--forward-to`, at its hyphens."""
    if len(text) > _SHORT_WORD:
        return with_breaks(text)
    return f'<span class="nowrap">{escape(text)}</span>' if "-" in text else escape(text)


@cache
def as_html(text: str) -> tuple[str, str]:
    """The HTML of an article and of its table of contents. Links to .md files become page links."""
    markdown = Markdown(
        extensions=["fenced_code", "codehilite", "tables", "toc", "attr_list", "sane_lists"],
        extension_configs={
            "codehilite": {"css_class": "hl", "guess_lang": False},
            "toc": {"permalink": "#", "toc_depth": "2-3"},
        },
    )
    html = _LINK.sub(lambda match: f'href="{match[1]}{match[2] or ""}"', markdown.convert(text))
    # Wide tables scroll inside a focusable element, so that the keyboard can scroll them.
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    html = html.replace("</table>", "</table></div>")
    # Markdown demands a head of every table; an empty header cell would be announced to screen readers.
    html = _EMPTY_CELL.sub(r"<td\1></td>", _EMPTY_HEAD.sub("", html))
    contents = _ENTRY.sub(
        lambda match: with_breaks(match[0]),
        str(markdown.toc),  # type: ignore[attr-defined]
    )
    return _CODE.sub(_wrapping, html), contents
