"""Models of the objects in responses and events. Fields are read-only and typed."""

from kaivox._generated.models import *  # noqa: F403 - all of them
from kaivox._model import Items as Items
from kaivox._model import Model as Model
from kaivox._model import ResponseInfo as ResponseInfo
