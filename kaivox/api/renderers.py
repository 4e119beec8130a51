"""The envelope goes round the data here, last: `{"success", "data", "meta"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework.renderers import BaseRenderer

from kaivox.api.encoding import encode, encode_for_people
from kaivox.api.logs import current_request_id


class EnvelopeRenderer(BaseRenderer):
    """JSON. What a view answers is the `data`; an error comes with its envelope already."""

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
        if context.get("indent"):  # the browsable page shows this very answer
            return encode_for_people(data if response.exception else _envelope(data, response))
        if response.exception:
            return encode(data)
        # The view has encoded the data already where it needed their ETag.
        encoded = getattr(response, "encoded", None) or encode(data)
        meta = encode(_envelope(None, response)["meta"])
        return b'{"success":true,"data":' + encoded + b',"meta":' + meta + b"}"


def _envelope(data: Any, response: Any) -> dict[str, Any]:
    meta = {"request_id": current_request_id.get(), **getattr(response, "meta", {})}
    return {"success": True, "data": data, "meta": meta}


class StreamedRenderer(BaseRenderer):
    """A form that only lists have, written row by row (`kaivox.api.bulk`), never from here."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("A view answers this form with a stream of its own.")


class CsvRenderer(StreamedRenderer):
    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"


class NdjsonRenderer(StreamedRenderer):
    media_type = "application/x-ndjson"
    format = "ndjson"
    charset = None
