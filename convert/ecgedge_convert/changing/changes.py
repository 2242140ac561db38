"""What a variant does to a network before its numbers are written: channels, then zeros, then clusters, then rounding.

After each change the network is fine-tuned on what its run was trained on; its teacher is the network as it was before
all changes, or the variant's own. Its decision is fitted again, see `decided`. It writes no bundle and measures no test
set.
"""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge_convert.changing.channels import without_channels
from ecgedge_convert.changing.cluster import clustered
from ecgedge_convert.changing.decided import Decided, decided_again
from ecgedge_convert.changing.fine_tune import TEACH_SHARE, Course, History, Teach, answers_of, fine_tune
from ecgedge_convert.changing.graph import Graph, build, graph_of
from ecgedge_convert.changing.prune import pruned
from ecgedge_convert.changing.qat import rounded
from ecgedge_convert.changing.teachers import called, taught_by, teachers_of
from ecgedge_convert.changing.tuning_data import Batch, FloatArray, Inputs, TuningData, data_of
from ecgedge_convert.changing.wrapped import Tuned
from ecgedge_convert.variant import Variant

if TYPE_CHECKING:
    import keras

Advance = Callable[[str, int, int, float], None]
"""Called after each epoch with the change, the epoch from 1, how many there will be, and the loss."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How long and how fast a change is fine-tuned."""

    steps: int
    """Batches, rounded up to whole epochs."""
    rate: float
    """Learning rate at its height, as a share of what the run was trained with."""
    teach_share: float = TEACH_SHARE
    """Of the teacher in the targets; the rest is the label."""


TUNING = {
    "channels": Tuning(840, 0.5),
    "teachers": Tuning(400, 0.3),
    "prune": Tuning(500, 0.5),
    "cluster": Tuning(100, 0.1),
    "qat": Tuning(150, 0.05, teach_share=1.0),  # to say the same, not to learn anew
}
_FOR_IMPORTANCE = 1000
"""Examples that say what a channel is worth."""
_FOR_RANGES = 96


@dataclass(frozen=True)
class Changed:
    """A network, changed."""

    model: "keras.Model"
    """Of Keras 3; of tf_keras, with its ranges inside, where `rounded` (see `qat_int8`)."""
    facts: dict[str, Json] = field(default_factory=dict)
    """For the manifest."""
    rounded: bool = False
    decided: Decided | None = None
    """None where nothing was changed, or nobody asked."""

    def answers(self, inputs: Inputs) -> FloatArray:
        """Class probabilities, (n, classes) float32."""
        return answers_of(self.model, inputs, keras=import_module("tf_keras" if self.rounded else "keras"))


