"""Lead names read by template matching where a layout allows them.

The names of a page share font, size and place beside the beginning of their lead, so these are voted for by all of the
layout's names together; a curve or a separator that runs through one of them does no harm. Then each place is compared
with all twelve names. How the templates (lead_names.png) were made, and from which fonts, is said in lead_names.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.pulses import Pulse
from ecgedge.paper.separators import Separator
from ecgedge.paper.small_ink import PX_PER_MM, SmallInk

CELL_PX, CAP_PX, PAD_PX = (32, 100), 24, 4
"""Height and width of a template, height of its capitals, and the margin on the left and at the bottom."""
N_FONTS = 9
BASIC_FONTS = (0, 2, 3)
"""Serif, sans serif and bold: they tell the size, the other fonts are tried at it."""
N_FINALISTS = 7
"""Fonts and sizes that are weighed closely."""
CAPS_MM = (1.75, 2.0, 2.3, 2.55, 2.8, 3.1, 3.5, 4.0)
"""Heights of capitals tried: 7 to 16 points."""
PALEST = 0.25
"""Letters have at least this share of the ink of perfect print."""
BETWEEN = (0.94, 1.06)
"""Shares of the best of them tried last."""
AROUND_MM = (3.0, 5.0, 12.0, 10.0)
"""Names stand at most this far to the left, to the right, above and below of their lead's beginning."""
TALL, INKED = 1.3, 128
"""Upright ink this many times as high as a capital is no part of a letter; darkness, of 255, that makes ink."""
SHIFT_PX = 6
"""Play of a single name around the place voted for: bent paper that is not flattened to the last is 1.5 mm off."""
STRIP_SHIFT_PX = (6, 8)
"""A rhythm strip's name may stand elsewhere: play to the side, and up and down (2 mm: seen on prints)."""
SHIFT_COST = 0.1
"""Log likelihood lost per square of the pixels that a name stands off the place that the names have together."""
VOTE_COST = 0.008
"""Correlation lost the same way: 0.2 for a name that is 5 px off."""
MISS, EXTRA, EXTRA_LIMIT = 1.0, 0.6, 0.8
"""Cost of a letter's ink that is missing; of ink where it has none, which may be the curve; the most that counts."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place where a name is expected."""

    row: int
    column: int
    x_px: float
    """Beginning of the lead, px of the page."""
    y_px: float
    """Level of its row, px of the page."""
    expected: str
    """Name that the layout has there; "*" if it leaves it open."""


@dataclass(frozen=True, slots=True)
class LeadName:
    """What is written at a site."""

    text: str
    """The likeliest of the twelve names."""
    row: int
    column: int
    left_px: int
    top_px: int
    glyph: NDArray[np.bool_]
    """(height, width) bool: letters of the name expected here, or of `text` where the layout leaves it open. Their top
    left corner lies at `left_px`, `top_px` of the page."""
    scores: FloatArray
    """(12,) float32: log likelihoods of the names as in LEADS, relative to nothing being written there."""
    attainable: FloatArray
    """(12,) float32: what the scores would be if the names were there, perfectly printed and no wave through them."""

    @property
    def margin(self) -> float:
        """By how much the likeliest name is ahead of the next one; log likelihood."""
        second, first = np.sort(self.scores)[-2:]
        return float(first - second)


@dataclass(frozen=True, slots=True)
class Style:
    """How the names of a page are written."""

    font: int
    """Row of lead_names.png."""
    cap_mm: float
    dx_px: int
    """From the lead's beginning to the left of the template, working scale."""
    dy_px: int
    """From the row's level to the top of the template, working scale."""
    support: float
    """0 to 1: mean correlation of the names expected with what is written; below 0.4 there are none."""

    @property
    def left_mm(self) -> float:
        """From the lead's beginning to the left edge of the first letter."""
        return (self.dx_px + 0.5) / PX_PER_MM + PAD_PX / CAP_PX * self.cap_mm

    @property
    def above(self) -> bool:
        """Whether the names stand above their rows' level."""
        cap_px = self.cap_mm * PX_PER_MM
        return self.dy_px + (CELL_PX[0] - PAD_PX) / CAP_PX * cap_px - cap_px / 2 < 0


