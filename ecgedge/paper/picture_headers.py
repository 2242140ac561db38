"""What a file says of its picture before anything is decoded: kind, size, orientation; and whether it is all there.

Kinds are told by content, never by name. Everything that a decoder would guess at or fill in is refused here.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ecgedge.errors import InputError

_SAVE = "save the picture as PNG or JPEG"
_MAX_PARTS = 20_000  # segments or chunks of a file; far more than any camera or program writes
END_OF_JPEG = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a picture before it is decoded."""

    kind: str
    """JPEG, PNG, TIFF, BMP or WebP."""
    width_px: int
    """As stored, before it is turned."""
    height_px: int
    orientation: int = 1
    """1 to 8 as in EXIF: how the stored picture must be turned and mirrored to be seen upright."""
    alpha: bool = False
    """Whether it may be transparent somewhere."""
    in_stripes: bool = False
    """Whether a decoder can shrink it while reading, without room for the whole picture (a sequential JPEG)."""


def read_header(content: bytes) -> Header:
    """Read the header of a picture file.

    Raises
    ------
    InputError
        Another kind of file, a file that was cut off, or a kind of picture that would be decoded wrongly. The message
        is the part of a sentence that comes after the name of the file.
    """
    if not content:
        raise InputError("an empty file; copy or take the picture again")
    for magic, read in _READERS.items():
        if content.startswith(magic):
            try:
                return read(content)
            except (struct.error, IndexError) as error:
                raise cut_off(f"header of {len(content)} bytes") from error
    raise InputError(_not_read(content))


def cut_off(what: str) -> InputError:
    """The refusal of a picture that is not all there."""
    return InputError(f"cut off or damaged ({what}); copy or take the picture again")


# JPEG: ITU-T T.81, annex B. EXIF: CIPA DC-008. Adobe's segment: Adobe Technical Note 5116.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # not stuffing, fill bytes or restart markers
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_LOSSLESS = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_END, _SCAN, _EXIF_SEGMENT, _ADOBE_SEGMENT = 0xD9, 0xDA, 0xE1, 0xEE
_MAX_SCANS = 100  # a progressive JPEG has about 10; thousands in a small file keep a decoder busy for minutes


