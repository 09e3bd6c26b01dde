"""``GET /openapi.json``: the API as an OpenAPI 3.1 document, made from what the code goes by.

It tells of this very server: the style that is loaded, its limits, and whether it asks for a key.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, get_args

from flask import Response, json

from dctnet import __version__
from dctnet.api import (
    authentication,
    cartoonize,
    deadline,
    problems,
    queue_tickets,
    request_id,
    static_files,
    upload_body,
)
from dctnet.api.problems import ProblemType
from dctnet.imaging import MEDIA_TYPES
from dctnet.lifecycle.state import State
from dctnet.models.folder import Integrity, ModelFolder
from dctnet.replica import Replica

Object = dict[str, Any]

READ = ("image/jpeg", "image/png", "image/webp", "image/avif")
"""What an image may be: that which the package ``imaging`` tells from the bytes."""

EXAMPLE_ID = "0f8c1d0e5a3b4a6f9a57d1c2b3e4f506"

EXAMPLES = {
    problems.BAD_REQUEST: "The body's chunks are malformed.",
    problems.MISSING_IMAGE: "Send the image as the request body or as the field `file` of a form.",
    problems.UNAUTHORIZED: "The API key is not valid.",
    problems.NOT_FOUND: "There is no sample of the style 'sketch'.",
    problems.METHOD_NOT_ALLOWED: "The method is not allowed for the requested URL.",
    problems.TOO_SLOW: "The image did not come fast enough.",
    problems.TOO_MANY_BYTES: "The image may have at most 10485760 bytes (10.0 MiB).",
    problems.TOO_MANY_PIXELS: "The image has 9000 x 6000 = 54000000 pixels; at most 40000000 are"
    " allowed.",
    problems.UNSUPPORTED_FORMAT: "This is not a JPEG, PNG, WebP or AVIF image.",
    problems.DAMAGED_IMAGE: "The image is damaged or cut off.",
    problems.UNKNOWN_STYLE: "The style 'sketch' is not loaded; 'anime' is.",
    problems.BAD_PARAMETER: "The format 'gif' is none of png, jpeg, webp.",
    problems.OVERLOADED: "Too many images wait already.",
    problems.CLIENT_GONE: "The client closed the connection while its image waited.",
    problems.INTERNAL: f"The server failed; its log has the details under {EXAMPLE_ID}.",
    problems.STARTING: "The model is still loading.",
    problems.OUT_OF_MEMORY: "There is not enough memory for this image at the moment; try again"
    " later.",
    problems.DRAINING: "The server ends before it could draw this.",
    problems.DEADLINE_EXCEEDED: "The cartoon was not ready before the request's deadline.",
}
"""What a problem of each kind may say."""

_NO_REQUEST = "This is no HTTP request that can be served."

UNSERVABLE = {
    400: (problems.BAD_REQUEST, _NO_REQUEST),
    408: (problems.TOO_SLOW, "The headers did not come in time."),
    414: (problems.BAD_REQUEST, _NO_REQUEST),
    417: (problems.BAD_REQUEST, _NO_REQUEST),
    431: (problems.BAD_REQUEST, _NO_REQUEST),
    501: (problems.BAD_REQUEST, _NO_REQUEST),
}
"""What the server answers, whatever the path, to what never becomes a request, by the status."""

PROBLEMS_OF_DRAWING = (
    problems.BAD_REQUEST,
    problems.MISSING_IMAGE,
    problems.TOO_SLOW,
    problems.TOO_MANY_BYTES,
    problems.TOO_MANY_PIXELS,
    problems.UNSUPPORTED_FORMAT,
    problems.DAMAGED_IMAGE,
    problems.BAD_PARAMETER,
    problems.OVERLOADED,
    problems.CLIENT_GONE,
    problems.INTERNAL,
    problems.STARTING,
    problems.OUT_OF_MEMORY,
    problems.DRAINING,
    problems.DEADLINE_EXCEEDED,
)

DESCRIPTION = """\
Turns a portrait photo into a cartoon of the same size. Photos stay in memory and are stored
nowhere.

An error is a problem document (RFC 9457), also where a path leads nowhere (404) or does not take a
method (405). A program may compare its `type`; `title` and `detail` are for people. `/upload` has a
form of its own for errors.

