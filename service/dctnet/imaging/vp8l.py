"""Cost check of lossless WebP bitstreams (VP8L), without decoding pixels.

Names are those of the specification, RFC 9649, section 3.
"""

from typing import Final

from dctnet.imaging.errors import DamagedImage

MAX_ENTROPY_PIXELS: Final = 2600
"""Limit of pixels in an entropy image. Each may select its own Huffman codes, whose tables take up
to 20 KiB in libwebp. Its encoder never writes more."""

MAX_TRANSFORM_PIXELS: Final = 1 << 14
"""Limit of blocks in a transform with sides below ``MIN_TRANSFORM_BLOCK`` pixels: the limits of
current and earlier encoders of libwebp."""

MIN_TRANSFORM_BLOCK: Final = 16
"""Side of a block in pixels from which the number of blocks is not limited."""

_PREDICTOR, _COLOR, _COLOR_INDEXING = 0, 1, 3
_LITERALS: Final = 256
_LENGTH_CODES: Final = 24
_DISTANCE_CODES: Final = 40
_MAX_CACHE_BITS: Final = 11
_CODE_LENGTH_ORDER: Final = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
_REPEATS: Final = {16: (2, 3), 17: (3, 3), 18: (7, 11)}
"""By code that repeats a length: its extra bits and the minimum of repetitions."""

_Code = tuple[int, list[int]]
"""A prefix code: the bit mask of its longest symbol, and for each value of these bits the symbol
times 16 plus its length."""


