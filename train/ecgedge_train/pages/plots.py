"""Pictures of a run: learning curves, confusion matrix, ROC, reliability diagram, accuracy against coverage."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgedge.class_metrics import ECE_BINS, NO_ANSWER, class_figures
from ecgedge.decide import Decision, decide
from ecgedge.labels import REPORT
from ecgedge.records import IntArray
from ecgedge.sure_answers import abstention_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating]
Rows = Sequence[Mapping[str, float]]

_DPI = 120
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe & Ito: told apart by colour-blind readers too


def draw_history(history: Mapping[str, Rows], path: Path) -> None:
    """Loss of each network over its epochs; on pages held back it is dashed, in the colour of the network."""
    figure, axes = _figure(1)
    for number, (name, rows) in enumerate(history.items()):
        colour = f"C{number % 10}"
        epochs = [row["epoch"] for row in rows]
        axes[0].plot(epochs, [row["loss"] for row in rows], color=colour, label=name, linewidth=1)
        if rows and "held_back_loss" in rows[0]:
            axes[0].plot(epochs, [row["held_back_loss"] for row in rows], color=colour, linestyle="--", linewidth=1)
    axes[0].set(xlabel="epoch", ylabel="loss (dashed: pages held back)")
    axes[0].legend(fontsize=7, ncols=1 + len(history) // 8)
    figure.savefig(path, dpi=_DPI)


def draw_confusion(probabilities: Array, truth: IntArray, path: Path) -> None:
    """Counts, shaded by the share of their row; the last column is no answer."""
    figure, axes = _figure(1)
    counts = class_figures(probabilities, truth).confusion
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes[0].imshow(share, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "black" if share[row, column] > 0.5 else "white"
        axes[0].text(column, row, str(count), ha="center", va="center", color=colour)
    axes[0].set_xticks(range(counts.shape[1]), [*REPORT.names, NO_ANSWER])
    axes[0].set_yticks(range(len(REPORT.names)), REPORT.names)
    axes[0].set(xlabel="called", ylabel="truth")
    figure.savefig(path, dpi=_DPI)


def draw_roc(probabilities: Array, truth: IntArray, path: Path) -> None:
    """Sensitivity against false alarms of each class against the rest."""
    figure, axes = _figure(1)
    answered = np.isfinite(probabilities).all(axis=1)
    areas = class_figures(probabilities, truth).roc_auc
    for index, name in enumerate(REPORT.names):
        false_alarms, sensitivity = _roc(probabilities[answered, index], truth[answered] == index)
        axes[0].plot(false_alarms, sensitivity, color=_COLOURS[index], label=f"{name}, area {areas[name]:.3f}")
    axes[0].plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes[0].set(xlabel="false alarms", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes[0].legend(loc="lower right")
    figure.savefig(path, dpi=_DPI)


def draw_reliability(probabilities: Array, truth: IntArray, decision: Decision | None, path: Path) -> None:
    """Confidence against accuracy: as they are, and with a decision also after its temperature, beside it."""
    answered = np.isfinite(probabilities).all(axis=1)
    raw, right = probabilities[answered].astype(np.float32), truth[answered]
    shown = {"as the model says" if decision else "calibrated": raw}
    if decision is not None:
        shown[f"temperature {decision.temperature:.2f}"] = decide(raw, decision)[1]
    figure, axes = _figure(len(shown))
    for one, (title, values) in zip(axes, shown.items(), strict=True):
        _reliability(one, values, right, title)
    figure.savefig(path, dpi=_DPI)


def draw_abstention(probabilities: Array, truth: IntArray, path: Path) -> None:
    """Accuracy of the answers against the share of pages that are answered, unsure ones left out first."""
    figure, axes = _figure(1)
    curve = abstention_curve(probabilities, truth)
    axes[0].plot(curve.coverage, curve.accuracy, color=_COLOURS[0], drawstyle="steps-post")
    lowest = min(0.8, float(curve.accuracy.min(initial=1.0)))
    axes[0].set(xlabel="share of pages answered", ylabel="accuracy of the answers", xlim=(0, 1.01), ylim=(lowest, 1.01))
    axes[0].grid(color="0.9")
    figure.savefig(path, dpi=_DPI)


def draw_lines(lines: Mapping[str, tuple[Array, Array]], labels: tuple[str, str], path: Path) -> None:
    """Named lines, (x, y) each, in one picture; `labels` are those of the axes."""
    figure, axes = _figure(1)
    for number, (name, (x, y)) in enumerate(lines.items()):
        axes[0].plot(x, y, color=_COLOURS[number % 4], linestyle="-" if number < 4 else "--", label=name)
    axes[0].set(xlabel=labels[0], ylabel=labels[1], ylim=(0, 1.02))
    axes[0].legend()
    figure.savefig(path, dpi=_DPI)


def _figure(columns: int) -> tuple["Figure", list["Axes"]]:
    """A figure that needs no display and leaves no state behind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6 if columns == 1 else 9, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, number + 1) for number in range(columns)]


def _roc(scores: Array, positive: NDArray[np.bool_]) -> tuple[Array, Array]:
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    hits, alarms = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    return np.append(0, alarms / max(1, alarms[-1])), np.append(0, hits / max(1, hits[-1]))


def _reliability(axes: "Axes", probabilities: NDArray[np.float32], truth: IntArray, title: str) -> None:
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(top * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    used = counts > 0
    confidence = np.bincount(bins, top, ECE_BINS)[used] / counts[used]
    accuracy = np.bincount(bins, right, ECE_BINS)[used] / counts[used]
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.scatter(confidence, accuracy, s=6 + 2 * counts[used], color=_COLOURS[0], alpha=0.7)
    gap = float(np.abs(np.bincount(bins, top - right, ECE_BINS)).sum() / max(1, len(truth)))
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_title(f"{title}: ECE {gap:.3f}; area of a dot: pages", fontsize=9)
