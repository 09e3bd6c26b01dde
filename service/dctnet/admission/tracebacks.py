"""Traceback frames of errors: clear what they hold of requests."""

from traceback import clear_frames


def clear_traceback_frames(error: BaseException) -> None:
    """Clear the frames of an error, its cause and context: they hold image bytes.

    Line numbers stay, variables do not. Running frames keep theirs.
    """
    links: list[BaseException | None] = [error]
    seen: set[int] = set()
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            clear_frames(link.__traceback__)
            links += [link.__cause__, link.__context__]