def check_decoding_cost(stream: bytes, width: int, height: int) -> None:
    """Raise DamagedImage if an image selects more Huffman codes than encoders write.

    Args:
        stream: Bits of the image, after the header with its size.
        width: Width in pixels.
        height: Height in pixels.
    """
    bits = _BitReader(stream)
    transforms: set[int] = set()
    while bits.take(1):
        transform = bits.take(2)
        if transform in transforms:
            raise DamagedImage("The WebP is damaged: it has a transform twice.")
        transforms.add(transform)
        if transform in {_PREDICTOR, _COLOR}:
            block = 4 << bits.take(3)
            blocks = _blocks(width, height, block)
            if blocks > MAX_TRANSFORM_PIXELS and block < MIN_TRANSFORM_BLOCK:
                raise DamagedImage(
                    f"The WebP has a transform of {blocks} blocks; at most {MAX_TRANSFORM_PIXELS} "
                    f"are allowed of less than {MIN_TRANSFORM_BLOCK} pixels."
                )
            _skip_image(bits, blocks)
        elif transform == _COLOR_INDEXING:
            colors = bits.take(8) + 1
            _skip_image(bits, colors)
            bundled = 1 if colors > 16 else 2 if colors > 4 else 4 if colors > 2 else 8
            width = -(-width // bundled)
    _take_cache_bits(bits)
    if bits.take(1):  # There is an entropy image.
        pixels = _blocks(width, height, 4 << bits.take(3))
        if pixels > MAX_ENTROPY_PIXELS:
            raise DamagedImage(
                f"The WebP has an entropy image of {pixels} pixels; at most {MAX_ENTROPY_PIXELS} "
                "are allowed."
            )


def _blocks(width: int, height: int, block: int) -> int:
    return -(-width // block) * -(-height // block)


class _BitReader:
    """Reader of bits, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._length = 8 * len(data)
        self.position = 0

    def peek(self) -> int:
        """Return at least the next 16 bits; zeros follow the last."""
        start = self.position >> 3
        return int.from_bytes(self._data[start : start + 3], "little") >> (self.position & 7)

    def skip(self, count: int) -> None:
        self.position += count
        if self.position > self._length:
            raise DamagedImage("The WebP is damaged or cut off.")

    def take(self, count: int) -> int:
        """Read up to 16 bits."""
        bits = self.peek() & (1 << count) - 1
        self.skip(count)
        return bits

    def take_symbol(self, code: _Code) -> int:
        mask, entries = code
        entry = entries[self.peek() & mask]
        self.skip(entry & 15)
        return entry >> 4


def _take_cache_bits(bits: _BitReader) -> int:
    """Read the size of the color cache as a power of 2; 0 if there is none."""
    cache_bits = bits.take(4) if bits.take(1) else 0
    if cache_bits > _MAX_CACHE_BITS:
        raise DamagedImage("The WebP is damaged: its color cache is too large.")
    return cache_bits


def _skip_image(bits: _BitReader, pixels: int) -> None:
    """Skip the image of a transform: pixels are coded independently."""
    cache_bits = _take_cache_bits(bits)
    cached = 1 << cache_bits if cache_bits else 0
    green = _take_code(bits, _LITERALS + _LENGTH_CODES + cached)
    others = [_take_code(bits, _LITERALS) for _ in range(3)]
    distance = _take_code(bits, _DISTANCE_CODES)
    others = [code for code in others if code[0]]  # A code of one symbol takes no bits.
    while pixels > 0:
        symbol = bits.take_symbol(green)
        if symbol < _LITERALS:
            for code in others:
                bits.take_symbol(code)
            pixels -= 1
        elif symbol < _LITERALS + _LENGTH_CODES:
            pixels -= _take_number(bits, symbol - _LITERALS)
            _take_number(bits, bits.take_symbol(distance))
        else:
            pixels -= 1


def _take_number(bits: _BitReader, prefix: int) -> int:
    """Read a length or distance of a prefix code."""
    if prefix < 4:
        return prefix + 1
    extra = prefix - 2 >> 1
    return (2 + (prefix & 1) << extra) + bits.take(extra) + 1


def _take_code(bits: _BitReader, alphabet: int) -> _Code:
    """Read a prefix code of the symbols below ``alphabet``."""
    if bits.take(1):  # Simple code: one or two symbols.
        two = bits.take(1)
        symbols = {bits.take(8 if bits.take(1) else 1)}
        if two:
            symbols.add(bits.take(8))
        return _code([int(symbol in symbols) for symbol in range(alphabet)])
    lengths = [0] * alphabet
    of_lengths = [0] * len(_CODE_LENGTH_ORDER)
    for symbol in _CODE_LENGTH_ORDER[: bits.take(4) + 4]:
        of_lengths[symbol] = bits.take(3)
    length_code = _code(of_lengths)
    left = 2 + bits.take(2 + 2 * bits.take(3)) if bits.take(1) else alphabet
    if left > alphabet:
        raise DamagedImage("The WebP is damaged: it has a code of too many symbols.")
    symbol, previous = 0, 8
    while symbol < alphabet and left:
        left -= 1
        length = bits.take_symbol(length_code)
        if length < 16:
            lengths[symbol] = length
            symbol += 1
            previous = length or previous
            continue
        extra, fewest = _REPEATS[length]
        times = bits.take(extra) + fewest
        if symbol + times > alphabet:
            raise DamagedImage("The WebP is damaged: it has a code of too many symbols.")
        lengths[symbol : symbol + times] = [previous if length == 16 else 0] * times
        symbol += times
    return _code(lengths)


def _code(lengths: list[int]) -> _Code:
    """Return the canonical code with these lengths."""
    used = [(length, symbol) for symbol, length in enumerate(lengths) if length]
    if len(used) == 1:
        return 0, [used[0][1] << 4]
    used.sort()
    longest = used[-1][0] if used else 0
    if sum(1 << longest - length for length, _ in used) != 1 << longest:
        raise DamagedImage("The WebP is damaged: it has a code that is not complete.")
    entries = [0] * (1 << longest)
    value = 0
    for length, symbol in used:
        # Bits are read least significant first, codes most significant first.
        first = int(f"{value >> longest - length:0{length}b}"[::-1], 2)
        entries[first :: 1 << length] = [symbol << 4 | length] * (1 << longest - length)
        value += 1 << longest - length
    return (1 << longest) - 1, entries
