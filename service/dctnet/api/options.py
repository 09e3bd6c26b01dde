"""Options of a cartoon: parameters of the query, or fields of the form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import Request

from dctnet.api.problems import BAD_PARAMETER, UNKNOWN_STYLE, Problem
from dctnet.cartoon_options import KEEP, WHITE, Colour, parse_background, parse_size, parse_strength
from dctnet.imaging import MEDIA_TYPES, TRANSPARENT_FORMATS, Format
from dctnet.replica import Replica

T = TypeVar("T")

Fields = Mapping[str, list[str]]
"""Values of each field of a form."""

NAMES = ("style", "format", "strength", "size", "background")

_IGNORED = frozenset({"", "_charset_"})
"""Fields that browsers fill in: without a name, and HTML's `_charset_`."""

_OTHER_NAMES = {"jpg": "jpeg"}

MAX_NAMED = 5
"""Most unknown names that an error lists."""


@dataclass(frozen=True, slots=True)
class CartoonOptions:
    """What a client wants to have drawn."""

    style: str
    format: Format = "png"
    strength: float = 1.0
    """Weight of the cartoon, 0 to 1, in its mix with the image."""
    max_side: int | None = None
    """Limit of the cartoon's longest side in pixels; None for the image's size."""
    background: Colour | None = WHITE
    """Colour behind transparency; None to keep it."""


def cartoon_options(request: Request, fields: Fields, replica: Replica) -> CartoonOptions:
    """Return the options of a request whose form has these fields; raise Problem."""
    query = request.args.to_dict(flat=False)
    _require_known("query", query)
    _require_known("form", fields)
    values = {name: _only_value(name, query, fields) for name in NAMES}
    format = _format(values["format"], request)
    white: Colour | None = WHITE
    background = _parsed("background", values["background"], parse_background, white)
    if background is None and format not in TRANSPARENT_FORMATS:
        raise Problem(
            BAD_PARAMETER,
            f"The format {format} has no transparency for background={KEEP}; these have:"
            f" {', '.join(TRANSPARENT_FORMATS)}.",
        )
    return CartoonOptions(
        style=loaded_style(values["style"], replica),
        format=format,
        strength=_parsed("strength", values["strength"], parse_strength, 1.0),
        max_side=_parsed("size", values["size"], parse_size, None),
        background=background,
    )


def loaded_style(name: str | None, replica: Replica) -> str:
    """Return the style, or the default; raise Problem if it is not loaded."""
    style = replica.default_style if name is None else name
    if style not in replica.models:
        loaded = ", ".join(replica.models)
        raise Problem(UNKNOWN_STYLE, f"The style {style!r} is not loaded; these are: {loaded}.")
    return style


def _require_known(where: str, values: Fields) -> None:
    unknown = [name for name in values if name not in NAMES and name not in _IGNORED]
    if unknown:
        named = ", ".join(map(repr, unknown[:MAX_NAMED]))
        more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
        raise Problem(
            BAD_PARAMETER,
            f"The {where} has unknown parameters: {named}{more}; known are {', '.join(NAMES)}.",
        )


def _only_value(name: str, query: Fields, fields: Fields) -> str | None:
    """Return the value of a parameter, None if it is absent; raise Problem for several."""
    for where, values in (("query", query), ("form", fields)):
        if len(values.get(name, [])) > 1:
            count = len(values[name])
            raise Problem(BAD_PARAMETER, f"The {where} has {count} values of {name}; send one.")
    found = {*query.get(name, []), *fields.get(name, [])}
    if len(found) > 1:
        raise Problem(
            BAD_PARAMETER,
            f"The query has {name}={query[name][0]!r} and the form {fields[name][0]!r}; send one.",
        )
    return next(iter(found), None)


def _format(text: str | None, request: Request) -> Format:
    """Return the format of a parameter, or else the one that `Accept` prefers."""
    if text is None:
        best = request.accept_mimetypes.best_match(list(MEDIA_TYPES.values()))
        return next((name for name, media_type in MEDIA_TYPES.items() if media_type == best), "png")
    name = _OTHER_NAMES.get(text, text)
    for format in MEDIA_TYPES:
        if name == format:
            return format
    raise Problem(BAD_PARAMETER, f"The format {text!r} is none of {', '.join(MEDIA_TYPES)}.")


def _parsed(name: str, text: str | None, parse: Callable[[str], T], default: T) -> T:
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"The {name} {error}.") from None
