"""Errors raised by the client: one class for each `code` of the API, below one for each status.

    try:
        kaivox.appointments.create(...)
    except errors.SlotUnavailable as error:
        print(error.alternatives)
    except errors.APIError as error:
        print(error.code, error.request_id)

No message contains an API key: it is in a header of the request, which errors do not show.
"""

from __future__ import annotations

from kaivox._errors import (
    APIConnectionError as APIConnectionError,
)
from kaivox._errors import (
    APIError as APIError,
)
from kaivox._errors import (
    APITimeoutError as APITimeoutError,
)
from kaivox._errors import (
    AuthenticationError as AuthenticationError,
)
from kaivox._errors import (
    BadRequestError as BadRequestError,
)
from kaivox._errors import (
    ConflictError as ConflictError,
)
from kaivox._errors import (
    KaiVoxError as KaiVoxError,
)
from kaivox._errors import (
    NotFoundError as NotFoundError,
)
from kaivox._errors import (
    PermissionDeniedError as PermissionDeniedError,
)
from kaivox._errors import (
    PreconditionError as PreconditionError,
)
from kaivox._errors import (
    RateLimitError as RateLimitError,
)
from kaivox._errors import (
    ServerError as ServerError,
)
from kaivox._errors import (
    UnprocessableError as UnprocessableError,
)
from kaivox._errors import (
    WebhookVerificationError as WebhookVerificationError,
)
from kaivox._generated.errors import *  # noqa: F403 - one class for each code
