"""Picture files made by code, as OpenCV cannot write them: odd kinds, EXIF, bombs."""

import base64
import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# Upper half red, lower half cyan, inverted as Adobe has it. Made with Pillow 13.0: Image.new("CMYK", (16, 16),
# (0, 255, 255, 0)), the lower half pasted (255, 0, 0, 0), saved as JPEG with quality=90, optimize=True.
CMYK_JPEG = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgWFBgS"
    "FBUU/8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAJCv/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsA"
    "AD8AqmlUlUqmAMq7VQ1UAA//2Q=="
)
ADOBE = b"\xff\xee\x00\x0eAdobe"


def encoded(kind: str, pixels: Pixels | NDArray[np.uint16], *options: int) -> bytes:
    """By OpenCV."""
    done, content = cv2.imencode(f".{kind}", pixels, options)
    assert done
    return content.tobytes()


def exif(orientation: int, *, order: str = ">") -> bytes:
    """An EXIF block that says the orientation alone."""
    magic = b"MM" if order == ">" else b"II"
    return magic + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 274, 3, 1, orientation, 0, 0)


def jpeg_with_exif(jpeg: bytes, block: bytes) -> bytes:
    body = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes, *chunks: bytes, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG; `rows` with a zero before each row, `chunks` between header and picture."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + png_chunk(b"IEND", b"")


def tiff(width: int, height: int, strip: bytes, *tags: tuple[int, int], pages: int = 1) -> bytes:
    """A TIFF of one uncompressed strip, little-endian; `tags` (number, value) are added or replaced."""
    fields = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(strip)}
    fields |= dict(tags)
    strip += bytes(len(strip) % 2)
    directories, at = b"", 8 + len(strip)
    for page in range(pages):
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(fields.items()))
        following = at + len(entries) + 6 if page < pages - 1 else 0
        directories += struct.pack("<H", len(fields)) + entries + struct.pack("<I", following)
        at += len(entries) + 6
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directories
