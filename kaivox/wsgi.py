"""The WSGI application, for waitress, gunicorn and runserver."""

import gc
import sys
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from kaivox.api.query_keys import extract_query_key
from kaivox.startup import load_settings

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_CHUNK_BYTES = 64 * 1024


class EntryPoint:
    """The outermost WSGI layer, before Django, tracing and error reporting: removes the API key from
    the URL, and reads the rest of the request body after the response."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        extract_query_key(environ)
        response = self._application(environ, start_response)
        _read_to_end(environ)
        return response


def _read_to_end(environ: dict[str, Any]) -> None:
    """Reads the rest of the request body, so that the connection can be used for the next request.

    A 401 or 413 is sent without reading the body. gunicorn then reads 64 KiB more and closes without a
    `Connection: close`, while nginx sends another client's request on that connection. The web server
    in front limits the size of the body.
    """
    if environ.get("CONTENT_LENGTH") in (None, "", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    try:
        while environ["wsgi.input"].read(_CHUNK_BYTES):
            pass
    except OSError:
        return  # the client disconnected; the web server closes the connection


load_settings()
application: Any = get_wsgi_application()

if not settings.EMBEDDED:
    from kaivox.db.postgresql.base import Connection

    Connection.patience = settings.DATABASE_PATIENCE_SECONDS

# A request waits for the interpreter's lock after each query. Beside two exports with Python's default
# of 5 ms this was most of its duration. Embedded, one process serves all: with 1 ms a request beside
# sixteen exports took 2.2 times as long as alone, with this 1.9 times.
sys.setswitchinterval(0.0002 if settings.EMBEDDED else 0.001)

application = EntryPoint(application)

# Modules and models live as long as the process, and every full garbage collection visited them: 80 ms in
# which no thread runs. With two processes on two cores, p99 of a list under load fell from 130 to 60 ms.
gc.collect()
gc.freeze()
