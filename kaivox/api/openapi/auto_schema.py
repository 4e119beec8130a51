"""OpenAPI of one operation: what drf-spectacular derives from a view, plus envelope, pages and errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import uritemplate
from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance, get_doc
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers

from kaivox.api.exceptions import STATUS_OF
from kaivox.api.fields import StrictCharField
from kaivox.api.openapi import components
from kaivox.api.openapi.components import Schema
from kaivox.api.serializers import WriteSerializer
from kaivox.errors import DomainError

_VERB = {
    "list": "list",
    "create": "create",
    "retrieve": "get",
    "partial_update": "update",
    "destroy": "delete",
}
_ALWAYS = (400, 401, 403, 406, 414, 422, 429, 500, 503)
_OF_BODIES = (411, 413, 415)
_META = {"$ref": "#/components/schemas/Meta"}
_PAGE_META = {"$ref": "#/components/schemas/PageMeta"}
# Text is trimmed, and something must be left of it. ASCII only: generators copy it into source code.
_VISIBLE = r"\S"
# drf-spectacular's alternative of a text with a format that may also be empty.
_EMPTY = {"type": "string", "maxLength": 0}
# Component names that follow no rule.
_NAMES = {"StatusPatch": "AppointmentStatusUpdate"}


class _NoBody(serializers.Serializer[Any]):
    """drf-spectacular's way to say that nothing is sent."""


