"""The API changelog as an Atom feed (RFC 4287): one entry per release."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.utils.feedgenerator import Atom1Feed

from kaivox.pages.docs.articles import Article, as_html

_RELEASE: Final = re.compile(r'<h2 id="([^"]+)">(.*?)<a class="headerlink".*?</h2>', re.S)


def changelog_feed(article: Article) -> str:
    """XML of the feed. Headings of releases begin with their month: `2026-12 · v1`."""
    page = f"{settings.PUBLIC_URL}{article.url}"
    feed = Atom1Feed(
        title=f"KaiVox {article.title}",
        link=page,
        feed_url=f"{page}.atom",
        description=article.summary,
        language="en",
    )
    _, *parts = _RELEASE.split(as_html(article.text)[0])
    for anchor, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        month = datetime.strptime(title[:7], "%Y-%m").replace(tzinfo=UTC)
        feed.add_item(
            title=title,
            link=f"{page}#{anchor}",
            unique_id=f"{page}#{anchor}",
            description=body.replace('href="/', f'href="{settings.PUBLIC_URL}/'),
            pubdate=month,
            updateddate=month,
        )
    return feed.writeString("utf-8")
