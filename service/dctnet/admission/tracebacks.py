"""What an error remembers of the code that raised it."""

from traceback import clear_frames


def clear_traceback_frames(error: BaseException) -> None:
    """Empty the frames that an error and those behind it keep: they hold the image's bytes.

    Where it was raised stays known; what the variables were does not. Frames that still run keep
    theirs.
    """
    links: list[BaseException | None] = [error]
    seen: set[int] = set()
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            clear_frames(link.__traceback__)
            links += [link.__cause__, link.__context__]
