"""From a picture to what a page model judges: the page, its quality required, its curves, its layout known.

Training, evaluation and device read pages through this. Knows nothing of models or labels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from ecgedge.errors import InputError
from ecgedge.page_pipeline import PagePipeline
from ecgedge.pages import find_page
from ecgedge.paper.page import Page, Picture, Traces
from ecgedge.paper.page_quality import require_quality
from ecgedge.paper.second_page import require_one_page
from ecgedge.traces import read_traces


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the way from a picture to an answer."""

    name: str
    seconds: float


Tell = Callable[[str], None]
"""Is called with the name of each stage that begins, for whoever shows how far it is."""


def tell_nobody(_stage: str) -> None:
    """A `Tell` for those who do not show it."""


@dataclass(slots=True)
class Stopwatch:
    """Times stages, one after another."""

    tell: Tell = tell_nobody
    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside; a stage that fails is not kept."""
        self.tell(name)
        start_s = perf_counter()
        yield
        self.stages.append(Stage(name, perf_counter() - start_s))


@dataclass(frozen=True, slots=True)
class PageReading:
    """A page as it was read, before any model saw it."""

    page: Page
    traces: Traces | None
    """Its curves; None where their layout was not recognised, which only `any_layout` lets pass."""
    doubt: str
    """What to say where the layout is not one that the model was trained on; else empty."""
    stages: tuple[Stage, ...]

    @property
    def layout(self) -> str:
        """Name in layouts.toml; empty where it was not recognised."""
        return "" if self.traces is None else self.traces.layout


def read_page(
    picture: Picture, pipeline: PagePipeline, *, any_layout: bool = False, tell: Tell = tell_nobody
) -> PageReading:
    """Find the page in a picture and read its curves, as `ecgedge.digitise.digitise` does.

    Parameters
    ----------
    any_layout : let a page pass whose layout is not recognised, if the model does without curves
    tell : is told each stage as it begins

    Raises
    ------
    InputError
        No page, two pages, a page that is too blurred, cut off or mirrored, or a layout that is not recognised.
    """
    watch = Stopwatch(tell)
    with watch.stage("find page"):
        page = find_page(picture)
    with watch.stage("quality"):
        require_quality(page.quality, name=page.name)
    with watch.stage("read traces"):
        traces = _traces(page, may_fail=any_layout and not pipeline.needs_traces)
    with watch.stage("one page"):
        require_one_page(picture, page)
    doubt = pipeline.doubt_about("" if traces is None else traces.layout)
    return PageReading(page, traces, doubt, tuple(watch.stages))


def _traces(page: Page, *, may_fail: bool) -> Traces | None:
    try:
        return read_traces(page)
    except InputError:
        if may_fail:
            return None
        raise
