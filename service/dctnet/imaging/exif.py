"""EXIF orientation."""

import struct
from typing import Final

_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_LABEL: Final = b"Exif\0\0"
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3


def orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, 1 to 8; 1 if it is missing or damaged.

    Reads nothing else: a general reader loads every value, and hostile data can list thousands of
    values that point to the same megabytes.
    """
    exif = exif.removeprefix(_LABEL)
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(entries):
            tag, tag_type, count, value = struct.unpack_from(
                f"{order}HHIH", exif, start + 2 + 12 * entry
            )
            if tag == _ORIENTATION:
                return value if (tag_type, count) == (_SHORT, 1) and 1 <= value <= 8 else 1
    except struct.error:  # Truncated.
        pass
    return 1