`HEAD` works wherever `GET` does, and `OPTIONS` everywhere."""


def openapi_view(document: Object) -> Callable[[], Response]:
    """Make the view function."""
    text = json.dumps(document, sort_keys=False, ensure_ascii=False, indent=2) + "\n"
    return lambda: Response(text, content_type="application/json")


def openapi_document(replica: Replica) -> Object:
    """Return the document of a server."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "dctnet",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/cartoons": {"post": _cartoons(replica)},
            "/upload": {"post": _upload(replica)},
            "/v1/queue-tickets/{ticket}": {"get": _ticket()},
            "/v1/styles": {"get": _styles()},
            "/v1/styles/{style}/sample": {"get": _sample(replica.model)},
            "/health": {"get": _health()},
            "/openapi.json": {"get": _openapi()},
            "/docs": {"get": _page("docs", "Read this document as a page")},
            "/": {"get": _page("page", "Open the page for a person with a photo")},
            "/static/{address}": {"get": _asset()},
        },
        "components": {
            "schemas": SCHEMAS,
            "parameters": _parameters(replica),
            "headers": HEADERS,
            "responses": _routing(),
            "examples": {kind.name: _example(kind) for kind in problems.PROBLEM_TYPES},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


# The operations.


def _cartoons(replica: Replica) -> Object:
    kinds = [*PROBLEMS_OF_DRAWING, problems.UNKNOWN_STYLE]
    done = _answer(
        "The cartoon, at the size at which a viewer shows the image, without any metadata.",
        _bytes(*MEDIA_TYPES.values()),
        DRAWN,
    )
    return {
        **_operation("draw", "Draw the cartoon of an image", "style", "format", *DRAWING),
        "description": "The image is the body, or the field `file` of a form. Its bytes tell what"
        " it is: of `Content-Type` only `multipart/form-data` counts.",
        "requestBody": _body(replica, _bytes(*READ, "application/octet-stream") | FORM),
        "responses": _ordered(_unservable(), _by_status(kinds + _locked(replica)), {"200": done}),
        **_security(replica),
    }


def _upload(replica: Replica) -> Object:
    kinds = [*PROBLEMS_OF_DRAWING, *_locked(replica)]
    done = _answer(
        "The cartoon, to be saved as `result.png`.",
        _bytes(MEDIA_TYPES["png"]),
        (*DRAWN, "Content-Disposition"),
    )
    return {
        **_operation("upload", "Draw it in the older way, as a PNG", *DRAWING),
        "requestBody": _body(replica, FORM),
        "responses": _ordered(_unservable(), _by_status(kinds, _older_problem), {"200": done}),
        **_security(replica),
    }


def _ticket() -> Object:
    content = {"application/json": {"schema": _reference("schemas", "Place")}}
    done = _answer("Where the image is.", content, ["Cache-Control"])
    summary = "Ask for the place in the queue of an image that was sent with a ticket"
    return _getting("ticket", summary, {"200": done}, path={"ticket": {"type": "string"}})


def _styles() -> Object:
    schema = {
        "type": "object",
        "required": ["styles"],
        "properties": {"styles": {"type": "array", "items": _reference("schemas", "Style")}},
    }
    done = _answer("The loaded style.", {"application/json": {"schema": schema}})
    return _getting("styles", "List the styles that can be asked for", {"200": done})


def _sample(model: ModelFolder) -> Object:
    return _getting(
        "sample",
        "Get a cartoon in a style, where there is one to show",
        _file("image/png"),
        path={"style": {"enum": [model.style]}},
    )


def _health() -> Object:
    content = {"application/json": {"schema": _reference("schemas", "Health")}}
    responses = {
        "200": _answer("Images can be drawn.", content),
        "503": _answer("Images cannot be drawn, yet or any more.", content),
    }
    return _getting("health", "Ask whether images can be drawn", responses)


def _openapi() -> Object:
    done = _answer("The document.", _bytes("application/json"))
    return _getting("openapi", "Get this document", {"200": done})


def _page(name: str, summary: str) -> Object:
    done = _answer("The page.", _bytes("text/html"), ["Cache-Control", "Content-Security-Policy"])
    return _getting(name, summary, {"200": done})


def _asset() -> Object:
    return _getting(
        "asset",
        "Get a file of a page, whose address changes with its content",
        _file("text/css", "text/javascript", "image/svg+xml"),
        path={"address": {"enum": sorted(static_files.addresses().values())}},
    )


def _file(*media_types: str) -> Object:
    content, headers = _bytes(*media_types), ["Cache-Control", "ETag", "Content-Disposition"]
    return {
        "200": _answer("The file.", content, headers),
        "206": _answer("The part of it that was asked for.", content, headers),
        "304": _answer("It is the one that the client has.", headers=headers),
        "404": _problem(problems.NOT_FOUND),
    }


def _getting(name: str, summary: str, responses: Object, path: Object | None = None) -> Object:
    operation = _operation(name, summary)
    for parameter, schema in (path or {}).items():
        operation["parameters"].append(
            {"name": parameter, "in": "path", "required": True, "schema": schema}
        )
    failures = {"500": _problem(problems.INTERNAL), **responses}
    return {**operation, "responses": _ordered(_unservable(), failures)}


def _operation(name: str, summary: str, *parameters: str) -> Object:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_reference("parameters", it) for it in (*parameters, "request-id")],
    }


