"""The JSON interface in OpenAPI 3.1, written by hand; a test holds it against the routes."""

from ecgedge import NOTICE, __version__
from ecgedge.manifest import Json
from ecgedge_device.web.shown_results import NOT_BEATS


def _answer(words: str, schema: str = "", media_type: str = "application/json") -> dict[str, Json]:
    found: dict[str, Json] = {"description": words}
    if schema:
        found["content"] = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    elif media_type != "application/json":
        found["content"] = {media_type: {}}
    return found


def _refusals(**words: str) -> dict[str, Json]:
    every = {"401": "not logged in, or a wrong token", "429": "too many failed logins", **words}
    return {status.removeprefix("s"): _answer(text, "Error") for status, text in every.items()}


def _query(name: str, words: str, **schema: Json) -> dict[str, Json]:
    return {"name": name, "in": "query", "description": words, "schema": {"type": "string", **schema}}


def _path(name: str, words: str, **schema: Json) -> dict[str, Json]:
    found: dict[str, Json] = {"type": "string", **schema}
    return {"name": name, "in": "path", "required": True, "description": words, "schema": found}


def _operation(
    words: str, answers: dict[str, Json], *, parameters: tuple[dict[str, Json], ...] = (), **more: Json
) -> dict[str, Json]:
    found: dict[str, Json] = {"summary": words, "responses": answers, **more}
    if parameters:
        found["parameters"] = list(parameters)
    return found


_ID = _path("id", "id of a result", format="uuid")
_BINARY: dict[str, Json] = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Json] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
        **dict.fromkeys(("image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "text/csv"), _BINARY),
    },
}
_OPEN: list[Json] = []

PATHS: dict[str, Json] = {
    "/api/results": {
        "get": _operation(
            "Stored results, the newest first",
            {"200": _answer("results", "Results"), **_refusals(s422="an impossible filter")},
            parameters=(
                _query("kind", "only these", enum=list(NOT_BEATS)),
                _query("source", "only of this source"),
                _query("label", "only of this class"),
                _query("before", "only with a smaller number: `before` of the last answer", type="integer"),
                _query("limit", "how many, 1 to 500", type="integer", default=30),
            ),
        )
    },
    "/api/results/{id}": {
        "get": _operation(
            "One result", {"200": _answer("the result", "Result"), **_refusals(s404="none")}, parameters=(_ID,)
        )
    },
    "/api/results/{id}/files/{role}": {
        "get": _operation(
            "A file of a result",
            {"200": _answer("the file", media_type="image/jpeg"), **_refusals(s404="none")},
            parameters=(_ID, _path("role", "key of the result's files", enum=["picture", "drawn", "snippet"])),
        )
    },
    "/api/results/{id}/report.pdf": {
        "get": _operation(
            "One result as a PDF",
            {"200": _answer("the report", media_type="application/pdf"), **_refusals(s404="none")},
            parameters=(_ID,),
        )
    },
    "/api/pictures": {
        "post": _operation(
            "Hand in pictures or recordings; each result appears under the id of its work",
            {
                "202": _answer("taken in, durable", "Taken"),
                **_refusals(
                    s403="a form without its CSRF token",
                    s404="no source takes files",
                    s413="larger than the limit",
                    s415="a kind of file that is not known",
                    s422="damaged, or no picture inside",
                    s503="too many at once",
                ),
            },
            parameters=(_query("source", "which source takes it; default: the first that takes files"),),
            requestBody=_BODY,
        )
    },
    "/api/pictures/{id}": {
        "get": _operation(
            "Whether it has been judged", {"200": _answer("state", "Work"), **_refusals()}, parameters=(_ID,)
        )
    },
    "/api/sources/{name}/trigger": {
        "post": _operation(
            "Ask a camera for a picture; its result comes as an event and in the list",
            {
                "202": _answer("asked", "Triggered"),
                **_refusals(s403="no CSRF token", s404="no such camera", s503="it cannot now"),
            },
            parameters=(_path("name", "name of the source"),),
        )
    },
    "/api/state": {"get": _operation("How everything does", {"200": _answer("state", "State"), **_refusals()})},
    "/api/events": {
        "get": _operation(
            "Live events (server-sent): signal, beats, step, result, state",
            {"200": _answer("a stream", media_type="text/event-stream"), **_refusals(s503="too many watch")},
            parameters=(_query("source", "only of this source; may be repeated"),),
        )
    },
    "/api/openapi.json": {"get": _operation("This description", {"200": _answer("OpenAPI 3.1"), **_refusals()})},
    "/healthz": {
        "get": _operation(
            "Whether the process answers", {"200": _answer("ok", media_type="text/plain")}, security=_OPEN
        )
    },
    "/readyz": {
        "get": _operation(
            "Whether every source is there and the store can be written; reasons only for who may know",
            {"200": _answer("ready", "Ready"), "503": _answer("not ready", "Ready")},
            security=_OPEN,
        )
    },
    "/metrics": {
        "get": _operation("Figures for Prometheus", {"200": _answer("text", media_type="text/plain"), **_refusals()})
    },
}


