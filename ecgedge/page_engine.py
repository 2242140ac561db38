"""Pictures of pages in, answers out. Knows nothing of cameras, files or networks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.batched_model import Arrays, BatchedModel
from ecgedge.bundle import Bundle
from ecgedge.decide import Decision, abstains, decide, prediction_set
from ecgedge.lead_arrays import Inputs
from ecgedge.page_pipeline import page_pipeline_of
from ecgedge.page_reading import PageReading, Stage, Stopwatch, Tell, read_page, tell_nobody
from ecgedge.paper.page import Page, Picture, Traces
from ecgedge.records import FloatArray

PROBABILITIES, MAPS, STRIP_MAPS = "probabilities", "maps", "strip_maps"
"""Names of a page model's outputs; it may lack the maps."""
_BATCHES = (1,)  # a page at a time on every machine: batches gain little and would cost a Pi its memory


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What became of one page that could be read."""

    name: str
    label: str
    """Name of the class, or empty where there is no answer."""
    reason: str
    """Why there is no answer; else empty."""
    probabilities: Mapping[str, float]
    """Calibrated, by class in the order of the labels; empty where the model was not asked."""
    prediction_set: tuple[str, ...]
    """Classes that cannot be excluded, in the order of the labels."""
    layout: str
    """Name in layouts.toml; empty where it was not recognised."""
    tested_layout: bool
    """Whether the model was trained and measured on pages of this layout."""
    page: Page
    traces: Traces | None
    maps: Mapping[str, FloatArray]
    """What the model looked at: `maps` (time, 12, 4) and `strip_maps` (1, time, 4) of a lead model, `maps`
    (rows, columns, 4) of an image model; float32 shares of the logits. Empty where it has none."""
    stages: tuple[Stage, ...]


class PageEngine:
    """A page bundle.

    Parameters
    ----------
    threads : of the interpreter

    Raises
    ------
    BundleError
        The bundle is not for pages, or contradicts itself.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self._model = BatchedModel(bundle, task="page", batches=_BATCHES, threads=threads)
        self._decision = Decision.from_manifest(bundle.manifest.decision)
        self.labels = bundle.manifest.labels
        self.pipeline = page_pipeline_of(bundle.manifest)

    def judge(self, picture: Picture, *, any_layout: bool = False, tell: Tell = tell_nobody) -> PageAnswer:
        """Read a picture and judge the page in it.

        Parameters
        ----------
        any_layout : answer on layouts that the model was not trained on as well; such an answer is untested
        tell : is told each stage as it begins

        Raises
        ------
        InputError
            There is no page that can be read in the picture; see `ecgedge.page_reading.read_page`.
        """
        reading = read_page(picture, self.pipeline, any_layout=any_layout, tell=tell)
        if reading.doubt and not any_layout:
            return self._answer(reading, reason=f"{reading.doubt}; --any-layout answers all the same, untested")
        return self.judge_reading(reading, tell=tell)

    def judge_reading(self, reading: PageReading, *, tell: Tell = tell_nobody) -> PageAnswer:
        """Judge a page that was read, whatever its layout."""
        watch = Stopwatch(tell)
        with watch.stage("inputs"):
            inputs = self.pipeline.inputs_of(reading.page, reading.traces)
        with watch.stage("model"):
            outputs = self.outputs(inputs)
        chosen, probabilities = decide(outputs[PROBABILITIES], self._decision)
        unsure = bool(abstains(probabilities, self._decision)[0])
        limit = self._decision.abstain_below
        return self._answer(
            reading,
            label="" if unsure else self.labels[int(chosen[0])],
            reason=f"too unsure: {probabilities.max():.2f} for the likeliest class, needs {limit:g}" if unsure else "",
            probabilities=probabilities,
            maps={name: values[0] for name, values in outputs.items() if name != PROBABILITIES},
            stages=tuple(watch.stages),
        )

    def quantised(self, inputs: Inputs) -> Arrays:
        """Model inputs of n pages, by tensor name, in the model's own integers."""
        return self._model.quantised(inputs)

    def raw(self, inputs: Arrays) -> Arrays:
        """Outputs by name in the model's own integers, leading axis n."""
        return self._model.raw(inputs)

    def outputs(self, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        """Outputs by name, float32, leading axis n > 0; probabilities as the model gives them."""
        return self._model.real(self.raw(self.quantised(inputs)))

    def probabilities(self, inputs: Inputs) -> FloatArray:
        """(n, n_classes) float32 in the order of the labels, as the model gives them: not yet calibrated."""
        if not len(next(iter(inputs.values()))):
            return np.zeros((0, len(self.labels)), np.float32)
        return self.outputs(inputs)[PROBABILITIES]

    def _answer(
        self,
        reading: PageReading,
        *,
        label: str = "",
        reason: str = "",
        probabilities: FloatArray | None = None,
        maps: Mapping[str, FloatArray] | None = None,
        stages: tuple[Stage, ...] = (),
    ) -> PageAnswer:
        rows = np.zeros((0, len(self.labels)), np.float32) if probabilities is None else probabilities
        kept = prediction_set(rows, self._decision)
        return PageAnswer(
            name=reading.page.name,
            label=label,
            reason=reason,
            probabilities={name: value for row in rows.tolist() for name, value in zip(self.labels, row, strict=True)},
            prediction_set=tuple(name for row in kept for name, inside in zip(self.labels, row, strict=True) if inside),
            layout=reading.layout,
            tested_layout=not reading.doubt,
            page=reading.page,
            traces=reading.traces,
            maps=maps or {},
            stages=reading.stages + stages,
        )
