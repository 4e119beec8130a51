"""Bar charts as inline SVG: without scripts, printable and readable by screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH: Final = 720
_HEIGHT: Final = 180
_LEFT: Final = 56
_TOP: Final = 14
_BASELINE: Final = 156  # y of the axis
_LABELS: Final = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `extra` is stacked on `value` in another colour. `description` is the tooltip, and
    what screen readers read."""

    label: str
    value: int
    extra: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    top: int
    slot: float

    def height(self, value: int) -> float:
        return round((_BASELINE - _TOP) * value / self.top, 1)

    def y(self, value: int) -> float:
        return round(_BASELINE - self.height(value), 1)

    def x(self, index: float) -> float:
        return round(_LEFT + index * self.slot, 1)


def bar_chart(bars: Sequence[Bar], *, title: str, line_at: int | None = None) -> SafeString:
    """`line_at` draws a dashed line, a limit, unless it is more than twice the highest bar."""
    highest = _highest(bars)
    shows_line = is_line_drawn(bars, line_at)
    top = _round_up(max(highest, line_at or 0) if shows_line else highest)
    scale = _Scale(top, (_WIDTH - _LEFT) / max(1, len(bars)))
    return format_html(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" '
        'style="max-width:100%;height:auto" font-size="11" fill="currentColor">{}{}{}{}</svg>',
        title,
        _WIDTH,
        _HEIGHT,
        _WIDTH,
        _axis(top),
        _drawn(bars, scale),
        _labels(bars, scale),
        _line(line_at, scale) if shows_line and line_at is not None else "",
    )


def is_line_drawn(bars: Sequence[Bar], line_at: int | None) -> bool:
    return line_at is not None and line_at <= 2 * _highest(bars)


def _highest(bars: Sequence[Bar]) -> int:
    return max([1, *(bar.value + bar.extra for bar in bars)])


def _axis(top: int) -> SafeString:
    return format_html(
        '<text x="{0}" y="{1}" text-anchor="end">{2}</text>'
        '<text x="{0}" y="{3}" text-anchor="end">0</text>'
        '<line x1="{4}" x2="{5}" y1="{3}" y2="{3}" stroke="currentColor" opacity=".3"/>',
        _LEFT - 6,
        _TOP + 8,
        f"{top:,}",
        _BASELINE,
        _LEFT,
        _WIDTH,
    )


def _drawn(bars: Sequence[Bar], scale: _Scale) -> SafeString:
    width = round(max(1.0, scale.slot - 2), 1)
    return format_html_join(
        "",
        '<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" fill="var(--chart-bar,'
        '#417690)"/><rect x="{}" y="{}" width="{}" height="{}" fill="var(--chart-extra,#ba2121)"/>'
        "</g>",
        (
            (
                bar.description or f"{bar.label}: {bar.value:,}",
                *(scale.x(index) + 1, scale.y(bar.value), width, scale.height(bar.value)),
                *(scale.x(index) + 1, scale.y(bar.value + bar.extra), width),
                scale.height(bar.extra),
            )
            for index, bar in enumerate(bars)
        ),
    )


def _labels(bars: Sequence[Bar], scale: _Scale) -> SafeString:
    """About `_LABELS` labels, always with the last bar's, which is moved inside the drawing."""
    every = max(1, len(bars) // _LABELS)
    return format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (min(scale.x(index + 0.5), _WIDTH - 20), _HEIGHT - 8, bar.label)
            for index, bar in enumerate(bars)
            if (len(bars) - 1 - index) % every == 0
        ),
    )


def _line(at: int, scale: _Scale) -> SafeString:
    return format_html(
        '<line x1="{0}" x2="{1}" y1="{2}" y2="{2}" stroke="var(--chart-extra,#ba2121)" '
        'stroke-dasharray="4 3"><title>The quota: {3}</title></line>',
        _LEFT,
        _WIDTH,
        scale.y(at),
        f"{at:,}",
    )


def _round_up(value: int) -> int:
    """Rounds up to two leading digits: 1,234 → 1,300."""
    step: int = 10 ** max(0, len(str(value)) - 2)
    return -(-value // step) * step
