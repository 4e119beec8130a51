"""A bar chart as SVG, made here: no script, no library, readable by a screen reader and in print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH: Final = 720
_HEIGHT: Final = 180
_LEFT: Final = 56
_BOTTOM: Final = 24
_TOP: Final = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `extra` stands on top of `value` in another colour."""

    label: str
    value: int
    extra: int = 0
    tells: str = ""


def bar_chart(bars: Sequence[Bar], *, title: str, line_at: int | None = None) -> SafeString:
    """`line_at` draws a dashed line at that height: a limit."""
    top = _round_up(max([1, *(bar.value + bar.extra for bar in bars)]))
    if line_at is not None and line_at <= 2 * top:
        top = max(top, _round_up(line_at))
    plot = _HEIGHT - _BOTTOM - _TOP
    slot = (_WIDTH - _LEFT) / max(1, len(bars))

    def height(value: int) -> float:
        return round(plot * value / top, 1)

    def y(value: int) -> float:
        return round(_TOP + plot - height(value), 1)

    drawn = format_html_join(
        "",
        '<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" fill="var(--chart-bar,'
        '#417690)"/><rect x="{}" y="{}" width="{}" height="{}" fill="var(--chart-extra,#ba2121)"/>'
        "</g>",
        (
            (
                bar.tells or f"{bar.label}: {bar.value:,}",
                (x := round(_LEFT + index * slot + 1, 1)),
                y(bar.value),
                (width := round(max(1.0, slot - 2), 1)),
                height(bar.value),
                x,
                y(bar.value + bar.extra),
                width,
                height(bar.extra),
            )
            for index, bar in enumerate(bars)
        ),
    )
    every = max(1, len(bars) // 6)
    labels = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (round(_LEFT + (index + 0.5) * slot, 1), _HEIGHT - 8, bar.label)
            for index, bar in enumerate(bars)
            if (len(bars) - 1 - index) % every == 0
        ),
    )
    limit = ""
    if line_at is not None and line_at <= top:
        limit = format_html(
            '<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="var(--chart-extra,#ba2121)" '
            'stroke-dasharray="4 3"><title>The quota: {}</title></line>',
            _LEFT,
            _WIDTH,
            y(line_at),
            y(line_at),
            f"{line_at:,}",
        )
    return format_html(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="100%" '
        'style="max-width:{}px" font-size="11" fill="currentColor">'
        '<text x="{}" y="{}" text-anchor="end">{}</text><text x="{}" y="{}" text-anchor="end">0'
        '</text><line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor" opacity=".3"/>'
        "{}{}{}</svg>",
        title,
        _WIDTH,
        _HEIGHT,
        _WIDTH,
        _LEFT - 6,
        _TOP + 8,
        f"{top:,}",
        _LEFT - 6,
        _TOP + plot,
        _LEFT,
        _WIDTH,
        _TOP + plot,
        _TOP + plot,
        drawn,
        labels,
        limit,
    )


def _round_up(value: int) -> int:
    """To one or two leading digits, so that the scale reads well: 1,234 → 1,300."""
    step: int = 10 ** max(0, len(str(value)) - 2)
    return -(-value // step) * step
