"""A page whose curves lie where they lie on every other page of its layout: for models that look at pictures.

A scan has its rows at known places; a photographed page has other margins, keeps its header, and leans a little. What
`read_traces` found, where each lead begins and ends and where its zero line is, is brought to fixed places by one
remapping, straight lines in between. Knows nothing of models.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.paper.layouts import layouts
from ecgedge.paper.page import FloatArray, LeadTrace, Page, Pixels, Traces

MARGIN = 0.65
"""Paper above the first zero line and below the last, in distances of rows: the tallest usual R waves are 0.6."""
_WHITE = (255, 255, 255)


def row_places(n_rows: int) -> tuple[float, float]:
    """Where the first zero line lies on an aligned page, and how far rows are apart, as shares of its height."""
    distance = 1 / (n_rows - 1 + 2 * MARGIN)
    return MARGIN * distance, distance


def align_page(page: Page, traces: Traces) -> Page:
    """Bring the curves of a page to fixed places.

    Returns
    -------
    A page whose left and right edges are the begin of the first lead and the end of the last; its zero lines are level
    and lie at `row_places`. Millimetres are as long as they were, on average over the page.

    Raises
    ------
    InputError
        Fewer than two rows were read, or rows or leads that lie in no order: nothing to align by.
    """
    nodes = _nodes(page, traces)
    n_rows = len(nodes) - 2
    distance_px = float((nodes[-2, :, 1] - nodes[1, :, 1]).mean()) / (n_rows - 1)
    width_px = round(float((nodes[:, -1, 0] - nodes[:, 0, 0]).mean()))
    height_px = round((n_rows - 1 + 2 * MARGIN) * distance_px)
    if distance_px < 1 or width_px < 2 or (np.diff(nodes[..., 1], axis=0) <= 0).any():
        raise InputError(
            f"{page.name}: its curves lie in no order, so the page cannot be aligned; take a flatter picture"
        )
    return replace(
        page,
        pixels=_remapped(page.pixels, _between(nodes, np.arange(height_px), np.arange(width_px), height_px, width_px)),
        map_px=_picture_map(page, nodes, height_px, width_px),
        map_step_px=_map_step_px(page),
    )


def _nodes(page: Page, traces: Traces) -> NDArray[np.float64]:
    """Where the begins and ends of leads lie on the page: (rows + 2, columns + 1, 2) x and y, px.

    The first and the last row of nodes are the edges of the aligned page.
    """
    numbers = np.array(sorted({lead.row for lead in traces.leads}))
    if len(numbers) < 2:
        raise InputError(f"{page.name}: {len(numbers)} rows of curves; two are needed to align a page by")
    plan = layouts()[traces.layout].rows
    columns = max(map(len, plan))
    found = np.array([_row_nodes(_leads_of_row(traces, number), columns) for number in numbers])
    inner = _all_rows(found, numbers, len(plan))
    above = inner[:1] - MARGIN * (inner[1:2] - inner[:1])
    below = inner[-1:] + MARGIN * (inner[-1:] - inner[-2:-1])
    return np.concatenate([above, inner, below])


def _leads_of_row(traces: Traces, number: int) -> list[LeadTrace]:
    return sorted((lead for lead in traces.leads if lead.row == number), key=lambda lead: lead.x_px[0])


def _all_rows(found: NDArray[np.float64], numbers: NDArray[np.int64], n_rows: int) -> NDArray[np.float64]:
    """Nodes of all rows of the layout: a row that was not read lies on the straight line through the others."""
    slope, start = np.polyfit(numbers, found.reshape(len(numbers), -1), 1)
    every = (start + np.arange(n_rows)[:, None] * slope).reshape(n_rows, *found.shape[1:])
    every[numbers] = found
    return np.asarray(every, np.float64)


def _row_nodes(leads: list[LeadTrace], columns: int) -> NDArray[np.float64]:
    """(columns + 1, 2) x and y of the ends of a row's leads; a row of one lead is divided evenly."""
    begins = np.array([float(lead.x_px[0]) for lead in leads])
    ends = np.array([float(lead.x_px[-1]) + 1 for lead in leads])
    x = np.array([begins[0], *(ends[:-1] + begins[1:]) / 2, ends[-1]])
    level = np.array([lead.baseline_px for lead in leads])
    y = np.array([level[0], *(level[:-1] + level[1:]) / 2, level[-1]])
    at = np.linspace(0, len(leads), columns + 1)
    return np.stack([np.interp(at, np.arange(len(x)), x), np.interp(at, np.arange(len(y)), y)], axis=1)


def _between(
    nodes: NDArray[np.float64], y_px: NDArray[np.int64], x_px: NDArray[np.int64], height_px: int, width_px: int
) -> FloatArray:
    """Where points of the aligned page lie on the page: (len(y_px), len(x_px), 2) float32."""
    n_rows = len(nodes) - 2
    first, distance = row_places(n_rows)
    lines = np.array([0.0, *(first + distance * np.arange(n_rows)), 1.0]) * height_px
    down = _shares(y_px + 0.5, lines)
    across = _shares(x_px + 0.5, np.linspace(0, width_px, nodes.shape[1]))
    planes = [down @ nodes[..., axis] @ across.T - 0.5 * (axis == 0) for axis in (0, 1)]
    return np.stack(planes, axis=-1).astype(np.float32)


def _shares(at: NDArray[np.floating], knots: NDArray[np.floating]) -> NDArray[np.float64]:
    """Shares of knots in points between them, straight lines beyond: (n, knots)."""
    left = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    share = (at - knots[left]) / (knots[left + 1] - knots[left])
    shares = np.zeros((len(at), len(knots)))
    shares[np.arange(len(at)), left] = 1 - share
    shares[np.arange(len(at)), left + 1] = share
    return shares


def _remapped(pixels: Pixels, at: FloatArray) -> Pixels:
    x, y = cv2.split(at)
    turned = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_WHITE)
    return np.asarray(turned, np.uint8)


def _picture_map(page: Page, nodes: NDArray[np.float64], height_px: int, width_px: int) -> FloatArray:
    """The aligned page's `map_px`, at the page's own step."""
    step = int(_map_step_px(page))
    rows, columns = (np.arange(-(-size // step) + 1) * step for size in (height_px, width_px))
    points = _between(nodes, rows, columns, height_px, width_px)
    return page.to_picture(points.reshape(-1, 2)).reshape(points.shape)


def _map_step_px(page: Page) -> float:
    return float(max(1, round(page.map_step_px)))
