"""Pictures from files: decoded, turned as their EXIF says, over white where they are transparent; or refused."""

import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge.paper.page import Picture, Pixels
from ecgedge.paper.picture_headers import END_OF_JPEG, Header, cut_off, read_header, without_orientation

if TYPE_CHECKING:
    from cv2.typing import MatLike  # not in apt's OpenCV 4.6, which a 32-bit Pi has

MAX_PIXELS = 40_000_000
"""More are refused, unless they can be shrunk while reading; 12 million show a whole page at 8 px/mm."""
MAX_STRIPE_PIXELS = 220_000_000
"""Of a sequential JPEG, which is shrunk while reading; the largest phone sensors have 200 million."""
MAX_BYTES = 150_000_000
"""Of a file; holds 40 megapixels without compression."""

_SHRINK_PIXELS = 30_000_000  # a larger JPEG is read at half the size, four times as large at a quarter
_REMEDY = "save the picture smaller; 12 megapixels are enough"
_DAMAGE = re.compile(
    rb"(?i)premature end.*|bad (huffman|arithmetic) code|found marker .*|(?P<left>\d+) extraneous bytes.*"
)
_BAND_PX = 256
_ONE_AT_A_TIME = threading.Lock()

_Turn = Callable[[Pixels], "MatLike"]


def read_picture(source: Path | bytes, *, name: str | None = None) -> Picture:
    """Read a JPEG, PNG, TIFF, BMP or WebP, told by its content and not by its name.

    Sixteen-bit pictures are reduced to eight bits, grey and palettes become colour, transparency is laid over white,
    EXIF orientation is applied (all eight, mirrored ones too). JPEGs above 30 megapixels are read at a half or a
    quarter of their size. Colour profiles are not applied.

    Parameters
    ----------
    source : a file, or what is in one
    name : what messages call the picture; by default the name of the file

    Raises
    ------
    InputError
        No such file, another kind of file, more than `MAX_PIXELS`, or a picture that is cut off or damaged.
    """
    if isinstance(source, bytes):
        name = name or "picture"
        content = source
    else:
        name = name or source.name or str(source)
        content = _content(source, name)
    try:
        header = read_header(content)
        _require_size(header)
        return Picture(_upright(_over_white(_decoded(content, header)), header.orientation), name)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _content(path: Path, name: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{name}: a folder; name a picture in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name}: not a regular file; copy the picture into one")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{name}: {status.st_size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f}; {_REMEDY}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name}: {reason}; check the name and the right to read it") from error


def _require_size(header: Header) -> None:
    width, height = header.width_px, header.height_px
    limit = MAX_STRIPE_PIXELS if header.in_stripes else MAX_PIXELS
    if width < 1 or height < 1:
        raise cut_off(f"a {header.kind} of {width} x {height} px")
    if width * height > limit:
        size = f"{width} x {height} px are {width * height / 1e6:.0f} megapixels"
        raise InputError(f"{size}; at most {limit / 1e6:.0f} are read; {_REMEDY}")


def _decoded(content: bytes, header: Header) -> Pixels:
    """As stored, 8 bits: (height, width, 3), or (height, width, 4) with alpha."""
    if header.kind == "TIFF":
        content = without_orientation(content)
    flag = cv2.IMREAD_UNCHANGED if header.alpha else _colour_flag(header) | cv2.IMREAD_IGNORE_ORIENTATION
    pixels, notes = _decode_quietly(content, flag)
    if pixels is None:
        raise cut_off(f"the {header.kind} cannot be decoded")
    _require_whole(content, notes)
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (3, 4):
        raise InputError(f"a {header.kind} of {pixels.dtype} x {pixels.shape[2]}: not read; save it as PNG or JPEG")
    return np.asarray(pixels, dtype=np.uint8)


def _require_whole(content: bytes, notes: bytes) -> None:
    """Refuse what libjpeg filled with grey or lost its place in; zeros before the end are a webcam's padding."""
    for damage in _DAMAGE.finditer(notes):
        left = int(damage["left"] or 0)
        if not left or bytes(left) + END_OF_JPEG not in content:
            raise cut_off(damage[0].decode("latin-1"))


def _colour_flag(header: Header) -> int:
    pixels = header.width_px * header.height_px
    if header.kind != "JPEG" or pixels <= _SHRINK_PIXELS:
        return cv2.IMREAD_COLOR
    return cv2.IMREAD_REDUCED_COLOR_2 if pixels <= 4 * _SHRINK_PIXELS else cv2.IMREAD_REDUCED_COLOR_4


def _decode_quietly(content: bytes, flag: int) -> "tuple[MatLike | None, bytes]":
    """Decode; what the C libraries write to stderr is caught: it tells of damage that OpenCV keeps to itself."""
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as caught:
        screen = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            pixels: MatLike | None = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
        except (cv2.error, MemoryError):
            pixels = None
        finally:
            os.dup2(screen, 2)
            os.close(screen)
        caught.seek(0)
        return pixels, caught.read(1 << 16)


def _over_white(pixels: Pixels) -> Pixels:
    """Without alpha; in bands of rows, so that a large picture is in memory twice and not five times."""
    if pixels.shape[2] == 3:
        return pixels
    output = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), _BAND_PX):
        band = pixels[top : top + _BAND_PX]
        alpha = cv2.cvtColor(band[:, :, 3], cv2.COLOR_GRAY2BGR)
        inked = cv2.multiply(cv2.cvtColor(band, cv2.COLOR_BGRA2BGR), alpha, scale=1 / 255)
        output[top : top + _BAND_PX] = cv2.add(inked, cv2.bitwise_not(alpha))
    return output


_TURNS: Mapping[int, _Turn] = MappingProxyType(
    {
        2: lambda pixels: cv2.flip(pixels, 1),
        3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
        4: lambda pixels: cv2.flip(pixels, 0),
        5: cv2.transpose,
        6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
        7: lambda pixels: cv2.flip(cv2.transpose(pixels), -1),
        8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
    }
)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    turn = _TURNS.get(orientation)
    return pixels if turn is None else np.asarray(turn(pixels), dtype=np.uint8)
