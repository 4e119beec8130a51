"""Renderers: JSON in the envelope `{"success", "data", "meta"}`, and the streamed formats of lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework.renderers import BaseRenderer

from kaivox.api.encoders import encode, encode_pretty
from kaivox.api.logging import current_request_id


class EnvelopeRenderer(BaseRenderer):
    """JSON. A view returns the `data`; an error has its envelope already."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8 by definition (RFC 8259 §8.1)

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        context = renderer_context or {}
        response = context.get("response")
        if response is None or response.status_code in (204, 304):
            return b""
        if context.get("indent"):  # the browsable page shows the same response
            return encode_pretty(data if response.exception else _envelope(data, response))
        if response.exception:
            return encode(data)
        # `set_etag` has encoded the data already.
        encoded = getattr(response, "encoded", None) or encode(data)
        meta = encode(_envelope(None, response)["meta"])
        return b'{"success":true,"data":' + encoded + b',"meta":' + meta + b"}"


def _envelope(data: Any, response: Any) -> dict[str, Any]:
    meta = {"request_id": current_request_id.get(), **getattr(response, "meta", {})}
    return {"success": True, "data": data, "meta": meta}


class StreamedRenderer(BaseRenderer):
    """A format of lists alone, written row by row by `kaivox.api.export.streaming`."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("The view streams this format itself.")


class CsvRenderer(StreamedRenderer):
    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"


class NdjsonRenderer(StreamedRenderer):
    media_type = "application/x-ndjson"
    format = "ndjson"
    charset = None
