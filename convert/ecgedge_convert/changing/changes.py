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
from ecgedge_convert.changing.fine_tune import TEACH_SHARE, History, Teach, answers_of, fine_tune
from ecgedge_convert.changing.graph import Graph, build, graph_of
from ecgedge_convert.changing.prune import SAVES, pruned
from ecgedge_convert.changing.qat import rounded
from ecgedge_convert.changing.teachers import called, taught_by, teachers_of
from ecgedge_convert.changing.tuning_data import Batch, FloatArray, Inputs, TuningData, data_of
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

    def tune(self, model: "keras.Model", change: str) -> History:
        """Fine-tune a Keras 3 model in place."""
        import keras

        return fine_tune(
            model,
            self.data,
            keras=keras,
            epochs=self.epochs(change),
            learning_rate=self.rate(change),
            teach=self.teach,
            seed=self.variant.seed,
            advance=self.told_of(change),
        )[1]

    def told_of(self, change: str) -> Callable[[int, float], None]:
        """What is called after each epoch of a change."""
        return lambda epoch, loss: self.advance(change, epoch, self.epochs(change), loss)

    def keep(self, change: str, history: History, **more: Json) -> None:
        """Keep what is to be known of a change."""
        rows: list[Json] = [{name: round(value, 5) for name, value in row.items()} for row in history]
        self.facts[change] = more | {"learning_rate": self.rate(change), "history": rows}

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
        graph = _pruned(graph, work)
    if variant.cluster:
        graph = _clustered(graph, work)
    if variant.qat:
        return _rounded(graph, work)
    return Changed(build(graph, keras=keras), work.facts)


def _with_fewer_channels(model: "keras.Model", work: _Work) -> Graph:
    smaller, facts = without_channels(model, work.variant.channels, _some(work.data, _FOR_IMPORTANCE))
    history = work.tune(smaller, "channels")
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
    work.keep("teachers", work.tune(student, "teachers"))
    return graph_of(student)


def _pruned(graph: Graph, work: _Work) -> Graph:
    found = pruned(
        graph,
        work.variant.prune,
        work.data,
        teach=work.teach,
        epochs=work.epochs("prune"),
        learning_rate=work.rate("prune"),
        seed=work.variant.seed,
        advance=work.told_of("prune"),
    )
    work.keep(
        "prune",
        found.history,
        share=work.variant.prune,
        sparsity=dict(found.sparsity),
        left_dense=dict(found.left_dense),
        gzip_bytes_of_weights=[gzip_bytes(graph), gzip_bytes(found.graph)],
        saves=SAVES,
    )
    return found.graph


def _clustered(graph: Graph, work: _Work) -> Graph:
    found = clustered(
        graph,
        work.variant.cluster,
        work.data,
        teach=work.teach,
        epochs=work.epochs("cluster"),
        learning_rate=work.rate("cluster"),
        keep_zeros=work.variant.prune > 0,
        seed=work.variant.seed,
        advance=work.told_of("cluster"),
    )
    work.keep(
        "cluster",
        found.history,
        values=dict(found.values),
        left=dict(found.left),
        gzip_bytes_of_weights=[gzip_bytes(graph), gzip_bytes(found.graph)],
    )
    return found.graph


def _rounded(graph: Graph, work: _Work) -> Changed:
    import tf_keras

    variant = work.variant
    found = rounded(graph, _examples(work.data), keep_zeros=variant.prune > 0, keep_float=variant.keep_float)
    _, history = fine_tune(
        found.model,
        work.data,
        keras=tf_keras,
        epochs=work.epochs("qat"),
        learning_rate=work.rate("qat"),
        teach=work.teach,
        teach_share=TUNING["qat"].teach_share,
        seed=variant.seed,
        advance=work.told_of("qat"),
    )
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