class EnvelopeSchema(AutoSchema):
    """Reads, beside what drf-spectacular knows: `query_serializers`, `body_serializers` and
    `refusals` of the view, its filters, its pages, its read serializers."""

    view: Any

    # --- One operation -----------------------------------------------------------------------

    def is_excluded(self) -> bool:
        return not self.path.startswith(
            "/api/"
        )  # webhooks of voice providers are not part of our API

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation["parameters"] = [*operation.get("parameters", ()), *self._header_parameters()]
        responses = operation["responses"]
        if self.method == "GET":
            responses["304"] = {
                "description": "Not changed since the `ETag` in `If-None-Match`.",
                "headers": components.headers_of("ETag", "X-Request-ID", *components.RATE_HEADERS),
            }
        responses |= self._error_answers()
        operation["responses"] = dict(sorted(responses.items()))
        return operation

    def get_operation_id(self) -> str:
        action = getattr(self.view, "action", None)
        if action == "list":
            return f"list_{self._owner()}{self._words()[-1]}"
        if action in _VERB:
            return f"{_VERB[action]}_{self._noun()}"
        return action or f"get_{'_'.join(self._words())}"

    def get_summary(self) -> str | None:
        action = getattr(self.view, "action", None)
        described = get_doc(getattr(self.view, action, None)) if action else ""
        if described:
            return str(re.split(r"(?<=[a-z`)])[.:;]\s|\n\n", described, maxsplit=1)[0]).rstrip(".")
        verb, *words = self.get_operation_id().split("_")
        if action == "retrieve":
            words = ["an" if words[0][0] in "aeiou" else "a", *words]
        return " ".join([verb.capitalize(), *words])

    def get_description(self) -> str:  # type: ignore[override]
        described = str(super().get_description())
        # The second paragraph of a view's docstring is about its list.
        is_of_view = getattr(self.view, "action", None) == "retrieve" and described == get_doc(
            self.view.__class__
        )
        return described.partition("\n\n")[0] if is_of_view else described

    def get_auth(self) -> list[Schema]:
        return components.SECURITY if self.view.get_permissions() else []

    def is_deprecated(self) -> bool:
        return getattr(self.view, "deprecated_since", None) is not None

    def _words(self) -> list[str]:
        """`webhooks`, `event_types` of `/webhooks/event-types`."""
        return [word.replace("-", "_") for word in self._tokenize_path()]

    def _noun(self) -> str:
        """`delivery` of `/webhooks/deliveries/{id}`."""
        return str(getattr(self.view, "noun", None) or _singular(self._words()[-1]))

    def _owner(self) -> str:
        """`webhook_` of `/webhooks/{id}/deliveries`; nothing of `/webhooks/deliveries`."""
        return f"{_singular(self._words()[0])}_" if uritemplate.variables(self.path) else ""

    # --- Parameters --------------------------------------------------------------------------

    def get_override_parameters(self) -> list[Any]:
        queries = getattr(self.view, "query_serializers", {})
        name = getattr(self.view, "action", None) or self.method.lower()
        return [queries[name]] if name in queries else []

    def _get_filter_parameters(self) -> list[Schema]:
        backends = self.view.filter_backends if self._is_list() else ()
        return [
            found
            for backend in backends
            for found in backend().get_schema_operation_parameters(self.view)
        ]

    def _get_format_parameters(self) -> list[Schema]:
        if getattr(self.view, "action", "") != "list":
            return []
        schema = {"type": "string", "enum": ["json", "csv", "ndjson"], "default": "json"}
        text = "Goes before `Accept`. `csv` and `ndjson` are the whole list, without pages."
        excel = "With `format=csv`, for Excel: a byte order mark, and times as local "
        excel += "`YYYY-MM-DD HH:MM:SS` in the time zone of the business."
        return [
            _query("format", schema, text),
            _query("excel", {"type": "string", "enum": ["1"]}, excel),
        ]

    def _resolve_path_parameters(self, variables: Iterable[str]) -> list[Schema]:
        return [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": components.ID,
                "description": f"Id of the {self._named_before(name)}.",
            }
            for name in variables
        ]

    def _named_before(self, variable: str) -> str:
        """`webhook` of `{id}` in `/webhooks/{id}/deliveries`."""
        before = self.path.partition(f"/{{{variable}}}")[0].rpartition("/")[2]
        return _singular(before).replace("-", " ")

    def _header_parameters(self) -> list[Schema]:
        names = {"GET": ["IfNoneMatch"], "POST": ["IdempotencyKey"]}.get(self.method, ["IfMatch"])
        if not hasattr(self.view, "action") and self.method != "GET":
            names = []
        return [components.parameter(name) for name in names]

    # --- Bodies ------------------------------------------------------------------------------

    def get_request_serializer(self) -> Any:
        bodies = getattr(self.view, "body_serializers", {})
        action = getattr(self.view, "action", None)
        if action not in bodies and action in ("create", "partial_update"):
            warn(f"{type(self.view).__name__}.body_serializers does not name the body of {action}.")
        return bodies.get(action, _NoBody)

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if isinstance(force_instance(serializer), WriteSerializer):
            schema["additionalProperties"] = False
        # The docstring, for readers of the code: kaivox/pages/openapi_texts.py has descriptions.
        schema.pop("description", None)
        return schema

    def _get_serializer_name(
        self, serializer: Any, direction: str, bypass_extensions: bool = False
    ) -> str:
        """`AppointmentCreate` of `NewAppointment`, `AppointmentUpdate` of `AppointmentPatch`:
        generators make constructors named `New…` themselves. Reading and writing have serializers of
        their own, so drf-spectacular's affixes are not needed."""
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        name = name.removesuffix("Request").removeprefix("Patched")
        if name in _NAMES:
            return _NAMES[name]
        if name.startswith("New"):
            return f"{name.removeprefix('New')}Create"
        return f"{name.removesuffix('Patch')}Update" if name.endswith("Patch") else name

    def _map_serializer_field(
        self, field: Any, direction: str, bypass_extensions: bool = False
    ) -> Schema | None:
        schema: Schema | None = super()._map_serializer_field(field, direction, bypass_extensions)
        trimmed = isinstance(field, StrictCharField) and not field.allow_blank
        if schema and trimmed and direction == "request" and "enum" not in schema:
            schema.setdefault("pattern", _VISIBLE)
        return schema

    def _insert_field_validators(self, field: Any, schema: Schema) -> None:
        super()._insert_field_validators(field, schema)
        if _EMPTY in schema.get("oneOf", ()):
            _merge_empty(schema)

    # --- Responses ---------------------------------------------------------------------------

    def get_response_serializers(self) -> Any:
        view, action = self.view, getattr(self.view, "action", None)
        shown = getattr(view, "serializer_class", None)
        if action != "list":
            shown = getattr(view, "detail_serializer_class", None) or shown
        return shown or OpenApiTypes.OBJECT

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        if self.method == "DELETE" and not isinstance(self.get_response_serializers(), dict):
            shown = self.get_response_serializers()
            return {"200": self._get_response_for_code(shown, "200", direction=direction)}
        return dict(super()._get_response_bodies(direction))

    def _get_response_for_code(
        self,
        serializer: Any,
        status_code: str,
        media_types: Any = None,
        direction: str = "response",
    ) -> Schema:
        response: Schema = super()._get_response_for_code(
            serializer, status_code, ["application/json"], direction
        )
        response["description"] = response["description"] or "Success."
        for media in response.get("content", {}).values():
            media["schema"] = self._framed(media["schema"])
        if self._is_list() and "content" in response:
            response["content"] |= self._streamed()
        response["headers"] = components.headers_of(*self._header_names(status_code))
        return response

    def _framed(self, data: Schema) -> Schema:
        """The envelope of `data`: a component of its own where the object is one."""
        of = data.get("items", data).get("$ref", "").rpartition("/")[2]
        more = getattr(self.view, "meta_schemas", {}).get(getattr(self.view, "action", None))
        if (more or not of) and not self._is_list():
            # Named, as generators give anonymous schemas names by their position.
            name = "".join(word.capitalize() for word in self.get_operation_id().split("_"))
            meta: Schema = components.meta_with(more) if more else _META
            return self._component(f"{name}Response", components.envelope(data, meta))
        if self._is_list():
            meta = _PAGE_META
            if more:
                page = components.PAGE_META
                meta = {
                    **page,
                    "properties": {**page["properties"], **more},
                    "required": [*page["required"], *more],
                }
            return self._component(f"{of}Page", components.envelope(data, meta))
        name = f"{of}List" if "items" in data else f"{of}Response"
        return self._component(name, components.envelope(data, _META))

    def _component(self, name: str, schema: Schema) -> Schema:
        component = ResolvedComponent(
            name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name
        )
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _is_list(self) -> bool:
        return getattr(self.view, "action", "") == "list"

    def _get_paginator(self) -> None:
        """None: pages are part of our envelope."""

    def _get_pagination_parameters(self) -> list[Schema]:
        return page_parameters(self.view) if self._is_list() else []

    @staticmethod
    def _streamed() -> Schema:
        return {
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        }

    def _header_names(self, status_code: str) -> list[str]:
        names = ["X-Request-ID", "ETag"]
        if self._is_list():
            names.append("Link")
        if status_code == "201":
            names.append("Location")
        if self.method == "POST":
            names.append("Idempotent-Replayed")
        if self.is_deprecated():
            names += ["Deprecation", "Sunset"]
        return [*names, *(components.RATE_HEADERS if self.view.get_permissions() else ())]

    def _error_answers(self) -> dict[str, Schema]:
        statuses = {*_ALWAYS, *_OF_BODIES}  # a GET with a body is checked like any other request
        if uritemplate.variables(self.path):
            statuses.add(404)
        if self.method != "GET":
            statuses.add(409)
        if self.method in ("PATCH", "DELETE"):
            statuses.add(412)
        refused = self._refusals()
        return {
            str(status): components.error_response(status, refused[status])
            if status in refused
            else {"$ref": f"#/components/responses/Error{status}"}
            for status in sorted(statuses | set(refused))
        }

    def _refusals(self) -> dict[int, tuple[type[DomainError], ...]]:
        """Of the view's `refusals` for this action, by status."""
        refusals = getattr(self.view, "refusals", {}).get(getattr(self.view, "action", None), ())
        by_status: dict[int, tuple[type[DomainError], ...]] = {}
        for refusal in refusals:
            status = next(STATUS_OF[kind] for kind in refusal.__mro__ if kind in STATUS_OF)
            by_status[status] = (*by_status.get(status, ()), refusal)
        return by_status


