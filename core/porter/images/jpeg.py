"""Whether a JPEG that ends in order holds all of its picture.

libjpeg, and so Pillow, reads a scan whose data stops early, fills the rest with grey and only warns; Pillow drops the
warning. A plain cut is refused nonetheless, since the end marker is missing. What passes is a file cut short whose end
marker was put back, as cameras, downloaders and "repair" tools do. This module finds those, and tells which files are
so ordinary that any decoder built on libjpeg-turbo reads them alike.
Marker names and layouts: ITU-T T.81 (JPEG), annex B.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from porter.errors import ImageError
from porter.records.message import Message, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Decode = Callable[[bytes], NDArray[np.uint8]]

_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC5, 0xC6, 0xC9, 0xCA, 0xCD, 0xCE})
_SEQUENTIAL_HUFFMAN = frozenset({0xC0, 0xC1})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SOI, _EOI, _SOS, _DRI = 0xD8, 0xD9, 0xDA, 0xDD
_DHT, _DQT, _APP2, _APP14, _COM = 0xC4, 0xDB, 0xE2, 0xEE, 0xFE
_YCBCR = 1
"""Colour transform in an Adobe marker: three components are luma and chroma."""
_ORDINARY_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive, all in Huffman code."""
_ORDINARY_SAMPLING = tuple({1: luma, 2: (1, 1), 3: (1, 1)} for luma in ((1, 1), (2, 1), (2, 2)))
"""4:4:4, 4:2:2 and 4:2:0, of components numbered as JFIF has it."""
_ORDINARY_HEAD = frozenset({_DHT, _DQT, _DRI, _SOS, _COM, *_ORDINARY_FRAMES, *range(0xE0, 0xF0)})
_ORDINARY_BETWEEN_SCANS = frozenset({_DHT, _DRI, _SOS})
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker other than a restart; 0xff00 is a data byte, and further 0xff may precede a marker."""

# Entropy-coded bytes that mean nothing in particular. None is 0xff, so none can be taken for a marker.
_PROBE = bytes((i * 97 + 41) % 251 for i in range(64))

_GREY, _GREY_TOLERANCE = 128, 4
"""Level of a block without data (T.81 A.3.1), and what colour conversion and chroma from a neighbour may add."""


@dataclass
class _Scan:
    components: tuple[int, ...]
    first: int
    last: int
    low_bit: int
    start: int
    """Offset of the scan's entropy-coded data."""


