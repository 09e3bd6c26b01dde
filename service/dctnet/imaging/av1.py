"""Frame sizes of AV1 streams, read from headers without decoding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dctnet.imaging.errors import DamagedImage

MAX_OBUS: Final = 16_384
"""Limit of OBUs in an image's streams: a few for each stream, and one for each tile, of which AV1
allows 4096."""

MAX_HIGH_BITDEPTH_FRAMES: Final = 1
"""Limit of frames in a stream with more than 8 bits per sample: the decoder keeps up to three, of
twice the memory. Encoders write more only for a progressive image."""

_SEQUENCE_HEADER: Final = 1
# The decoder takes a redundant frame header for a frame's if it has seen no other.
_FRAME_HEADERS: Final = frozenset({3, 6, 7})
_HEADER_BYTES: Final = 1024
"""Bytes to read of a header: 32 operating points with all options take less."""

_SELECT: Final = 2
_KEY_FRAME, _SWITCH_FRAME = 0, 3


def frame_pixels(streams: Iterable[tuple[bytes, int]]) -> Iterator[list[int]]:
    """Yield for each stream an upper bound of the pixels of each frame.

    Each stream comes with the number of times that it will be decoded.

    Raises:
        DamagedImage: The streams have more than ``MAX_OBUS``, a frame before its sequence header,
            or more than ``MAX_HIGH_BITDEPTH_FRAMES`` of more than 8 bits per sample.
    """
    obus = 0
    for stream, times in streams:
        pixels: list[int] = []
        sequence: _Sequence | None = None
        high_bitdepth = False
        for obu_type, body in _obus(stream):
            obus += times
            if obus > MAX_OBUS:
                raise DamagedImage(f"The AVIF has more than {MAX_OBUS} units of AV1.")
            if obu_type == _SEQUENCE_HEADER:
                sequence = _Sequence.read(body)
            elif obu_type in _FRAME_HEADERS:
                if sequence is None:
                    raise DamagedImage("The AVIF is damaged: its AV1 has no sequence header.")
                pixels.append(sequence.frame_pixel_bound(body))
                high_bitdepth = high_bitdepth or sequence.high_bitdepth
        if high_bitdepth and len(pixels) > MAX_HIGH_BITDEPTH_FRAMES:
            raise DamagedImage(
                f"The AVIF has {len(pixels)} layers of more than 8 bits per sample; "
                f"at most {MAX_HIGH_BITDEPTH_FRAMES} are allowed."
            )
        yield pixels


def _obus(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the first bytes of each OBU."""
    position = 0
    while position < len(stream):
        header = stream[position]
        position += 2 if header & 4 else 1  # An extension header follows.
        length = len(stream) - position
        if header & 2:  # The length follows as LEB128.
            length = 0
            for shift in range(0, 56, 7):
                byte = int.from_bytes(stream[position : position + 1])
                position += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
        yield header >> 3 & 15, stream[position : position + min(length, _HEADER_BYTES)]
        position += length


class _BitReader:
    """Reader of bits, most significant first; zeros follow the last."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data)
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        bits = self._bits >> self._left if self._left >= 0 else self._bits << -self._left
        return bits & (1 << count) - 1

    def skip_uvlc(self) -> None:
        """Skip a ``uvlc()`` number: its length is the number of leading zeros."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        self.take(zeros if zeros < 32 else 0)


