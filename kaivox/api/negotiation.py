"""Content negotiation: `?format=` first, then `Accept` (RFC 9110 §12.5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.http import parse_header_parameters
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

Chosen = tuple[BaseRenderer, str]
_PAGE: Final = "text/html"
_XHTML: Final = "application/xhtml+xml"


class UnknownFormat(NotAcceptable):
    """`?format=exe`. `errors` names the parameter."""

    def __init__(self, wanted: str, known: Sequence[str]) -> None:
        message = f"There is no format {wanted[:20]!r} here." if wanted else "The format is empty."
        super().__init__(f"{message} Ask for {' or '.join(known)}.")
        self.errors = {"format": [f"Choose of: {', '.join(known)}."]}


class JsonFirstNegotiation(BaseContentNegotiation):
    """JSON (the first renderer) unless the client prefers another media type.

    Weights count, which REST framework's own negotiation ignores. Only a browser gets a page: HTTP
    libraries put `text/html` into `Accept` too, and a client with a key parses JSON. An `Accept` that
    no renderer satisfies raises NotAcceptable: 406, in JSON.
    """

    def select_parser(self, request: Request, parsers: Sequence[Any]) -> Any:
        media_type, parameters = parse_header_parameters(request.content_type)
        if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            return None
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> Chosen:
        wanted = request.query_params.get("format")
        if wanted is not None:
            return self._by_format(wanted, renderers)
        accept = request.META.get("HTTP_ACCEPT", "").strip()
        if accept in ("", "*/*", renderers[0].media_type):
            return renderers[0], renderers[0].media_type
        ranges = dict(_ranges(accept))
        candidates = renderers
        if not _is_browser(request, ranges):
            candidates = [item for item in renderers if item.media_type != _PAGE]
        # max() returns the first of equals, and renderers are listed in our order of preference.
        best = max(candidates, key=lambda renderer: _weight(ranges, renderer.media_type))
        if not _weight(ranges, best.media_type):
            # Only a page is acceptable, and no browser asks.
            if any(_weight(ranges, page) for page in (_PAGE, _XHTML)):
                return renderers[0], renderers[0].media_type
            known = ", ".join(renderer.media_type for renderer in renderers)
            raise NotAcceptable(f"Nothing that Accept names is served here. There is: {known}.")
        return best, best.media_type

    @staticmethod
    def _by_format(wanted: str, renderers: Sequence[BaseRenderer]) -> Chosen:
        for renderer in renderers:
            if renderer.format == wanted:
                return renderer, renderer.media_type
        raise UnknownFormat(wanted, [renderer.format for renderer in renderers])


def _is_browser(request: Request, ranges: dict[str, float]) -> bool:
    """Whether a person reads the response: signed in by a session, or with the `Accept` of a browser
    and without a key in a header (one in the URL is for trying things in a browser)."""
    # Not `request.auth`: where authentication failed it would fail again.
    if isinstance(getattr(request, "_authenticator", None), SessionAuthentication):
        return True
    return _XHTML in ranges and not _has_key_in_header(request.META)


def _has_key_in_header(meta: Mapping[str, Any]) -> bool:
    scheme = meta.get("HTTP_AUTHORIZATION", "").strip().partition(" ")[0]
    return scheme.lower() == "bearer" or bool(meta.get("HTTP_X_API_KEY", "").strip())


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """`text/html, */*;q=0.8` as ("text/html", 1.0), ("*/*", 0.8). Malformed ranges are skipped."""
    for item in accept[:4096].split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_range.count("/") != 1:
            continue
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            yield media_range, min(max(float(weight), 0.0), 1.0)
        except ValueError:
            yield media_range, 0.0


def _weight(ranges: dict[str, float], media_type: str) -> float:
    """The weight of `media_type` by the most specific range; 0 where none matches."""
    for candidate in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0