# What is sent.

DRAWING = ("timeout", "ticket")
"""The headers that an image may be sent with, beside those that every request may have."""

FORM: Object = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": [upload_body.FIELD],
            "properties": {upload_body.FIELD: {"contentMediaType": "application/octet-stream"}},
        },
        "encoding": {upload_body.FIELD: {"contentType": ", ".join(READ)}},
    }
}

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": authentication.SCHEME.lower()},
    "key": {"type": "apiKey", "in": "header", "name": authentication.HEADER},
}


def _body(replica: Replica, content: Object) -> Object:
    limits = f"{replica.settings.max_body_bytes} bytes and {replica.settings.max_pixels} pixels"
    return {
        "required": True,
        "description": f"A JPEG, PNG, WebP or AVIF image of at most {limits}.",
        "content": content,
    }


def _security(replica: Replica) -> Object:
    """Return what an operation says of the keys; nothing where none is asked for."""
    return {"security": [{name: []} for name in SECURITY_SCHEMES]} if replica.api_keys else {}


def _locked(replica: Replica) -> list[ProblemType]:
    return [problems.UNAUTHORIZED] if replica.api_keys else []


def _parameters(replica: Replica) -> Object:
    style, most = replica.model.style, replica.settings.request_timeout
    return {
        "style": {
            "name": "style",
            "in": "query",
            "description": "The style to draw in, which must be the loaded one.",
            "schema": {"enum": [style], "default": style},
        },
        "format": {
            "name": "format",
            "in": "query",
            "description": "The format of the cartoon.",
            "schema": {"enum": list(MEDIA_TYPES), "default": "png"},
        },
        "timeout": {
            "name": deadline.HEADER,
            "in": "header",
            "description": "Within how many seconds the cartoon is wanted; later it is given up."
            f" The server gives up after {most:g} in any case.",
            "schema": {"type": "number", "exclusiveMinimum": 0, "default": most},
        },
        "ticket": {
            "name": queue_tickets.HEADER,
            "in": "header",
            "description": "A name that the client makes up, by which `/v1/queue-tickets` tells the"
            " image's place in the queue while this request waits for its answer.",
            "schema": {"type": "string", "pattern": f"^{queue_tickets.PATTERN}$"},
        },
        "request-id": {
            "name": request_id.HEADER,
            "in": "header",
            "description": "A name for the request, in its answer and in the log: 1 to 128 letters,"
            " digits, `.`, `_` and `-`. Anything else is replaced by a new name.",
            "schema": {"type": "string"},
        },
    }


# What is answered.

