"""Command line arguments that several commands have."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from dctnet.models.errors import ModelError

T = TypeVar("T")


def argument_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser whose ValueErrors argparse shows."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return parse_argument


def add_styles(parser: ArgumentParser, metavar: str, described: str, all_described: str) -> None:
    """Add positional names, of which there may be several, and ``--all`` in their place."""
    styles = parser.add_mutually_exclusive_group(required=True)
    styles.add_argument("styles", nargs="*", default=[], metavar=metavar, help=described)
    styles.add_argument("--all", action="store_true", help=all_described)


@contextmanager
def naming(style: str, styles: Sequence[str]) -> Iterator[None]:
    """Begin the message of a ModelError with the style, if there are several."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{style}: {error}" if len(styles) > 1 else str(error)) from error