@dataclass(frozen=True)
class _Work:
    """What all changes of a variant share."""

    variant: Variant
    data: TuningData
    teach: Teach
    advance: Advance
    facts: dict[str, Json]

    def epochs(self, change: str) -> int:
        """Whole epochs of a change."""
        return self.variant.epochs or max(1, -(-TUNING[change].steps // self.data.steps_per_epoch))

    def course(self, change: str) -> Course:
        """How the network learns after a change."""
        return Course(
            self.data,
            epochs := self.epochs(change),
            self.rate(change),
            teach=self.teach,
            teach_share=TUNING[change].teach_share,
            seed=self.variant.seed,
            advance=lambda epoch, loss: self.advance(change, epoch, epochs, loss),
        )

    def keep(self, change: str, history: History, **more: Json) -> None:
        """Keep what is to be known of a change."""
        rows: list[Json] = [{name: round(value, 5) for name, value in row.items()} for row in history]
        self.facts[change] = more | {"learning_rate": self.rate(change), "history": rows}

    def kept(self, change: str, before: Graph, found: Tuned) -> Graph:
        """The network after a change of its weights, of which is kept what is to be known."""
        sizes: list[Json] = [gzip_bytes(before), gzip_bytes(found.graph)]
        self.keep(change, found.history, **found.facts, gzip_bytes_of_weights=sizes)
        return found.graph

    def rate(self, change: str) -> float:
        """Learning rate at its height."""
        return TUNING[change].rate * self.data.learning_rate


def changed(
    model: "keras.Model",
    variant: Variant,
    run: Path | None,
    *,
    root: Path | None,
    decide: bool = True,
    advance: Advance = lambda _change, _epoch, _epochs, _loss: None,
) -> Changed:
    """Do what a variant asks for; the model given stays as it is.

    Parameters
    ----------
    run : the training run that the model is of; None where there is none
    root : folder of the data sets
    decide : fit its decision again; with inner folds that takes as long again for each

    Raises
    ------
    InputError
        Weights are to be changed and there is no run; a layer that cannot be rebuilt; a teacher that does not fit.
    DataError
        The data set of the run is not on this machine.
    """
    if not variant.changes_weights:
        return Changed(model)
    if run is None:
        raise InputError(
            f"variant {variant.name}: fine-tuning needs what the model was trained on; give the folder of its run"
        )
    import keras

    teachers = teachers_of(variant.teachers, model)
    data = data_of(run, root=root, seed=variant.seed)

    def changed_on(network: "keras.Model", data: TuningData, where: str = "") -> Changed:
        told = partial(_told, advance, where)
        return _changed(network, _Work(variant, data, taught_by(teachers or [network], keras=keras), told, {}))

    def said(network: "keras.Model", data: TuningData, where: str) -> FloatArray:
        twin = found if network is model else changed_on(network, data, where)
        return twin.answers(data.held_back.inputs)

    found = changed_on(model, data)
    found.facts["fine_tuned_on"] = {
        "held_back": data.held_back.what,
        "teachers": [*called(variant.teachers)] or ["the model itself, before it was changed"],
        "seed": variant.seed,
    }
    if not decide:
        return found
    decided = decided_again(run, model, said, root=root, seed=variant.seed)
    if teachers and decided.decision is not None:
        decided.facts["teachers"] = "may have learnt from these pages"
    return replace(found, decided=decided)


def _told(advance: Advance, where: str, change: str, epoch: int, epochs: int, loss: float) -> None:
    advance(f"{change}, {where}" if where else change, epoch, epochs, loss)


def _changed(model: "keras.Model", work: _Work) -> Changed:
    import keras

    variant = work.variant
    graph = _with_fewer_channels(model, work) if variant.channels < 1 else graph_of(model)
    if variant.teachers and variant.channels == 1:
        graph = _taught(graph, work)
    if variant.prune:
        graph = work.kept("prune", graph, pruned(graph, variant.prune, work.course("prune")))
    if variant.cluster:
        course, keep_zeros = work.course("cluster"), variant.prune > 0
        graph = work.kept("cluster", graph, clustered(graph, variant.cluster, course, keep_zeros=keep_zeros))
    if variant.qat:
        return _rounded(graph, work)
    return Changed(build(graph, keras=keras), work.facts)


def _with_fewer_channels(model: "keras.Model", work: _Work) -> Graph:
    import keras

    smaller, facts = without_channels(model, work.variant.channels, _some(work.data, _FOR_IMPORTANCE))
    history = fine_tune(smaller, work.course("channels"), keras=keras)
    work.keep("channels", history, **facts.to_json())
    return graph_of(smaller)


def _some(data: TuningData, n: int) -> Iterator[Batch]:
    """Batches of at least `n` examples."""
    seen = 0
    while seen < n:
        for batch in data.batches(0):
            yield batch
            seen += len(batch[1])
            if seen >= n:
                return


def _examples(data: TuningData) -> Inputs:
    """Inputs by which the biases and ranges of a rounded network begin."""
    batches = [inputs for inputs, *_ in _some(data, _FOR_RANGES)]
    return {name: np.concatenate([one[name] for one in batches])[:_FOR_RANGES] for name in batches[0]}


def _taught(graph: Graph, work: _Work) -> Graph:
    import keras

    student = build(graph, keras=keras)
    work.keep("teachers", fine_tune(student, work.course("teachers"), keras=keras))
    return graph_of(student)


def _rounded(graph: Graph, work: _Work) -> Changed:
    import tf_keras

    variant = work.variant
    found = rounded(graph, _examples(work.data), keep_zeros=variant.prune > 0, keep_float=variant.keep_float)
    history = fine_tune(found.model, work.course("qat"), keras=tf_keras)
    more: dict[str, Json] = {"left_in_float": dict(found.left), "norms": "folded before, their statistics are fixed"}
    if variant.prune:
        more["zeros"] = "kept: weights that were pruned are held at 0"
    if variant.cluster:
        more["clusters"] = "not kept: rounding in training moves each weight on its own"
    work.keep("qat", history, **more)
    return Changed(found.model, work.facts, rounded=True)


def gzip_bytes(graph: Graph) -> int:
    """Size of all weights as float32, compressed."""
    values = [np.ascontiguousarray(array, np.float32).tobytes() for node in graph.nodes for array in node.weights]
    return len(gzip.compress(b"".join(values), mtime=0))