SCHEMAS = {
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail", "request_id"],
        "properties": {
            "type": {"enum": [kind.type for kind in problems.PROBLEM_TYPES]},
            "title": {"enum": [kind.title for kind in problems.PROBLEM_TYPES]},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "request_id": {"type": "string"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
    "Place": {
        "type": "object",
        "required": ["position"],
        "properties": {
            "position": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "1 for the image that is drawn next, and 0 for one that is being"
                " drawn. Null for one that is not here: it has not come yet, was answered, or is"
                " at another replica, each of which knows its own queue alone.",
            }
        },
    },
    "Style": {
        "type": "object",
        "required": ["name", "title", "model", "revision", "digest", "integrity", "sample"],
        "properties": {
            "name": {"type": "string"},
            "title": {"type": "string"},
            "model": {"type": "string", "description": "The model's id."},
            "revision": {"type": "string"},
            "digest": {
                "type": ["string", "null"],
                "pattern": "^[0-9a-f]{64}$",
                "description": "The sha256 of the model's manifest.",
            },
            "integrity": {"enum": list(get_args(Integrity))},
            "sample": {
                "type": ["string", "null"],
                "description": "Where a cartoon in the style is, from this address on.",
            },
        },
    },
    "Health": {
        "type": "object",
        "required": ["status", "model_loaded"],
        "properties": {
            "status": {"enum": ["healthy", *(str(state) for state in State)]},
            "model_loaded": {"type": "boolean"},
        },
    },
}

HEADERS = {
    request_id.HEADER: {
        "description": "The request's name.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    cartoonize.MODEL_HEADER: {
        "description": "What drew it: the style, and the model's revision.",
        "required": True,
        "schema": {"type": "string"},
    },
    cartoonize.FACES_HEADER: {
        "description": "How many faces were found and drawn as heads.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    cartoonize.TIMING_HEADER: {
        "description": "The milliseconds of each stage.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Cache-Control": {
        "description": "`no-store` for what nobody is to keep.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "What `If-None-Match` may say the next time.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "`attachment; filename=result.png` for a cartoon from `/upload`.",
        "required": True,
        "schema": {"type": "string", "pattern": "^(attachment|inline); filename="},
    },
    "Content-Security-Policy": {
        "description": "Keeps the page from loading anything from elsewhere.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "In how many seconds to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "required": True,
        "schema": {"const": authentication.SCHEME},
    },
    "Allow": {
        "description": "The methods that the path takes.",
        "required": True,
        "schema": {"type": "string"},
    },
}

DRAWN = (
    cartoonize.MODEL_HEADER,
    cartoonize.FACES_HEADER,
    cartoonize.TIMING_HEADER,
    "Cache-Control",
)

HEADERS_OF_PROBLEMS = {
    401: ["WWW-Authenticate"],
    405: ["Allow"],
    429: ["Retry-After"],
    503: ["Retry-After"],
}


def _answer(description: str, content: Object | None = None, headers: Sequence[str] = ()) -> Object:
    return {
        "description": description,
        "headers": {name: _reference("headers", name) for name in (request_id.HEADER, *headers)},
        **({"content": content} if content else {}),
    }


def _problem(*kinds: ProblemType) -> Object:
    """Return the answer where a problem is of one of these kinds, which share their status."""
    content = {
        "schema": _reference("schemas", "Problem"),
        "examples": {kind.name: _reference("examples", kind.name) for kind in kinds},
    }
    return _failure(kinds, {problems.MEDIA_TYPE: content})


def _older_problem(*kinds: ProblemType) -> Object:
    """Return the same for the older way; a request that is none never gets as far."""
    content: Object = {
        "application/json": {
            "schema": _reference("schemas", "Error"),
            "examples": {kind.name: {"value": {"error": EXAMPLES[kind]}} for kind in kinds},
        }
    }
    before = _unservable().get(str(kinds[0].status), {})
    return _failure(kinds, content | before.get("content", {}))


def _bytes(*media_types: str) -> Object:
    """Return what says that there is no structure to be told of."""
    return {media_type: {} for media_type in media_types}


def _failure(kinds: Sequence[ProblemType], content: Object) -> Object:
    titles = " ".join(f"{kind.title}." for kind in kinds)
    return _answer(titles, content, HEADERS_OF_PROBLEMS.get(kinds[0].status, []))


def _by_status(kinds: Sequence[ProblemType], failure: Callable[..., Object] = _problem) -> Object:
    ordered = sorted(kinds, key=lambda kind: kind.status)
    groups = groupby(ordered, lambda kind: kind.status)
    return {str(status): failure(*group) for status, group in groups}


def _unservable() -> Object:
    answers = {}
    for status, (kind, detail) in UNSERVABLE.items():
        example = {"value": problems.problem_document(kind, status, detail, EXAMPLE_ID)}
        content = {"schema": _reference("schemas", "Problem"), "examples": {"no-request": example}}
        answers[str(status)] = _failure([kind], {problems.MEDIA_TYPE: content})
    return answers


def _routing() -> Object:
    """Return the answers that no operation has: those to paths and methods that there are not."""
    not_allowed = _problem(problems.METHOD_NOT_ALLOWED)
    not_allowed["content"] |= _older_problem(problems.METHOD_NOT_ALLOWED)["content"]
    return {"not-found": _problem(problems.NOT_FOUND), "method-not-allowed": not_allowed}


def _ordered(*responses: Object) -> Object:
    """Return all in the order of their statuses; of the same status, the last one given."""
    merged = {status: response for some in responses for status, response in some.items()}
    return dict(sorted(merged.items()))


def _example(kind: ProblemType) -> Object:
    value = problems.problem_document(kind, kind.status, EXAMPLES[kind], EXAMPLE_ID)
    return {"summary": kind.title, "value": value}


def _reference(kind: str, name: str) -> Object:
    return {"$ref": f"#/components/{kind}/{name}"}
