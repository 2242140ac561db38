"""The parameters between a picture and a page model's inputs, as named steps of the manifest.

Knows nothing of models, labels or stores.
"""

from dataclasses import dataclass

import numpy as np

from ecgedge.aligned_page import align_page
from ecgedge.errors import BundleError, InputError
from ecgedge.lead_arrays import Inputs, LeadArraySettings, lead_arrays
from ecgedge.manifest import Json, Manifest
from ecgedge.page_images import PageImageSettings, page_image
from ecgedge.paper.layouts import LEADS, layouts
from ecgedge.paper.page import Page, Traces
from ecgedge.plain import from_plain, to_plain

FEWEST_LEADS, LEAST_SEEN = 11, 0.5
"""Of this many of the twelve leads at least this share must have been read. Every page of ecg_images that is read at
all has 12 with nine tenths each, so that a page with less is like nothing that the figures were measured on."""
_LEADS_STEP, _IMAGE_STEP = "lead_arrays", "page_image"


@dataclass(frozen=True, slots=True)
class PagePipeline:
    """All parameters between a picture and the inputs of a page model."""

    inputs: LeadArraySettings | PageImageSettings
    layouts: tuple[str, ...]
    """Layouts the model was trained on; it is untested on others."""

    def to_manifest(self) -> tuple[dict[str, Json], ...]:
        """The steps, in order, as a manifest holds them."""
        last = _LEADS_STEP if self.takes_leads else _IMAGE_STEP
        return (
            {"step": "find_page"},
            {"step": "quality"},
            {"step": "read_traces", "layouts": list(self.layouts)},
            {"step": last, **to_plain(self.inputs)},
        )

    @property
    def takes_leads(self) -> bool:
        """Whether the model is fed curves; else it is fed the page as an image."""
        return isinstance(self.inputs, LeadArraySettings)

    @property
    def needs_traces(self) -> bool:
        """Whether a page must have its curves read; only an image model of pages as they are does without."""
        return isinstance(self.inputs, LeadArraySettings) or self.inputs.aligned

    def doubt_about(self, layout: str) -> str:
        """What a user must be told where the model was not trained on this layout; else empty."""
        if layout in self.layouts:
            return ""
        known = layout or "not recognised"
        return (
            f"layout {known} is not one the model was trained on ({', '.join(self.layouts)}); its figures do not hold"
        )

    def inputs_of(self, page: Page, traces: Traces | None) -> Inputs:
        """The inputs for one page, leading axis 1.

        Parameters
        ----------
        traces : its curves; some image models do without, see `needs_traces`

        Raises
        ------
        InputError
            The model needs curves, and none, or too few, were read.
        """
        if isinstance(self.inputs, PageImageSettings):
            return page_image(self.page_seen(page, traces), self.inputs)
        return lead_arrays(_required(traces, page), self.inputs)

    def page_seen(self, page: Page, traces: Traces | None) -> Page:
        """The page as an image model sees it: aligned, where it was trained on aligned pages; else as it is."""
        if isinstance(self.inputs, PageImageSettings) and self.inputs.aligned:
            return align_page(page, _required(traces, page))
        return page


def _required(traces: Traces | None, page: Page) -> Traces:
    if traces is None:
        raise InputError(f"{page.name}: its curves were not read, and the model needs them; take a sharper picture")
    read = {trace.lead for trace in traces.leads if np.isfinite(trace.y_px).mean() >= LEAST_SEEN} & set(LEADS)
    if len(read) < FEWEST_LEADS:
        lost = ", ".join(lead for lead in LEADS if lead not in read)
        raise InputError(
            f"{page.name}: {len(read)} of 12 leads read, needs {FEWEST_LEADS} (missing {lost}); take a sharper picture "
            "of the whole page"
        )
    return traces


def page_pipeline_of(manifest: Manifest) -> PagePipeline:
    """Read the steps of a page model's manifest.

    Raises
    ------
    BundleError
        A step or a parameter is missing, unknown or of the wrong kind, or a layout is unknown here.
    """
    for step in ("find_page", "quality"):
        if parameters := manifest.step(step):
            raise BundleError(
                f"bundle {manifest.name}: {step} has parameters {', '.join(parameters)} unknown here; update ecgedge"
            )
    names = manifest.step("read_traces").get("layouts")
    steps = {str(entry.get("step")) for entry in manifest.preprocessing}
    try:
        inputs: LeadArraySettings | PageImageSettings
        if _LEADS_STEP in steps:
            inputs = from_plain(LeadArraySettings, manifest.step(_LEADS_STEP), where=_LEADS_STEP)
        else:
            inputs = from_plain(PageImageSettings, manifest.step(_IMAGE_STEP), where=_IMAGE_STEP)
        return PagePipeline(inputs, _known_layouts(names))
    except (ValueError, InputError) as error:
        raise BundleError(f"bundle {manifest.name}: preprocessing cannot be read ({error}); convert it again") from None


def _known_layouts(names: "Json | None") -> tuple[str, ...]:
    if not isinstance(names, list) or not names:
        raise ValueError(f"read_traces.layouts {names!r} names no layout")
    if unknown := sorted({str(name) for name in names} - set(layouts())):
        raise ValueError(f"layouts {', '.join(unknown)} are not known here")
    return tuple(str(name) for name in names)