@dataclass
class Layout:
    """What the markers of a JPEG file say."""

    width: int = 0
    height: int = 0
    bits: int = 0
    """Bits of a sample."""
    frame: int = 0
    """Marker of the frame: how the image is coded."""
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Horizontal and vertical sampling factor of each component, by its identifier."""
    restart_interval: int = 0
    scans: list[_Scan] = field(default_factory=list)
    end: int = -1
    """Offset of the end marker, and of any 0xff that fill up before it; -1 where there is none."""
    head: list[int] = field(default_factory=list)
    """Markers up to the first scan, that one included."""
    between: list[int] = field(default_factory=list)
    """Markers after the first scan and before the end."""
    contiguous: bool = True
    """Whether segment follows segment with nothing in between."""
    special: bool = False
    """Whether a marker says that there are further pictures (MPF), or other colours than YCbCr (Adobe)."""

    @property
    def progressive(self) -> bool:
        return self.frame in _PROGRESSIVE

    @property
    def ordinary(self) -> bool:
        """Whether the file is one 8-bit YCbCr picture in Huffman code, with the usual sampling and nothing unusual.

        Decoders built on libjpeg-turbo give such a file the same pixels, and none of them has more to say of it.
        """
        return (
            self.contiguous
            and not self.special
            and self.frame in _ORDINARY_FRAMES
            and sum(marker in _SOF for marker in (*self.head, *self.between)) == 1
            and self.bits == 8
            and min(self.width, self.height) > 0
            and self.sampling in _ORDINARY_SAMPLING
            and self.end >= 0
            and _ORDINARY_HEAD.issuperset(self.head)
            and {_DHT, _DQT, _SOS}.issubset(self.head)
            and (_ORDINARY_BETWEEN_SCANS.issuperset(self.between) if self.progressive else not self.between)
        )


def read_layout(data: bytes) -> Layout | None:
    """The layout of the JPEG file `data`; None where only libjpeg can make sense of it."""
    try:
        return _read_layout(data)
    except (IndexError, ValueError):
        return None


def missing_data(data: bytes, pixels: NDArray[np.uint8], decode: Decode, layout: Layout | None) -> Text:
    """What the JPEG file `data`, which Pillow decodes to `pixels` (uint8 H×W×3), lacks; "" where it is whole.

    `decode` gives the pixels of JPEG bytes or raises `ImageError`. It is called only where something looks wrong, and
    for progressive files. `layout` is `read_layout(data)`. Where the data stops within the very last block group (16×16
    pixels or less) the answer may be "".
    """
    if layout is None or layout.end < 0 or not layout.scans:
        return ""  # libjpeg had no objection
    if lacking := _lacking_scans(layout):
        return lacking
    if _restarts_missing(data, layout):
        return Message("its compressed data ends early")
    if _may_stop_early(layout, pixels) and _consumes_more(data, layout, pixels, decode):
        return Message("its compressed data ends early")
    return ""


def _read_layout(data: bytes) -> Layout:
    layout = Layout()
    position = 2
    while match := _MARKER.search(data, position):
        marker, body = match[0][1], match.end()
        if not layout.scans and match.start() != position:
            layout.contiguous = False
        if marker == _EOI:
            layout.end = match.start()
            while layout.end and data[layout.end - 1] == 0xFF:
                layout.end -= 1
            break
        (layout.between if layout.scans else layout.head).append(marker)
        if marker in (_SOI, 0x01):  # these have no length
            position = body
            continue
        length = int.from_bytes(data[body : body + 2], "big")
        segment = data[body + 2 : body + length]
        position = body + length
        if marker in _SOF:
            layout.frame, layout.bits = marker, segment[0]
            layout.height, layout.width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
            layout.sampling = {c: (hv >> 4, hv & 15) for c, hv, _ in _triples(segment[6:], segment[5])}
        elif (marker == _APP2 and segment.startswith(b"MPF")) or (
            marker == _APP14 and segment.startswith(b"Adobe") and segment[11:12] != bytes([_YCBCR])
        ):
            layout.special = True
        elif marker == _DRI:
            layout.restart_interval = int.from_bytes(segment[:2], "big")
        elif marker == _SOS:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            layout.scans.append(_Scan(tuple(segment[1 : 1 + 2 * count : 2]), first, last, bits & 15, position))
    return layout


def _triples(data: bytes, count: int) -> list[tuple[int, int, int]]:
    return [(data[3 * i], data[3 * i + 1], data[3 * i + 2]) for i in range(count)]


def _lacking_scans(layout: Layout) -> Text:
    """Every component must have been sent, and in a progressive file every coefficient down to its lowest bit."""
    if not layout.progressive:
        sent = {c for scan in layout.scans for c in scan.components}
        return "" if sent >= layout.sampling.keys() else Message("the scan of a colour component is missing")
    refined = {(c, k) for s in layout.scans if s.low_bit == 0 for c in s.components for k in range(s.first, s.last + 1)}
    lacking = len(layout.sampling) * 64 - len(refined)
    if lacking <= 0:
        return ""
    return Message(
        "the last scans are missing ({lacking} of {all} coefficients)", lacking=lacking, all=len(layout.sampling) * 64
    )


def _restarts_missing(data: bytes, layout: Layout) -> bool:
    """Whether the last scan holds fewer restart markers than its size asks for."""
    if not layout.restart_interval:
        return False
    scan = layout.scans[-1]
    expected = (_mcu_count(layout, scan) - 1) // layout.restart_interval
    return sum(1 for _ in _RESTART.finditer(data, scan.start, layout.end)) < expected


def _mcu_count(layout: Layout, scan: _Scan) -> int:
    """Number of block groups in a scan (T.81 A.2): of all components, or of the blocks of a single one."""
    h_max = max(h for h, _ in layout.sampling.values())
    v_max = max(v for _, v in layout.sampling.values())
    if len(scan.components) > 1:
        return _ceil(layout.width, 8 * h_max) * _ceil(layout.height, 8 * v_max)
    h, v = layout.sampling[scan.components[0]]
    return _ceil(_ceil(layout.width * h, h_max), 8) * _ceil(_ceil(layout.height * v, v_max), 8)


def _ceil(value: int, divisor: int) -> int:
    return -(-value // divisor)


def _may_stop_early(layout: Layout, pixels: NDArray[np.uint8]) -> bool:
    """False only where the last block group shows data: in a baseline file of one scan it is grey if there is none."""
    if layout.frame not in _SEQUENTIAL_HUFFMAN or len(layout.scans) > 1 or len(layout.sampling) not in (1, 3):
        return True
    if not _is_grey(pixels[-1:, -1:]):  # mostly so, and this much is cheap
        return False
    mcu_width = 8 * max(h for h, _ in layout.sampling.values())
    mcu_height = 8 * max(v for _, v in layout.sampling.values())
    top = (pixels.shape[0] - 1) // mcu_height * mcu_height
    left = (pixels.shape[1] - 1) // mcu_width * mcu_width
    return _is_grey(pixels[top:, left:])


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether every pixel is as light as a block without data."""
    red, green, blue = (pixels[:, :, c].astype(float) for c in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return bool((abs(luma - _GREY) <= _GREY_TOLERANCE).all())


def _consumes_more(data: bytes, layout: Layout, pixels: NDArray[np.uint8], decode: Decode) -> bool:
    """Whether bytes put after the last scan change the picture: they are read only if the scan still wants data."""
    import numpy as np

    probed = data[: layout.end] + _PROBE + data[layout.end :]
    try:
        return not np.array_equal(decode(probed), pixels)
    except ImageError:
        return True