def _object(required: tuple[str, ...], **properties: Json) -> dict[str, Json]:
    return {"type": "object", "required": list(required), "properties": dict(properties)}


_TEXT: dict[str, Json] = {"type": "string"}
_STATE: dict[str, Json] = {"type": "string", "enum": ["waiting", "judging", "judged"]}
_ANY: dict[str, Json] = {"type": "object"}
_WHOLE: dict[str, Json] = {"type": "integer"}
_SCHEMAS: dict[str, Json] = {
    "Error": _object(("error",), error={"type": "string", "description": "one line: the value, the limit, the remedy"}),
    "Result": {
        **_object(
            ("number", "id", "kind", "source", "time_utc", "stored_utc", "files", "notice"),
            number=_WHOLE,
            id={"type": "string", "format": "uuid"},
            kind={"type": "string", "enum": ["beat", *NOT_BEATS]},
            source=_TEXT,
            time_utc=_TEXT,
            stored_utc=_TEXT,
            files={"type": "object", "additionalProperties": _TEXT, "description": "role -> address"},
            notice=_TEXT,
        ),
        "description": "and the content of its kind, see ecgedge_device/results.py",
    },
    "Results": _object(
        ("results", "before", "notice"),
        results={"type": "array", "items": {"type": "object"}},
        before={"type": ["integer", "null"], "description": "ask for older ones with it; null where there are none"},
        notice=_TEXT,
    ),
    "Taken": _object(("id", "ids", "state"), id=_TEXT, ids={"type": "array", "items": _TEXT}, state=_TEXT),
    "Work": _object(
        ("id", "state"),
        id=_TEXT,
        state=_STATE,
        share={"type": "number"},
        result=_TEXT,
    ),
    "Triggered": _object(("triggered",), triggered=_TEXT),
    "Ready": _object(("ready", "reasons"), ready={"type": "boolean"}, reasons={"type": "array", "items": _TEXT}),
    "State": _object(
        ("device", "version", "uptime_s", "sources", "reporters", "facts", "machine", "models"),
        device=_TEXT,
        version=_TEXT,
        uptime_s={"type": "number"},
        sources=_ANY,
        reporters=_ANY,
        facts=_ANY,
        machine=_ANY,
        models=_ANY,
        dead_letters={"type": "array", "items": {"type": "object"}},
        notice=_TEXT,
    ),
}

DESCRIPTION: dict[str, Json] = {
    "openapi": "3.1.0",
    "info": {"title": "ecgedge agent", "version": __version__, "description": NOTICE},
    "paths": PATHS,
    "security": [{"token": []}, {"session": []}],
    "components": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "ecgedge"},
        },
        "schemas": _SCHEMAS,
    },
}