@cache
def _atlas() -> Pixels:
    """(9 x 32, 12 x 100) uint8: names in all fonts."""
    name = resources.files("ecgedge.paper").joinpath("lead_names.png")
    atlas = cv2.imdecode(np.frombuffer(name.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if atlas is None:
        raise ValueError("lead_names.png does not decode: install ecgedge again")
    return np.asarray(atlas, dtype=np.uint8)


@cache
def _templates(font: int, cap_mm: float) -> FloatArray:
    """(12, height, width) float32, 0 to 1: the names at the working scale."""
    height, width = CELL_PX
    scale = cap_mm * PX_PER_MM / CAP_PX
    size = round(width * scale), round(height * scale)
    row = _atlas()[font * height : (font + 1) * height]
    words = [cv2.resize(row[:, k * width : (k + 1) * width], size, interpolation=cv2.INTER_AREA) for k in range(12)]
    stack = np.stack(words).astype(np.float32) / 255
    used = np.flatnonzero(stack.max(axis=(0, 1)) > 0.1)[-1] + 3
    return np.ascontiguousarray(stack[:, :, :used])


def read_lead_names(
    small: SmallInk, sites: Sequence[Site], separators: Sequence[Separator], pulses: Sequence[Pulse] = ()
) -> tuple[tuple[LeadName, ...], Style]:
    """What is written at each site, and how.

    Parameters
    ----------
    small : ink of the page at the working scale.
    sites : where names are expected; those with a name vote for the style.
    separators, pulses : their ink is neither for nor against a letter.

    Returns
    -------
    One LeadName per site, in their order, and the style. With a support below 0.4 the names mean nothing.
    """
    canvas = _Canvas(small, separators, pulses)
    style = _style(canvas, [site for site in sites if site.expected in LEADS])
    canvas.leave_out_waves(style.cap_mm)
    words = _templates(style.font, style.cap_mm)
    level = _letter_level(canvas, sites, style, words)
    return tuple(_read(canvas, site, style, words, level) for site in sites), style


class _Canvas:
    """Darkness and what of it counts, with a margin so that windows never end outside."""

    MARGIN_PX = 120

    def __init__(self, small: SmallInk, separators: Sequence[Separator], pulses: Sequence[Pulse]) -> None:
        self.small = small
        dark = small.darkness.astype(np.float32) * np.float32(1 / 255)
        counts = np.ones(small.darkness.shape, np.float32)
        for separator in separators:
            half_px = max(1.5 * small.scale_x, separator.width_px / 2 + 0.5 * small.scale_x)
            counts[_strip_of(small, separator.x_px, half_px, separator.top_px, separator.bottom_px)] = 0
        for pulse in pulses:
            for x_px in (pulse.left_px, pulse.right_px):
                counts[_strip_of(small, x_px, 1.5 * small.scale_x, pulse.top_px, pulse.foot_px)] = 0
        dark *= counts
        margin = self.MARGIN_PX
        self.counts: FloatArray = _bordered(counts, margin, 1.0)
        self.darkness: FloatArray = _bordered(dark, margin, 0.0)

    def leave_out_waves(self, cap_mm: float) -> None:
        """Takes no account any more of upright ink higher than a letter: a wave through a name says nothing."""
        inner = slice(self.MARGIN_PX, -self.MARGIN_PX)
        counts = self.counts[inner, inner]
        inked = ((self.small.darkness >= INKED) & (counts > 0)).astype(np.uint8)
        slanting = cv2.dilate(inked, np.ones((1, 2), np.uint8))
        tall = np.ones((round(TALL * cap_mm * PX_PER_MM), 1), np.uint8)
        counts[cv2.morphologyEx(slanting, cv2.MORPH_OPEN, tall) > 0] = 0

    def at(self, site: Site) -> tuple[int, int]:
        """Row and column of a site."""
        height, width = self.small.darkness.shape
        y, x = round(self.small.y_here(site.y_px)), round(self.small.x_here(site.x_px))
        return min(max(y, 0), height) + self.MARGIN_PX, min(max(x, 0), width) + self.MARGIN_PX


def _strip_of(small: SmallInk, x_px: float, half_px: float, top_px: float, bottom_px: float) -> tuple[slice, slice]:
    """Rows and columns of an upright stroke at the working scale."""
    left, right = round(small.x_here(x_px - half_px)), round(small.x_here(x_px + half_px))
    top, bottom = round(small.y_here(top_px)), round(small.y_here(bottom_px))
    return slice(max(0, top - 1), max(0, bottom + 2)), slice(max(0, left), max(0, right + 1))


def _bordered(array: FloatArray, margin: int, value: float) -> FloatArray:
    framed = cv2.copyMakeBorder(array, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=value)
    return np.asarray(framed, dtype=np.float32)


def _style(canvas: _Canvas, sites: Sequence[Site]) -> Style:
    """Font, size and place for which the expected names correlate best with the ink, all of them together.

    Bold and plain letters of nearly one size correlate alike: of each font's best two that one stands
    which explains the ink.
    """
    basic = [[_vote(canvas, sites, font, cap_mm) for cap_mm in CAPS_MM] for font in BASIC_FONTS]
    sizes = {max(votes, key=lambda style: style.support).cap_mm for votes in basic}
    others = [font for font in range(N_FONTS) if font not in BASIC_FONTS]
    tried = [style for votes in basic for style in votes]
    tried += [_vote(canvas, sites, font, cap_mm) for font in others for cap_mm in sorted(sizes)]
    tried.sort(key=lambda style: style.support)
    finalists = [style for font in range(N_FONTS) for style in [s for s in tried if s.font == font][-2:]]
    finalists = sorted(finalists, key=lambda style: style.support)[-N_FINALISTS:]
    first = max(finalists, key=lambda style: style.support * _explained(canvas, sites, style))
    between = [_vote(canvas, sites, first.font, first.cap_mm * share) for share in BETWEEN]
    return max((first, *between), key=lambda style: style.support * _explained(canvas, sites, style))


def _explained(canvas: _Canvas, sites: Sequence[Site], style: Style) -> float:
    """Mean log likelihood of the expected names in a style, per ink of the letters; names run through count for 0."""
    words = _templates(style.font, style.cap_mm)
    level = _letter_level(canvas, sites, style, words)
    found = []
    for site in sites:
        word = words[LEADS.index(site.expected)]
        dark, counts = _surroundings(canvas, site, style, word.shape, level)
        gain, _ = _placed(word, dark, counts)
        found.append(max(0.0, gain / float((word * word).sum())))
    return float(np.mean(found)) if found else 0.0


def _vote(canvas: _Canvas, sites: Sequence[Site], font: int, cap_mm: float) -> Style:
    words = _templates(font, cap_mm)
    left, right, above, below = (round(mm * PX_PER_MM) for mm in AROUND_MM)
    baseline = words.shape[1] - round(PAD_PX * cap_mm * PX_PER_MM / CAP_PX)
    maps = np.zeros((len(sites), above + below + 1, left + right + 1), np.float32)
    for found, site in zip(maps, sites, strict=True):
        word = _tight(font, cap_mm, site.expected)
        y, x = canvas.at(site)
        top = y - above - baseline
        window = canvas.darkness[
            max(0, top) : top + len(found) + word.shape[0] - 1, x - left : x + right + word.shape[1]
        ]
        match = cv2.matchTemplate(window, word, cv2.TM_CCOEFF_NORMED)
        ink = cv2.boxFilter(window, -1, word.shape[::-1], anchor=(0, 0), normalize=False)
        written = ink[: match.shape[0], : match.shape[1]] >= PALEST * word.sum()  # blank paper correlates at random
        found[-match.shape[0] :, : match.shape[1]] = np.maximum(match, 0) * written
    total = _with_play(maps).sum(axis=0)
    row, column = np.unravel_index(int(total.argmax()), total.shape)
    support = float(total[row, column]) / max(1, len(sites))
    return Style(font, cap_mm, int(column) - left, int(row) - above - baseline, support)


def _with_play(maps: FloatArray) -> FloatArray:
    """(n, height, width) of each place the best of the places around it, less what the way there costs.

    A pixel costs nothing; the places farther off are looked at in threes.
    """
    for axis, reach in ((1, (3, 1)), (2, (1, 3))):
        near = np.array([cv2.dilate(one, np.ones(reach, np.uint8)) for one in maps], np.float32).reshape(maps.shape)
        best = np.moveaxis(near.copy(), axis, 0)
        ahead = np.moveaxis(near, axis, 0)
        for step in range(3, SHIFT_PX + 1, 3):
            lost = np.float32(VOTE_COST * step * step)
            np.maximum(best[step:], ahead[:-step] - lost, out=best[step:])
            np.maximum(best[:-step], ahead[step:] - lost, out=best[:-step])
        maps = np.moveaxis(best, 0, axis)
    return maps


@cache
def _tight(font: int, cap_mm: float, lead: str) -> FloatArray:
    """A template cut after its last letter."""
    word = _templates(font, cap_mm)[LEADS.index(lead)]
    return np.ascontiguousarray(word[:, : np.flatnonzero(word.max(axis=0) > 0.1)[-1] + 2])


def _letter_level(canvas: _Canvas, sites: Sequence[Site], style: Style, words: FloatArray) -> float:
    """How dark letters are: thin print on a blurred photo is pale."""
    levels = []
    for site in sites:
        if site.expected in LEADS:
            word = words[LEADS.index(site.expected)]
            around = _around(canvas.darkness, canvas, site, style, word.shape)
            levels.append(float(cv2.matchTemplate(around, word, cv2.TM_CCORR).max() / (word * word).sum()))
    return float(np.clip(np.median(levels), 0.3, 1.0)) if levels else 1.0


def _play(site: Site) -> tuple[int, int]:
    """How far a name may stand off, to the side, and up and down."""
    return (SHIFT_PX, SHIFT_PX) if site.expected in LEADS else STRIP_SHIFT_PX


def _around(array: FloatArray, canvas: _Canvas, site: Site, style: Style, shape: tuple[int, ...]) -> FloatArray:
    """The canvas where a site's name stands, and as far around as it has play."""
    (y, x), (side, upright) = canvas.at(site), _play(site)
    top, left = y + style.dy_px - upright, x + style.dx_px - side
    return array[top : top + shape[0] + 2 * upright, left : left + shape[1] + 2 * side]


def _surroundings(
    canvas: _Canvas, site: Site, style: Style, shape: tuple[int, ...], level: float
) -> tuple[FloatArray, FloatArray]:
    """Darkness around a site relative to that of letters, and what of it counts."""
    dark = _around(canvas.darkness, canvas, site, style, shape)
    return np.minimum(dark / np.float32(level), np.float32(1)), _around(canvas.counts, canvas, site, style, shape)


def _placed(word: FloatArray, dark: FloatArray, counts: FloatArray) -> tuple[float, tuple[int, int]]:
    """Log likelihood of a word against nothing being written, where it fits best; and row and column of that place.

    The place is found as if all letters were fully black or white: then the costs are sums of products.
    """
    pale = np.minimum(dark, np.float32(EXTRA_LIMIT))
    cubed = word * word * word
    nowhere = cubed.sum() if counts.all() else cv2.matchTemplate(counts, cubed, cv2.TM_CCORR)
    black = cv2.matchTemplate(dark * counts, word * word, cv2.TM_CCORR)
    beside = cv2.matchTemplate((EXTRA * pale * pale - MISS * dark * dark) * counts, word, cv2.TM_CCORR)
    gain = np.asarray(2 * black + beside - nowhere, dtype=np.float32)
    lost = _way(gain.shape[0])[:, None] + _way(gain.shape[1])[None]
    row, column = divmod(int((gain - lost).argmax()), gain.shape[1])
    here = slice(row, row + word.shape[0]), slice(column, column + word.shape[1])
    won = _cost(np.zeros_like(word), dark[here], counts[here]) - _cost(word, dark[here], counts[here])
    return won - float(lost[row, column]), (row, column)


def _way(n_places: int) -> FloatArray:
    """Cost of each place on the way across the middle one."""
    steps = np.arange(n_places, dtype=np.float32) - n_places // 2
    return np.float32(SHIFT_COST) * steps * steps


def _read(canvas: _Canvas, site: Site, style: Style, words: FloatArray, level: float) -> LeadName:
    """The site compared with all names."""
    side, upright = _play(site)
    dark, counts = _surroundings(canvas, site, style, words.shape[1:], level)
    placed = [_placed(word, dark, counts) for word in words]
    scores = np.array([gain for gain, _ in placed], dtype=np.float32)
    read = int(scores.argmax())
    meant = LEADS.index(site.expected) if site.expected in LEADS else read
    y, x = canvas.at(site)
    top = y + style.dy_px + placed[meant][1][0] - upright - canvas.MARGIN_PX
    left = x + style.dx_px + placed[meant][1][1] - side - canvas.MARGIN_PX
    left_px, top_px, glyph = _on_page(words[meant], canvas.small, left, top)
    attainable = np.array([_perfect(word, counts, place) for word, (_, place) in zip(words, placed, strict=True)])
    return LeadName(LEADS[read], site.row, site.column, left_px, top_px, glyph, scores, attainable.astype(np.float32))


def _perfect(word: FloatArray, counts: FloatArray, place: tuple[int, int]) -> float:
    """Log likelihood of a word that is printed perfectly at a place."""
    row, column = place
    counted = counts[row : row + word.shape[0], column : column + word.shape[1]]
    return float((EXTRA * np.minimum(word, EXTRA_LIMIT) ** 2 * counted).sum())


def _cost(word: FloatArray, dark: FloatArray, counts: FloatArray) -> float:
    """How badly a word explains a patch of the same shape."""
    missing = np.maximum(word - dark, 0)
    extra = np.minimum(np.maximum(dark - word, 0), EXTRA_LIMIT)
    return float(((MISS * missing**2 + EXTRA * extra**2) * counts).sum())


def _on_page(word: FloatArray, small: SmallInk, left: int, top: int) -> tuple[int, int, NDArray[np.bool_]]:
    """Left, top and letters of a template at page scale."""
    height, width = word.shape
    size = round(width * small.scale_x), round(height * small.scale_y)
    glyph = cv2.resize(word, size, interpolation=cv2.INTER_LINEAR)
    return round(small.x_on_page(left - 0.5) + 0.5), round(small.y_on_page(top - 0.5) + 0.5), np.asarray(glyph > 0.25)