@dataclass(slots=True)
class _Sequence:
    """Fields of a sequence header that determine the size of its frames.

    Names and order are those of the AV1 specification, 5.5 and 5.9.
    """

    reduced_still_image_header: int = 0
    decoder_model_info_present: bool = False
    presentation_time_bits: int = 0
    """Length of a shown frame's presentation time; 0 if it has none."""
    width_bits: int = 0
    height_bits: int = 0
    max_frame_pixels: int = 0
    frame_id_bits: int = 0
    seq_force_screen_content_tools: int = _SELECT
    seq_force_integer_mv: int = _SELECT
    order_hint_bits: int = 0
    high_bitdepth: bool = False
    """Whether samples have 10 or 12 bits, not 8."""

    @classmethod
    def read(cls, header: bytes) -> "_Sequence":
        sequence, bits = cls(), _BitReader(header)
        bits.take(4)  # seq_profile, still_image
        sequence.reduced_still_image_header = bits.take(1)
        if sequence.reduced_still_image_header:
            bits.take(5)  # seq_level_idx
        else:
            sequence._read_operating_points(bits)
        sequence.width_bits, sequence.height_bits = bits.take(4) + 1, bits.take(4) + 1
        sequence.max_frame_pixels = sequence._take_pixels(bits)
        if sequence.reduced_still_image_header:
            bits.take(3)  # From use_128x128_superblock to enable_intra_edge_filter
        else:
            sequence._read_frame_options(bits)
        bits.take(3)  # enable_superres, enable_cdef, enable_restoration
        sequence.high_bitdepth = bits.take(1) == 1  # high_bitdepth
        return sequence

    def _take_pixels(self, bits: _BitReader) -> int:
        return (bits.take(self.width_bits) + 1) * (bits.take(self.height_bits) + 1)

    def _read_operating_points(self, bits: _BitReader) -> None:
        delay_bits = 0
        if bits.take(1):  # timing_info_present_flag
            bits.take(64)
            equal_image_interval = bits.take(1)
            if equal_image_interval:
                bits.skip_uvlc()
            if bits.take(1):  # decoder_model_info_present_flag
                self.decoder_model_info_present = True
                delay_bits = bits.take(5) + 1
                bits.take(37)
                frame_presentation_time_bits = bits.take(5) + 1
                if not equal_image_interval:
                    self.presentation_time_bits = frame_presentation_time_bits
        initial_display_delay_present = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)  # operating_point_idc
            if bits.take(5) > 7:  # seq_level_idx
                bits.take(1)  # seq_tier
            if delay_bits and bits.take(1):
                bits.take(2 * delay_bits + 1)
            if initial_display_delay_present and bits.take(1):
                bits.take(4)

    def _read_frame_options(self, bits: _BitReader) -> None:
        if bits.take(1):  # frame_id_numbers_present_flag
            self.frame_id_bits = bits.take(4) + 2 + bits.take(3) + 1
        bits.take(7)  # From use_128x128_superblock to enable_dual_filter
        enable_order_hint = bits.take(1)
        bits.take(2 * enable_order_hint)
        if not bits.take(1):  # seq_choose_screen_content_tools
            self.seq_force_screen_content_tools = bits.take(1)
        if self.seq_force_screen_content_tools and not bits.take(1):  # seq_choose_integer_mv
            self.seq_force_integer_mv = bits.take(1)
        if enable_order_hint:
            self.order_hint_bits = bits.take(3) + 1

    def frame_pixel_bound(self, frame_header: bytes) -> int:
        """Return an upper bound of a frame's pixels."""
        if self.reduced_still_image_header:
            return self.max_frame_pixels
        most = 1 << self.width_bits + self.height_bits
        bits = _BitReader(frame_header)
        if bits.take(1):  # show_existing_frame: an earlier frame of any size.
            return most
        frame_type, show_frame = bits.take(2), bits.take(1)
        bits.take(self.presentation_time_bits if show_frame else 1)  # Or showable_frame
        is_shown_key = frame_type == _KEY_FRAME and show_frame
        if frame_type != _SWITCH_FRAME and not is_shown_key:
            bits.take(1)  # error_resilient_mode
        bits.take(1)  # disable_cdf_update
        screen_content_tools = self.seq_force_screen_content_tools
        if screen_content_tools == _SELECT:
            screen_content_tools = bits.take(1)
        if screen_content_tools and self.seq_force_integer_mv == _SELECT:
            bits.take(1)  # force_integer_mv
        bits.take(self.frame_id_bits)
        if frame_type != _SWITCH_FRAME and not bits.take(1):  # frame_size_override_flag
            return self.max_frame_pixels
        bits.take(self.order_hint_bits)
        # In other frames the size follows fields that depend on earlier frames.
        is_known = is_shown_key and not self.decoder_model_info_present
        return self._take_pixels(bits) if is_known else most
