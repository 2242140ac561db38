"""Every kind of picture comes out upright and in its right colours, or is refused by name; nothing is filled in."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.paper import pictures
from ecgedge.paper.pictures import read_picture
from tests.paper.picture_files import ADOBE, CMYK_JPEG, Pixels, encoded, exif, jpeg_with_exif, png, png_chunk, tiff

RED, GREEN, BLUE, GREY = (0, 0, 255), (0, 200, 0), (255, 0, 0), (120, 120, 120)


def quarters() -> Pixels:
    """Red and green above, blue and grey below; no turn or mirror image is like another."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32], image[24:, 32:] = RED, GREEN, BLUE, GREY
    return image


QUARTERS = quarters()
FILES = {
    "jpeg": encoded("jpg", QUARTERS, cv2.IMWRITE_JPEG_QUALITY, 95),
    "progressive jpeg": encoded("jpg", QUARTERS, cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "jpeg with restarts": encoded("jpg", QUARTERS, cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "png": encoded("png", QUARTERS),
    "tiff": encoded("tiff", QUARTERS),
    "bmp": encoded("bmp", QUARTERS),
    "webp": encoded("webp", QUARTERS, cv2.IMWRITE_WEBP_QUALITY, 101),
    "lossy webp": encoded("webp", QUARTERS, cv2.IMWRITE_WEBP_QUALITY, 95),
}
# How the picture is stored that each orientation of EXIF makes upright.
STORED = {
    1: QUARTERS,
    2: QUARTERS[:, ::-1],
    3: QUARTERS[::-1, ::-1],
    4: QUARTERS[::-1],
    5: QUARTERS.transpose(1, 0, 2),
    6: np.rot90(QUARTERS, 1),
    7: QUARTERS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(QUARTERS, -1),
}


def require_quarters(pixels: Pixels) -> None:
    assert pixels.shape == QUARTERS.shape
    assert pixels.dtype == np.uint8
    middles = np.abs(pixels.astype(int) - QUARTERS)[12::24, 16::32]
    assert middles.max() <= 8, middles


@pytest.mark.parametrize("kind", FILES)
def test_kinds_are_told_by_content(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(FILES[kind])
    picture = read_picture(path)
    assert picture.name == "page.txt"
    require_quarters(picture.pixels)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["jpeg", "jpeg, II", "png", "tiff", "webp"])
def test_exif_orientation_is_honoured(kind: str, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation])
    if kind.startswith("jpeg"):
        block = exif(orientation, order="<" if "II" in kind else ">")
        content = jpeg_with_exif(encoded("jpg", stored, cv2.IMWRITE_JPEG_QUALITY, 95), block)
    elif kind == "png":
        plain = encoded("png", stored)
        content = plain[:33] + png_chunk(b"eXIf", exif(orientation)) + plain[33:]
    elif kind == "tiff":
        height, width = stored.shape[:2]
        content = tiff(width, height, stored[:, :, ::-1].tobytes(), (262, 2), (277, 3), (274, orientation))
    else:
        content = webp_with_exif(stored, exif(orientation))
    require_quarters(read_picture(content).pixels)


def webp_with_exif(stored: Pixels, block: bytes) -> bytes:
    body = encoded("webp", stored, cv2.IMWRITE_WEBP_QUALITY, 101)[12:]
    size = b"".join(struct.pack("<I", side - 1)[:3] for side in stored.shape[1::-1])
    extended = b"VP8X" + struct.pack("<II", 10, 0x08) + size
    chunks = extended + body + b"EXIF" + struct.pack("<I", len(block)) + block
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


@pytest.mark.parametrize("orientation", [0, 9, 40000])
def test_a_senseless_orientation_is_none(orientation: int) -> None:
    require_quarters(read_picture(jpeg_with_exif(FILES["jpeg"], exif(orientation))).pixels)


@given(st.binary(max_size=60))
def test_damaged_exif_is_none(block: bytes) -> None:
    require_quarters(read_picture(jpeg_with_exif(FILES["jpeg"], block)).pixels)


def test_adobe_cmyk_has_its_colours() -> None:
    pixels = read_picture(CMYK_JPEG).pixels
    np.testing.assert_allclose(pixels[3, 8], RED, atol=8)
    np.testing.assert_allclose(pixels[12, 8], (255, 255, 0), atol=8)


def test_cmyk_that_does_not_say_whether_it_is_inverted_is_refused() -> None:
    at = CMYK_JPEG.index(ADOBE)
    with pytest.raises(InputError, match=r"CMYK JPEG.*save the picture as RGB"):
        read_picture(CMYK_JPEG[:at] + CMYK_JPEG[at + 16 :])


def test_a_cmyk_tiff_has_its_colours() -> None:
    ink = np.array([(0, 255, 255, 0), (255, 0, 0, 0)], np.uint8)  # red, cyan
    strip = np.repeat(ink, 32, axis=0).tobytes()
    pixels = read_picture(tiff(8, 8, strip, (262, 5), (277, 4))).pixels
    np.testing.assert_array_equal(pixels[1, 4], RED)
    np.testing.assert_array_equal(pixels[6, 4], (255, 255, 0))


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_become_eight(kind: str, channels: int) -> None:
    levels = np.linspace(0, 65535, 256).astype(np.uint16)
    image = np.repeat(np.repeat(levels[None, :, None], 4, axis=0), channels, axis=2)
    pixels = read_picture(encoded(kind, image)).pixels
    assert pixels.shape == (4, 256, 3)
    assert np.abs(pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_a_tiff_whose_zero_is_white_and_one_of_one_bit() -> None:
    inverted = read_picture(tiff(4, 2, bytes([0, 10, 200, 255] * 2), (262, 0))).pixels
    np.testing.assert_array_equal(inverted[0, :, 0], [255, 245, 55, 0])
    bits = read_picture(tiff(8, 2, bytes([0b10101010, 0b00001111]), (258, 1))).pixels
    np.testing.assert_array_equal(bits[1, :, 1], [0] * 4 + [255] * 4)


def test_palettes_and_grey_become_colour() -> None:
    palette = png_chunk(b"PLTE", bytes([255, 0, 0, 0, 200, 0]))
    indexed = read_picture(png(2, 1, b"\0\0\1", palette, colour=3)).pixels
    np.testing.assert_array_equal(indexed, [[RED, GREEN]])
    np.testing.assert_array_equal(read_picture(png(2, 1, b"\0\x05\xfa")).pixels, [[(5,) * 3, (250,) * 3]])


@pytest.mark.parametrize("kind", ["png", "webp", "16-bit png"])
def test_transparency_is_laid_over_white(kind: str) -> None:
    image = np.zeros((8, 16, 4), np.uint8)
    image[:, :4, 3], image[:, 4:8, 3], image[:, 8:] = 0, 128, (0, 0, 200, 255)
    if kind == "16-bit png":
        content = encoded("png", image.astype(np.uint16) * 257)
    else:
        content = encoded(kind, image, cv2.IMWRITE_WEBP_QUALITY, 101)
    pixels = read_picture(content).pixels
    np.testing.assert_allclose(pixels[4, (1, 6, 12)], [(255,) * 3, (127,) * 3, (0, 0, 200)], atol=1)


def test_a_transparent_palette_colour_and_grey_with_alpha() -> None:
    palette = png_chunk(b"PLTE", bytes([255, 0, 0, 0, 200, 0])) + png_chunk(b"tRNS", b"\0")
    np.testing.assert_array_equal(read_picture(png(2, 1, b"\0\0\1", palette, colour=3)).pixels, [[(255,) * 3, GREEN]])
    grey = read_picture(png(2, 1, b"\0\x05\x00\x05\xff", colour=4)).pixels
    np.testing.assert_array_equal(grey, [[(255,) * 3, (5,) * 3]])


ANIMATED_GIF = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0;"
BIG_JPEG = FILES["jpeg"].replace(struct.pack(">BHH", 8, 48, 64), struct.pack(">BHH", 8, 60000, 60000))
SCANS = FILES["jpeg"].replace(b"\xff\xd9", FILES["jpeg"][FILES["jpeg"].index(b"\xff\xda") : -2] * 120 + b"\xff\xd9")
REFUSED = {
    "empty": (b"", "an empty file"),
    "text": (b"I V1 II V2\n" * 50, "text, not a picture; save the picture as PNG or JPEG"),
    "html": (b"<!DOCTYPE html><html></html>", "text, not a picture"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF; export the page with the ECG as PNG"),
    "GIF": (ANIMATED_GIF, "a GIF.*; save the picture as PNG"),
    "HEIC": (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "a HEIC photo; .*Most Compatible"),
    "AVIF": (b"\0\0\0\x20ftypavif\0\0\0\0mif1", "an AVIF picture; save"),
    "video": (b"\0\0\0\x20ftypisom\0\0\0\0mp42", "a video; take a photo"),
    "DICOM": (bytes(128) + b"DICM\x02\0\0\0", "a DICOM file"),
    "zip": (b"PK\x03\x04" + bytes(30), "a zip archive or office document"),
    "noise": (np.random.default_rng(0).bytes(500), "not a picture that is read here"),
    "PNG bomb": (png(50_000, 50_000, bytes(50_001)), "50000 x 50000 px are 2500 megapixels; at most 40 are read"),
    "JPEG bomb": (BIG_JPEG, "60000 x 60000 px are 3600 megapixels"),
    "TIFF bomb": (tiff(50_000, 50_000, bytes(64)), "2500 megapixels"),
    "BMP bomb": (
        b"BM" + struct.pack("<IIIIiiHHIIIIII", 99, 0, 54, 40, 50_000, -50_000, 1, 8, 1, 9, 0, 0, 0, 0),
        "2500",
    ),
    "no height": (png(5, 0, b""), "cut off or damaged"),
    "JPEG of many scans": (SCANS, "a JPEG of 121 scans; at most 100"),
    "animated PNG": (png(2, 1, b"\0\0\1", png_chunk(b"acTL", bytes(8))), "an animated PNG"),
    "TIFF of pages": (
        tiff(8, 8, bytes(64), pages=3),
        "a TIFF of 3 or more pages; 1 is read; save the page",
    ),
    "TIFF in a circle": (tiff(8, 8, bytes(64), pages=2)[:-4] + struct.pack("<I", 72), "a TIFF of 16 or more pages"),
    "previews in a circle": (tiff(8, 8, bytes(64), (254, 1))[:-4] + struct.pack("<I", 72), "a TIFF of 0 or more pages"),
    "JPEG of many segments": (b"\xff\xd8" + b"\xff\xe5\0\2" * 30_000, "more than 20000 segments"),
    "TIFF of 32 bits": (tiff(8, 8, bytes(256), (258, 32), (339, 3)), "samples of 32 bits"),
    "raw photo": (tiff(8, 8, bytes(64), (50706, 1)), "a raw photo"),
    "lossless JPEG": (FILES["jpeg"].replace(b"\xff\xc0", b"\xff\xc3"), "a lossless JPEG"),
    "JPEG of 12 bits": (FILES["jpeg"].replace(struct.pack(">BH", 8, 48), struct.pack(">BH", 12, 48)), "12 bits; 8 are"),
    "sound": (b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt ", "not a picture"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_named_with_a_remedy(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content, said = REFUSED[kind]
    path = tmp_path / "page.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        read_picture(path)
    message = str(refused.value)
    assert message.startswith("page.jpg: ")
    assert "; " in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


@settings(deadline=None)
@given(st.sampled_from(list(FILES)), st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off_is_refused(kind: str, part: float) -> None:
    content = FILES[kind]
    with pytest.raises(InputError, match="; "):
        read_picture(content[: int(part * len(content))])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(FILES)), st.data())
def test_a_damaged_file_gives_a_picture_or_a_refusal(kind: str, data: st.DataObject) -> None:
    content = bytearray(FILES[kind])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    try:
        assert read_picture(bytes(content)).pixels.dtype == np.uint8
    except InputError as error:
        assert "\n" not in str(error)


def test_a_jpeg_damaged_in_the_middle_is_refused_without_noise(capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    content = bytearray(encoded("jpg", noise))
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(range(100, 200)) * 4
    with pytest.raises(InputError, match="cut off or damaged"):
        read_picture(bytes(content))
    assert capfd.readouterr().err == ""


def test_padding_before_the_end_is_no_damage() -> None:
    require_quarters(read_picture(FILES["jpeg"][:-2] + bytes(3) + b"\xff\xd9").pixels)


def test_a_photo_with_more_after_its_end_is_read() -> None:
    """Phones append previews, depth maps and films."""
    require_quarters(read_picture(FILES["jpeg"] + FILES["png"] + bytes(999)).pixels)


def test_a_large_photo_is_read_at_half_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_SHRINK_PIXELS", 1000)
    assert read_picture(FILES["jpeg"]).pixels.shape == (24, 32, 3)
    monkeypatch.setattr(pictures, "_SHRINK_PIXELS", 500)
    turned = read_picture(jpeg_with_exif(FILES["jpeg"], exif(6)))
    assert turned.pixels.shape == (16, 12, 3)


def test_places_without_a_picture(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "a folder"), (tmp_path / "none.jpg", "No such file"), (Path("a\0b"), "null")):
        with pytest.raises(InputError, match=said):
            read_picture(path)
    with pytest.raises(InputError, match="not a regular file"):
        read_picture(Path("/dev/zero"))


def test_the_name_can_be_given() -> None:
    assert read_picture(FILES["png"], name="bed 3").name == "bed 3"
    with pytest.raises(InputError, match=r"^bed 3: "):
        read_picture(b"", name="bed 3")