def _jpeg(content: bytes) -> Header:
    frame, orientation, adobe, scans = b"", 1, False, 0
    for marker, body in _segments(content):
        if marker in _LOSSLESS:
            raise InputError(f"a lossless JPEG; {_SAVE}")
        if marker in _FRAMES and not frame:
            frame = bytes([marker]) + body
        elif marker == _EXIF_SEGMENT and body.startswith(b"Exif\0\0"):
            orientation = _orientation(body[6:])
        elif marker == _ADOBE_SEGMENT and body.startswith(b"Adobe"):
            adobe = True
        scans += marker == _SCAN
    if not frame or not scans:
        raise cut_off("a JPEG without a picture")
    if scans > _MAX_SCANS:
        raise InputError(f"a JPEG of {scans} scans; at most {_MAX_SCANS}; {_SAVE}")
    return _of_frame(frame, orientation=orientation, adobe=adobe)


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with what follows them, up to the end of the picture; what a phone appends after it is left alone."""
    at = 2
    for _ in range(_MAX_PARTS):
        found = _MARKER.search(content, at)
        if found is None:
            raise cut_off(f"no end of the picture in {len(content)} bytes")
        marker, at = content[found.end() - 1], found.end()
        if marker == _END:
            return
        if marker not in _ALONE:
            length = int.from_bytes(content[at : at + 2], "big")
            yield marker, content[at + 2 : at + length]
            at += length
    raise InputError(f"a JPEG of more than {_MAX_PARTS} segments; {_SAVE}")


def _of_frame(frame: bytes, *, orientation: int, adobe: bool) -> Header:
    marker, bits, height, width, channels = struct.unpack_from(">BBHHB", frame)
    if bits != 8:
        raise InputError(f"a JPEG of {bits} bits; 8 are read; {_SAVE}")
    if channels == 4 and not adobe:
        raise InputError("a CMYK JPEG that does not say whether its colours are inverted; save the picture as RGB")
    if height == 0:
        raise InputError(f"a JPEG whose height comes after the picture; {_SAVE}")
    return Header("JPEG", width, height, orientation, in_stripes=marker not in _PROGRESSIVE)


# PNG: ISO/IEC 15948.
_PNG_ALPHA = frozenset({4, 6})  # colour types with an alpha channel


def _png(content: bytes) -> Header:
    at, orientation, transparent, width, height, colour = 8, 1, False, 0, 0, 0
    for _ in range(_MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", content, at)
        at += 12 + length  # length, type and checksum take 4 bytes each
        if at > len(content):
            raise cut_off(f"{len(content)} of at least {at} bytes")
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack_from(">IIBB", content, at - 4 - length)
        elif kind == b"tRNS":
            transparent = True
        elif kind == b"eXIf":
            orientation = _orientation(content[at - 4 - length : at - 4])
        elif kind == b"acTL":
            raise InputError(f"an animated PNG; {_SAVE}")
        elif kind == b"IEND":
            return Header("PNG", width, height, orientation, alpha=transparent or colour in _PNG_ALPHA)
    raise cut_off(f"a PNG of more than {_MAX_PARTS} chunks")


# TIFF 6.0; DNG 1.4 for the tag that marks one.
_WIDTH, _HEIGHT, _BITS, _ORIENTATION, _SAMPLES = 256, 257, 258, 274, 277
_SUBFILE, _PHOTOMETRIC, _TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT, _DNG = 254, 262, 322, 323, 339, 50706
_BYTE, _SHORT, _LONG = 1, 3, 4
_FORMAT_OF = MappingProxyType({_BYTE: "B", _SHORT: "H", _LONG: "I"})
_BITS_READ = frozenset({1, 8, 16})
_PHOTOMETRICS = MappingProxyType({0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3})  # grey, RGB, palette, CMYK, YCbCr -> samples
_UNSIGNED = 1
_TIFF_PAGES = 16
_TIFF_TAGS = 1000
_TILE_PX = 1 << 14


def _tiff(content: bytes) -> Header:
    order = _byte_order(content)
    (offset,) = struct.unpack_from(order + "I", content, 4)
    pages = []
    for _ in range(_TIFF_PAGES):
        tags, offset = _directory(content, offset, order)
        if not tags.get(_SUBFILE, 0) & 1:  # bit 0: a smaller version of another picture in the file
            pages.append(tags)
        if not offset:
            break
    if len(pages) != 1 or offset:
        raise InputError(f"a TIFF of {len(pages)} or more pages; 1 is read; save the page with the ECG as PNG")
    return _of_tags(pages[0])


def _of_tags(tags: Mapping[int, int]) -> Header:
    if _DNG in tags:
        raise InputError(f"a raw photo (DNG); {_SAVE}")
    bits, samples, colours = tags.get(_BITS, 1), tags.get(_SAMPLES, 1), tags.get(_PHOTOMETRIC, -1)
    if (
        bits not in _BITS_READ
        or tags.get(_SAMPLE_FORMAT, _UNSIGNED) != _UNSIGNED
        or _PHOTOMETRICS.get(colours) != samples
    ):
        raise InputError(f"a TIFF of {samples} samples of {bits} bits, colours {colours}: not read; {_SAVE}")
    if max(tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)) > _TILE_PX:
        raise InputError(f"a TIFF with tiles of more than {_TILE_PX} px; {_SAVE}")
    return Header("TIFF", tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), _valid(tags.get(_ORIENTATION, 1)))


def without_orientation(tiff: bytes) -> bytes:
    """The same TIFF, to be decoded as stored: libtiff turns some kinds itself, and some by half."""
    order = _byte_order(tiff)
    (offset,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, offset)
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        if struct.unpack_from(order + "H", tiff, at) == (_ORIENTATION,):
            upright = struct.pack(order + "HHIHH", _ORIENTATION, _SHORT, 1, 1, 0)
            return tiff[:at] + upright + tiff[at + 12 :]
    return tiff


def _byte_order(content: bytes) -> str:
    return "<" if content.startswith(b"II") else ">"


def _directory(content: bytes, offset: int, order: str) -> tuple[dict[int, int], int]:
    """First values of the whole-number tags of an image file directory, and where the next directory is."""
    (count,) = struct.unpack_from(order + "H", content, offset)
    if count > _TIFF_TAGS:
        raise cut_off(f"a directory of {count} entries")
    tags: dict[int, int] = {}
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", content, at)
        if kind not in _FORMAT_OF:
            continue
        value = _FORMAT_OF[kind]
        if number * struct.calcsize(value) > 4:
            (place,) = struct.unpack_from(order + "I", content, at + 8)
        else:
            place = at + 8
        if place + struct.calcsize(value) <= len(content):
            (tags[tag],) = struct.unpack_from(order + value, content, place)
    (following,) = struct.unpack_from(order + "I", content, offset + 2 + 12 * count)
    return tags, following


def _orientation(exif: bytes) -> int:
    """Orientation in a block of EXIF, 1 where it says none or is damaged."""
    if not exif.startswith((b"II*\0", b"MM\0*")):
        return 1
    order = _byte_order(exif)
    try:
        (offset,) = struct.unpack_from(order + "I", exif, 4)
        tags, _ = _directory(exif + bytes(4), offset, order)
    except struct.error:
        return 1
    return _valid(tags.get(_ORIENTATION, 1))


def _valid(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _bmp(content: bytes) -> Header:
    (size,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", content, 18)  # 12: OS/2 1.x
    return Header("BMP", width, abs(height))  # negative: stored from the top


# WebP: RFC 9649.
_WEBP_ALPHA, _WEBP_ANIMATION = 0x10, 0x02


def _webp(content: bytes) -> Header:
    size, form = struct.unpack_from("<I4s", content, 4)
    if form != b"WEBP":
        raise InputError(f"not a picture (RIFF, {form.decode('latin-1').strip()!r}); {_SAVE}")
    if size + 8 > len(content):
        raise cut_off(f"{len(content)} of {size + 8} bytes")
    kind = content[12:16]
    if kind == b"VP8X":
        return _extended_webp(content)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, alpha=bool(bits >> 28 & 1))
    width, height = struct.unpack_from("<HH", content, 26)
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)


def _extended_webp(content: bytes) -> Header:
    flags = content[20]
    if flags & _WEBP_ANIMATION:
        raise InputError(f"an animated WebP; {_SAVE}")
    width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    at, orientation = 12, 1
    for _ in range(_MAX_PARTS):
        if at + 8 > len(content):
            break
        kind, length = struct.unpack_from("<4sI", content, at)
        if kind == b"EXIF":
            orientation = _orientation(content[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return Header("WebP", width, height, orientation, alpha=bool(flags & _WEBP_ALPHA))


_READERS: Mapping[bytes, Callable[[bytes], Header]] = MappingProxyType(
    {
        b"\xff\xd8\xff": _jpeg,
        b"\x89PNG\r\n\x1a\n": _png,
        b"II*\0": _tiff,
        b"MM\0*": _tiff,
        b"BM": _bmp,
        b"RIFF": _webp,
    }
)

_OTHERS: Mapping[bytes, str] = MappingProxyType(
    {
        b"GIF8": f"a GIF, which may be animated and has too few colours; {_SAVE}",
        b"II+\0": f"a BigTIFF; {_SAVE}",
        b"MM\0+": f"a BigTIFF; {_SAVE}",
        b"8BPS": f"a Photoshop file; {_SAVE}",
        b"\0\0\0\x0cjP  ": f"a JPEG 2000; {_SAVE}",
        b"\xff\x4f\xff\x51": f"a JPEG 2000; {_SAVE}",
        b"\xff\x0a": f"a JPEG XL; {_SAVE}",
        b"PK\x03\x04": f"a zip archive or office document; {_SAVE}",
        b"\x1f\x8b": "a gzip archive; unpack it first",
    }
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def _not_read(content: bytes) -> str:
    """What a file is that is none of the pictures read here, and what to do."""
    for magic, what in _OTHERS.items():
        if content.startswith(magic):
            return what
    if b"%PDF-" in content[:1024]:
        return "a PDF; export the page with the ECG as PNG, 200 dpi or more"
    if content[4:8] == b"ftyp":
        return _not_read_iso(content[8:12])
    if content[128:132] == b"DICM":
        return f"a DICOM file; {_SAVE}"
    if _is_text(content[:4096]):
        return f"text, not a picture; {_SAVE}"
    return f"not a picture that is read here (JPEG, PNG, TIFF, BMP, WebP); {_SAVE}"


def _not_read_iso(brand: bytes) -> str:
    if brand in _HEIC_BRANDS:
        return "a HEIC photo; on the iPhone choose Settings, Camera, Formats, Most Compatible, or export it as JPEG"
    return f"an AVIF picture; {_SAVE}" if brand in _AVIF_BRANDS else "a video; take a photo"


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in start)
