"""The envelope goes round the data here, last: `{"success", "data", "meta"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer

from kaivox.api.encoding import encode
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
        response = (renderer_context or {}).get("response")
        if response is None or response.exception:
            return encode(data) if data is not None else b""
        if response.status_code in (204, 304):
            return b""
        meta = {"request_id": current_request_id.get(), **getattr(response, "meta", {})}
        # The view has encoded the data already where it needed their ETag.
        encoded = getattr(response, "encoded", None) or encode(data)
        return b'{"success":true,"data":' + encoded + b',"meta":' + encode(meta) + b"}"


class BrowsableRenderer(BrowsableAPIRenderer):
    """The same answer as a page, for people in a browser."""

    template = "browsable/api.html"