def _merge_empty(schema: Schema) -> None:
    """Replaces the alternatives by one string without a format, which an empty one would violate:
    generators make a type of its own, or none that compiles, of each choice between two strings."""
    [text] = [one for one in schema.pop("oneOf") if one != _EMPTY]
    unfit = ("format", "pattern", "minLength")
    schema |= {name: value for name, value in text.items() if name not in unfit}


def _singular(word: str) -> str:
    return f"{word.removesuffix('ies')}y" if word.endswith("ies") else word.removesuffix("s")


def page_parameters(view: Any) -> list[Schema]:
    """`page`, `per_page`, `cursor`, `ordering` of a list."""
    orders = [text for name in view.ordering_fields for text in (name, f"-{name}")]
    number = {"type": "integer", "minimum": 1}
    return [
        _query("page", {**number, "default": 1}, "A page past the end is empty, no error."),
        _query("per_page", {**number, "maximum": 100, "default": 20}, "Rows on a page."),
        _query(
            "cursor",
            {"type": "string"},
            "`meta.next_cursor` of the page before, instead of `page`; empty: from the start.",
        ),
        _query(
            "ordering",
            {"type": "string", "enum": orders, "default": view.ordering},
            "`-` in front: descending. The id breaks ties.",
        ),
    ]


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}
