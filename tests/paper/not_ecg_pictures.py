"""Pictures without a 12-lead ECG, drawn by code: what people photograph by mistake, and what looks much like an ECG.

Every picture depends on its random generator alone. Sizes, colours, spacings and counts are drawn anew each time, so
that no reader of pages can be fitted to them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Drawing = Callable[[np.random.Generator], Pixels]

INK: Colour = (30, 25, 25)
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sheet(rng: np.random.Generator, *, landscape: bool = True) -> Pixels:
    """An empty page of paper, (height, width, 3)."""
    short, paper = int(rng.integers(650, 900)), int(rng.integers(225, 256))
    long = round(short * rng.uniform(1.25, 1.5))
    return np.full((short, long, 3) if landscape else (long, short, 3), paper, np.uint8)


def size(page: Pixels) -> tuple[int, int]:
    return page.shape[0], page.shape[1]


def draw_text(page: Pixels, text: str, at: tuple[float, float], height_px: float, *, font: int = 0) -> None:
    scale = height_px / 21  # a Hershey capital is 21 px high at scale 1
    place = (round(at[0]), round(at[1]))
    cv2.putText(page, text, place, FONTS[font], scale, INK, max(1, round(scale * 1.5)), cv2.LINE_AA)


def draw_curve(page: Pixels, x: NDArray[np.float64], y: NDArray[np.float64], *, width: int = 2) -> None:
    points = np.stack([x, y], -1)[None] * 16
    cv2.polylines(page, np.rint(points).astype(np.int32), False, INK, width, cv2.LINE_AA, shift=4)


def draw_grid(page: Pixels, step_px: float, colour: Colour, *, width: int = 1) -> None:
    height, right = size(page)
    for x in np.arange(step_px / 2, right, step_px):
        cv2.line(page, (round(x), 0), (round(x), height), colour, width)
    for y in np.arange(step_px / 2, height, step_px):
        cv2.line(page, (0, round(y)), (right, round(y)), colour, width)


def ecg_paper(rng: np.random.Generator) -> tuple[Pixels, float]:
    """Pink, green, blue or grey ECG paper without a curve, and its px per mm."""
    page, mm = sheet(rng), float(rng.uniform(3.6, 7))
    tint = np.array([(190, 190, 255), (190, 230, 190), (240, 210, 190), (200, 200, 200)][rng.integers(4)])
    draw_grid(page, mm, tuple(np.minimum(tint + 30, 255).tolist()))
    draw_grid(page, 5 * mm, tuple(tint.tolist()), width=int(rng.integers(1, 3)))
    return page, mm


def wander(rng: np.random.Generator, n: int, smooth_px: float) -> NDArray[np.float64]:
    """A random curve of unit deviation without a rhythm."""
    curve = cv2.GaussianBlur(rng.normal(size=(1, n)), (0, 0), smooth_px)[0]
    return np.asarray((curve - curve.mean()) / curve.std(), np.float64)


def words(rng: np.random.Generator, count: int) -> str:
    return " ".join("".join(rng.choice(list(LETTERS), rng.integers(2, 10))) for _ in range(count))


def noise(rng: np.random.Generator) -> Pixels:
    return rng.integers(0, 256, sheet(rng).shape, np.uint8)


def text_page(rng: np.random.Generator) -> Pixels:
    page = sheet(rng, landscape=False)
    letter, font = rng.uniform(10, 22), int(rng.integers(4))
    for y in np.arange(80, len(page) - 40, letter * rng.uniform(1.8, 2.6)):
        draw_text(page, words(rng, 30)[: int(0.9 * page.shape[1] / letter)], (60, y), letter, font=font)
    return page


def sheet_music(rng: np.random.Generator) -> Pixels:
    page, gap = sheet(rng, landscape=False), float(rng.uniform(6, 11))
    for top in np.arange(90, len(page) - 8 * gap, gap * rng.uniform(9, 14)):
        for line in range(5):
            y = round(top + line * gap)
            cv2.line(page, (50, y), (page.shape[1] - 50, y), INK, 1)
        for x in np.arange(120, page.shape[1] - 80, gap * rng.uniform(3, 6)):
            y = top + gap * rng.integers(0, 9) / 2
            cv2.ellipse(page, (round(x), round(y)), (round(gap * 0.65), round(gap * 0.45)), -20, 0, 360, INK, -1)
            cv2.line(page, (round(x + gap * 0.6), round(y)), (round(x + gap * 0.6), round(y - 3.3 * gap)), INK, 2)
    return page


def crossword(rng: np.random.Generator) -> Pixels:
    page, n = sheet(rng, landscape=False), int(rng.integers(11, 22))
    cell = (page.shape[1] - 120) / n
    for row, column in np.ndindex(n, n):
        corner = (round(60 + column * cell), round(60 + row * cell))
        other = (round(60 + (column + 1) * cell), round(60 + (row + 1) * cell))
        cv2.rectangle(page, corner, other, INK, -1 if rng.random() < 0.2 else 2)
        if rng.random() < 0.2:
            draw_text(page, str(rng.integers(1, 60)), (corner[0] + 4, corner[1] + 0.35 * cell), 0.25 * cell)
    return page


def plot(rng: np.random.Generator, curves: int, *, grid: bool) -> Pixels:
    page = sheet(rng)
    height, width = size(page)
    if grid:
        draw_grid(page, float(rng.uniform(40, 120)), (200, 200, 200))
    cv2.rectangle(page, (80, 60), (width - 60, height - 80), INK, 2)
    x = np.arange(85.0, width - 65)
    for k in range(curves):
        y = height * (k + 1) / (curves + 1) + 0.25 * height / curves * wander(rng, len(x), float(rng.uniform(5, 60)))
        draw_curve(page, x, np.clip(y, 65, height - 85))
    for k in range(8):
        draw_text(page, f"{k * 10}", (80 + k * (width - 140) / 8, height - 45), 16)
    draw_text(page, words(rng, 3), (width / 3, 40), 22)
    return page


def plot_of_one(rng: np.random.Generator) -> Pixels:
    return plot(rng, 1, grid=bool(rng.integers(2)))


def plot_of_four(rng: np.random.Generator) -> Pixels:
    return plot(rng, 4, grid=True)


def keyboard(rng: np.random.Generator) -> Pixels:
    page, key = np.full((700, 1500, 3), rng.integers(20, 90), np.uint8), int(rng.integers(60, 85))
    shade = int(rng.integers(40, 240))
    for row, y in enumerate(range(60, 60 + 6 * (key + 8), key + 8)):
        for x in range(40 + 20 * row, 1500 - key, key + 8):
            cv2.rectangle(page, (x, y), (x + key, y + key), (shade, shade, shade), -1)
            draw_text(page, str(rng.choice(list(LETTERS.upper()))), (x + 12, y + 32), 18)
    return page


def cat(rng: np.random.Generator) -> Pixels:
    fur = tuple(int(v) for v in rng.integers(40, 200, 3))
    page = np.full((900, 1200, 3), rng.integers(120, 255, 3), np.uint8)
    x, y, r = (int(v) for v in rng.integers((450, 400, 150), (700, 500, 230)))
    cv2.ellipse(page, (x, y + 2 * r), (round(1.1 * r), round(1.5 * r)), 0, 0, 360, fur, -1)
    for side in (-1, 1):
        ear = np.array([[x + side * r, y - r], [x + side * r // 5, y - r // 2], [x + side * r, y]])
        cv2.fillConvexPoly(page, ear.astype(np.int32), fur)
    cv2.circle(page, (x, y), r, fur, -1)
    for side in (-1, 1):
        cv2.circle(page, (x + side * r // 3, y - r // 6), r // 7, (60, 220, 220), -1)
        for k in (-1, 0, 1):
            start = (x + side * r // 6, y + r // 3)
            cv2.line(page, start, (x + side * 3 * r // 2, start[1] + k * r // 4), (245, 245, 245), 3, cv2.LINE_AA)
    return cv2.add(page, rng.integers(0, 25, page.shape, np.uint8)).astype(np.uint8)


def black(rng: np.random.Generator) -> Pixels:
    return np.asarray(sheet(rng) * 0 + rng.integers(0, 8), np.uint8)


def white(rng: np.random.Generator) -> Pixels:
    return np.full(sheet(rng).shape, rng.integers(245, 256), np.uint8)


def chessboard(rng: np.random.Generator) -> Pixels:
    field, n = int(rng.integers(40, 130)), int(rng.integers(8, 12))
    fields = np.indices((n, n)).sum(0) % 2
    shades = rng.integers((10, 180), (90, 256))
    return np.repeat(np.kron(shades[fields], np.ones((field, field)))[:, :, None], 3, axis=2).astype(np.uint8)


def graph_paper(rng: np.random.Generator) -> Pixels:
    page, step = sheet(rng), float(rng.uniform(14, 40))
    draw_grid(page, step, (230, 190, 160))
    return page


def ruled_paper(rng: np.random.Generator) -> Pixels:
    page = sheet(rng, landscape=False)
    for y in np.arange(100, len(page), rng.uniform(25, 45)):
        cv2.line(page, (0, round(y)), (page.shape[1], round(y)), (220, 180, 150), 2)
        if rng.random() < 0.6:
            n = int(rng.integers(300, page.shape[1] - 150))
            draw_curve(page, np.arange(n) + 90.0, y - 8 + 5 * wander(rng, n, 3.0))
    return page


def bar_chart(rng: np.random.Generator) -> Pixels:
    page, bars = sheet(rng), int(rng.integers(6, 30))
    height, width = size(page)
    for y in np.arange(60, height - 60, 70):
        cv2.line(page, (60, round(y)), (width - 60, round(y)), (200, 200, 200), 1)
    for k in range(bars):
        left, right = (round(70 + (width - 140) * (k + part) / bars) for part in (0.1, 0.9))
        top = int(rng.integers(80, height - 100))
        cv2.rectangle(page, (left, top), (right, height - 60), tuple(int(v) for v in rng.integers(0, 220, 3)), -1)
        draw_text(page, LETTERS[k % 26], (left, height - 30), 18)
    return page


def qr_code(rng: np.random.Generator) -> Pixels:
    n, module = int(rng.integers(21, 60)), int(rng.integers(10, 20))
    code = rng.integers(0, 2, (n, n))
    finder = np.pad(np.pad(np.ones((3, 3), int), 1), 1, constant_values=1)
    for corner in ((slice(0, 7), slice(0, 7)), (slice(0, 7), slice(n - 7, n)), (slice(n - 7, n), slice(0, 7))):
        code[corner] = finder
    dark = np.kron(np.pad(code, 4), np.ones((module, module)))
    return np.repeat(np.where(dark, 20, 245)[:, :, None], 3, axis=2).astype(np.uint8)


def brick_wall(rng: np.random.Generator) -> Pixels:
    page, high = np.full((900, 1300, 3), (180, 185, 190), np.uint8), int(rng.integers(35, 80))
    wide = round(high * rng.uniform(2, 3.2))
    for row, y in enumerate(range(0, 900, high)):
        for x in range(-(row % 2) * wide // 2, 1300, wide):
            colour = np.array((60, 70, 150)) + rng.integers(-25, 25, 3)
            cv2.rectangle(page, (x, y), (x + wide - 7, y + high - 7), tuple(colour.tolist()), -1)
    return cv2.GaussianBlur(page, (3, 3), 0).astype(np.uint8)


def gradient(rng: np.random.Generator) -> Pixels:
    height, width = size(sheet(rng))
    ends = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    return cv2.resize(ends, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def table(rng: np.random.Generator) -> Pixels:
    page, high = sheet(rng), float(rng.uniform(24, 45))
    height, width = size(page)
    columns = np.cumsum(rng.uniform(60, 200, 30))
    columns = columns[columns < width - 20]
    for y in np.arange(40, height - 20, high):
        cv2.line(page, (20, round(y)), (width - 20, round(y)), (150, 150, 150), 1)
        for x in columns:
            draw_text(page, f"{rng.normal(scale=50):.1f}", (x + 5, y + 0.7 * high), 0.4 * high)
    for x in columns:
        cv2.line(page, (round(x), 40), (round(x), height - 20), (150, 150, 150), 1)
    return page


def calendar(rng: np.random.Generator) -> Pixels:
    page, rows = sheet(rng), int(rng.integers(3, 6))
    height, width = size(page)
    draw_text(page, words(rng, 1).upper(), (width / 3, 70), 40, font=2)
    for day in range(7 * rows):
        left, top = round(30 + day % 7 * (width - 60) / 7), round(100 + day // 7 * (height - 130) / rows)
        corner = (round(left + (width - 60) / 7), round(top + (height - 130) / rows))
        cv2.rectangle(page, (left, top), corner, INK, 2)
        draw_text(page, str(day + 1), (left + 10, top + 40), 26)
    return page


def city_map(rng: np.random.Generator) -> Pixels:
    page = np.full((1000, 1300, 3), (225, 235, 240), np.uint8)
    for _ in range(int(rng.integers(25, 60))):
        start, end = rng.integers((0, 0), (1300, 1000), (2, 2))
        if rng.random() < 0.6:
            end[rng.integers(2)] = start[rng.integers(2)]
        cv2.line(page, tuple(start.tolist()), tuple(end.tolist()), (255, 255, 255), int(rng.integers(6, 18)))
        draw_text(page, words(rng, 1), (start[0], start[1]), 14)
    x = np.arange(1300.0)
    draw_curve(page, x, 500 + 120 * wander(rng, 1300, 60.0), width=24)
    return page


def barcode(rng: np.random.Generator) -> Pixels:
    page, x = sheet(rng), 100
    height, width = size(page)
    while x < width - 110:
        bar = int(rng.integers(2, 10))
        cv2.rectangle(page, (x, 80), (x + bar, height - 160), INK, -1)
        x += bar + int(rng.integers(3, 12))
    draw_text(page, str(rng.integers(10**11, 10**12)), (width / 4, height - 80), 40)
    return page


def seismogram(rng: np.random.Generator) -> Pixels:
    page, rows = sheet(rng), int(rng.integers(4, 16))
    height, width = size(page)
    x = np.arange(100.0, width - 40)
    for row in range(rows):
        burst = np.exp(-(((x - rng.uniform(200, width)) / rng.uniform(30, 200)) ** 2))
        y = height * (row + 0.7) / (rows + 0.5) + (1 + 0.25 * height / rows * burst) * wander(rng, len(x), 2.0)
        draw_curve(page, x, y)
        draw_text(page, words(rng, 1)[:4].upper(), (30, height * (row + 0.7) / (rows + 0.5)), 14)
    return page


def blank_ecg_page(rng: np.random.Generator) -> Pixels:
    page, mm = ecg_paper(rng)
    if rng.random() < 0.7:
        draw_text(page, "25 mm/s  10 mm/mV  50 Hz", (10 * mm, len(page) - 4 * mm), 3 * mm)
        draw_text(page, words(rng, 4), (10 * mm, 8 * mm), 3 * mm)
    return page


def wooden_table(rng: np.random.Generator) -> Pixels:
    grain = cv2.GaussianBlur(rng.normal(size=(900, 1300)), (0, 0), sigmaX=60, sigmaY=float(rng.uniform(1, 3)))
    fine = cv2.GaussianBlur(rng.normal(size=(900, 1300)), (0, 0), sigmaX=25, sigmaY=0.8)
    shade = (grain / grain.std() + 0.5 * fine / fine.std())[:, :, None] * rng.uniform(8, 25)
    boards = np.arange(900)[:, None, None] % int(rng.integers(120, 300)) < 4
    wood = np.array((70, 110, 160)) + rng.uniform(-30, 30, 3) + shade - 60 * boards
    return np.clip(wood, 0, 255).astype(np.uint8)


def eeg(rng: np.random.Generator) -> Pixels:
    page, rows = sheet(rng), int(rng.integers(16, 24))
    if rng.random() < 0.5:
        page, _ = ecg_paper(rng)
    height, width = size(page)
    x = np.arange(90.0, width - 30)
    names = (
        "Fp1",
        "Fp2",
        "F3",
        "F4",
        "C3",
        "C4",
        "P3",
        "P4",
        "O1",
        "O2",
        "F7",
        "F8",
        "T3",
        "T4",
        "T5",
        "T6",
        "Fz",
        "Cz",
    )
    for row in range(rows):
        level = height * (row + 0.7) / (rows + 0.5)
        draw_curve(
            page, x, level + 0.2 * height / rows * (wander(rng, len(x), 3.0) + wander(rng, len(x), 20.0)), width=1
        )
        draw_text(page, names[row % len(names)], (25, level + 5), 14)
    return page


def fetal_monitor(rng: np.random.Generator) -> Pixels:
    """Two slow curves on pink paper, as a cardiotocograph writes them."""
    page, mm = ecg_paper(rng)
    height, width = size(page)
    x = np.arange(0.0, width)
    draw_curve(page, x, height * 0.3 + 8 * mm * wander(rng, width, 40.0) + mm * wander(rng, width, 2.0))
    draw_curve(page, x, height * 0.8 - 6 * mm * np.abs(wander(rng, width, 60.0)))
    for k, level in enumerate(np.linspace(0.1, 0.5, 5)):
        draw_text(page, str(180 - 20 * k), (width / 2, height * level), 3 * mm)
    return page


def polygraph(rng: np.random.Generator) -> Pixels:
    """Rows of waves on ECG paper, as many as an ECG has, without lead names, pulses and separators."""
    page, mm = ecg_paper(rng)
    height, width = size(page)
    rows, x = int(rng.choice([3, 4, 6, 12])), np.arange(8 * mm, width - 8 * mm)
    for row in range(rows):
        wave = np.sin(2 * np.pi * x / rng.uniform(8 * mm, 60 * mm) + rng.uniform(0, 6)) + 0.3 * wander(rng, len(x), 8.0)
        draw_curve(page, x, height * (row + 0.8) / (rows + 0.6) - 0.25 * height / rows * wave)
    return page


def rhythm_strip(rng: np.random.Generator) -> Pixels:
    """One lead alone with spikes, on ECG paper: an ECG, but not of twelve leads."""
    page, mm = ecg_paper(rng)
    height, width = size(page)
    x = np.arange(8 * mm, width - 8 * mm)
    beat = np.abs((x - 12 * mm) % rng.uniform(15 * mm, 30 * mm) - 8 * mm)
    draw_curve(page, x, height / 2 - 12 * mm * np.exp(-((beat / mm) ** 2)) + 0.2 * mm * wander(rng, len(x), 3.0))
    draw_text(page, "II", (8 * mm, height / 2 - 18 * mm), 3 * mm)
    return page


def handwriting_on_ecg_paper(rng: np.random.Generator) -> Pixels:
    page, mm = ecg_paper(rng)
    for y in np.arange(20 * mm, len(page) - 10 * mm, rng.uniform(15, 30) * mm):
        n = int(rng.uniform(0.3, 0.9) * page.shape[1])
        x = 10 * mm + np.arange(n) + 2 * mm * wander(rng, n, 6.0)
        draw_curve(page, x, y + 2.5 * mm * wander(rng, n, 5.0), width=3)
    return page


def stock_charts(rng: np.random.Generator) -> Pixels:
    """A page of small plots in rows and columns, with names above and a grid in each: laid out much as an ECG."""
    page, rows, columns = sheet(rng), int(rng.integers(3, 7)), int(rng.integers(2, 5))
    height, width = size(page)
    draw_grid(page, float(rng.uniform(18, 35)), (215, 215, 215))
    for row, column in np.ndindex(rows, columns):
        n = round(0.92 * width / columns)
        x = width * (column + 0.04) / columns + np.arange(n)
        y = height * (row + 0.6) / rows + 0.1 * height / rows * np.clip(
            wander(rng, n, 25.0) + 0.2 * wander(rng, n, 1.5), -3, 3
        )
        draw_curve(page, x, y)
        draw_text(page, words(rng, 1)[:5].upper(), (x[0] + 5, height * (row + 0.2) / rows), 16)
    return page


def tiled_floor(rng: np.random.Generator) -> Pixels:
    page = np.full((1000, 1300, 3), rng.integers(150, 230, 3), np.uint8)
    page = cv2.add(page, rng.integers(0, 25, page.shape, np.uint8)).astype(np.uint8)
    step = float(rng.uniform(60, 200))
    draw_grid(page, step, (110, 115, 120), width=int(rng.integers(3, 9)))
    return page


def plaid(rng: np.random.Generator) -> Pixels:
    step = int(rng.integers(16, 60))
    stripes = [
        np.repeat(rng.integers(0, 2, (1400 // step, 3)), step, axis=0)[:900] * rng.uniform(60, 120) for _ in "xy"
    ]
    return np.clip(250 - stripes[0][:, None] - stripes[1][None, :], 0, 255).astype(np.uint8)


PICTURES: Mapping[str, Drawing] = MappingProxyType(
    {
        draw.__name__: draw
        for draw in (
            noise, text_page, sheet_music, crossword, plot_of_one, plot_of_four, keyboard, cat, black, white,
            chessboard, graph_paper, ruled_paper, bar_chart, qr_code, brick_wall, gradient, table, calendar, city_map,
            barcode, seismogram, blank_ecg_page, wooden_table, eeg, fetal_monitor, polygraph, rhythm_strip,
            handwriting_on_ecg_paper, stock_charts, tiled_floor, plaid,
        )
    }
)  # fmt: skip
"""Name of the kind -> what draws one, given a random generator: (height, width, 3) uint8, blue-green-red."""


def photographed(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture lying on a table, seen a little from the side, with blur, noise and JPEG."""
    height, width = size(picture)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    margin = 0.12 * min(height, width)
    moved = (corners + margin + rng.uniform(-0.08, 0.08, (4, 2)) * min(height, width)).astype(np.float32)
    view = cv2.getPerspectiveTransform(corners, moved)
    shape = (round(width + 2 * margin), round(height + 2 * margin))
    table_top = tuple(int(v) for v in rng.integers(30, 140, 3))
    seen = cv2.warpPerspective(picture, view, shape, flags=cv2.INTER_AREA, borderValue=table_top)
    seen = cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.5, 1.2)))
    light = np.linspace(*rng.uniform(0.7, 1.0, 2), shape[0])[None, :, None]
    lit = np.clip(seen * light + rng.normal(scale=4, size=(shape[1], shape[0], 1)), 0, 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 95))])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
