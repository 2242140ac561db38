"""A page shown on a screen: its dark frame, and the moire of its pixels with those of the camera."""

import numpy as np

from ecgedge.paper.page import FloatArray, Pixels

_VIEWER_MM, _FRAME_MM = 10.0, 14.0
_VIEWER, _FRAME = (70, 66, 64), (18, 18, 20)
_PITCH_MM = 0.233  # of the pixels of a monitor with 109 per inch (27 inches, 2560 x 1440)
_DEPTH = 0.09  # of the stripes; what the camera's colour filter and lens leave of black gaps between pixels
_ROWS = 256  # rows at a time, so that no large array of floats is needed


def show_on_screen(page: Pixels, at: FloatArray, *, px_per_mm: float) -> tuple[Pixels, FloatArray]:
    """The page in a viewer's window within the screen's frame, and the map of a photo shifted to it."""
    viewer, frame = round(_VIEWER_MM * px_per_mm), round(_FRAME_MM * px_per_mm)
    screen = _framed(_framed(page, viewer, _VIEWER), frame, _FRAME)
    return screen, at + np.float32(viewer + frame)


def _framed(page: Pixels, width_px: int, colour: tuple[int, int, int]) -> Pixels:
    height, width = page.shape[:2]
    framed = np.full((height + 2 * width_px, width + 2 * width_px, 3), colour, np.uint8)
    framed[width_px : width_px + height, width_px : width_px + width] = page
    return framed


def add_moire(photo: Pixels, at: FloatArray, *, px_per_mm: float) -> Pixels:
    """Modulate a photo of a screen by the screen's pixels at the points of it that the camera's pixels sample.

    Parameters
    ----------
    at : (height, width, 2) float32, the screen's point that each pixel shows, px.
    """
    lit = np.empty_like(photo)
    wave = np.float32(2 * np.pi / (_PITCH_MM * px_per_mm))
    for top in range(0, len(photo), _ROWS):
        phase = at[top : top + _ROWS] * wave
        # red, green and blue stand side by side in each pixel of the screen
        columns = [np.cos(phase[:, :, 0] + np.float32(2 * np.pi / 3 * colour)) for colour in range(3)]
        gain = 1 + _DEPTH * np.stack(columns, -1) + _DEPTH * np.cos(phase[:, :, 1:])
        lit[top : top + _ROWS] = np.clip(photo[top : top + _ROWS] * gain, 0, 255)
    return lit
