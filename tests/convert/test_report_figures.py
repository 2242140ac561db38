"""What a report is counted from: intervals, differences, fronts, turns, names beside points, words, meters."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.bundle import read_bundle
from ecgedge.class_metrics import bootstrap_intervals, class_figures
from ecgedge.decide import Decision, prediction_set
from ecgedge.errors import InputError
from ecgedge.labels import REPORT
from ecgedge.latency import Latency
from ecgedge.manifest import Json
from ecgedge.sure_answers import set_coverage
from ecgedge_convert.report import wording
from ecgedge_convert.report.answers import Answers, alike, tallies
from ecgedge_convert.report.changes import calibration_of, changes_of
from ecgedge_convert.report.document import Cell, Chapter, Document, Part, Points, Table, Text
from ecgedge_convert.report.intervals import Figure, agreement, sample
from ecgedge_convert.report.kept import KeptAnswers, KeptLatencies
from ecgedge_convert.report.label_places import Box, places
from ecgedge_convert.report.markdown import markdown
from ecgedge_convert.report.page import page
from ecgedge_convert.report.pareto import front
from ecgedge_convert.report.published import published
from ecgedge_convert.report.scatter import Axes, Point, log_ticks, plain, scatter, ticks_of
from ecgedge_convert.report.shelf import common_start
from ecgedge_convert.report.speed import SpeedSettings, latency_of, processor, ratio


def answers(seed: int, n: int = 60, *, sure: float = 2.0, groups: int = 30) -> Answers:
    """Invented pages, two of each group, some without an answer; the truth hangs on no seed."""
    truth = np.arange(n) % 4
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (n, 4)) + sure * np.eye(4)[truth]
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    probabilities[::17] = np.nan
    best = np.where(np.isnan(probabilities[:, 0]), 4, np.nan_to_num(probabilities, nan=-1).argmax(axis=1))
    names = tuple(f"g{k % groups:02d}" for k in range(n))
    sets = prediction_set(np.nan_to_num(probabilities), Decision(conformal_quantile=0.8))
    return Answers(
        REPORT.names, (*REPORT.names, "-"), names, truth.astype(np.int64), best.astype(np.int64), probabilities, sets
    )


@pytest.mark.parametrize("sure", [0.0, 2.0, 30.0])
def test_pages_are_counted_as_class_metrics_counts(sure: float) -> None:
    given = answers(1, sure=sure)
    found, whole = sample(given), class_figures(given.probabilities, given.truth)
    limits = bootstrap_intervals(given.probabilities, given.truth, given.groups)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "ece"):
        figure = found.figure(name)
        assert figure.value == pytest.approx(whole.scalars()[name], abs=1e-9)
        assert (figure.low, figure.high) == pytest.approx(limits[name], abs=1e-9)
    assert tallies(given).confusion.sum(axis=0).tolist() == whole.confusion.tolist()


def test_sets_are_counted_as_evaluate_counts_them() -> None:
    given = answers(1)
    assert given.sets is not None
    there = np.isfinite(given.probabilities[:, 0])
    found, whole = sample(given), set_coverage(given.sets[there], given.truth[there])
    assert 0 < found.whole["covered"] < 1 and 1 < found.whole["set_size"] < 4
    assert (found.whole["covered"], found.whole["set_size"]) == pytest.approx((whole.coverage, whole.mean_size))
    assert found.whole["no_answer"] == pytest.approx(1 - there.mean()) and not there.all()
    low, high = found.figure("covered").low, found.figure("covered").high
    assert low < whole.coverage < high and high - low < 0.5
    without = replace(given, sets=None)
    assert "covered" not in sample(without).whole and sample(without).whole["ece"] == found.whole["ece"]


def test_a_share_of_one_keeps_room_for_doubt() -> None:
    given = answers(1, sure=30.0)
    right = np.isfinite(given.probabilities[:, 0])
    kept = Answers(
        given.rows,
        given.columns,
        ("a", "b", "c") * 20,
        given.truth,
        given.truth,
        np.eye(4, dtype=np.float32)[given.truth],
    )
    assert right.sum() < len(given)
    figure = sample(kept).figure("accuracy")
    assert (figure.value, figure.high) == (1.0, 1.0) and figure.low == pytest.approx(0.025 ** (1 / 3))
    assert agreement(kept, kept) == figure


def test_a_difference_is_narrower_than_its_parts() -> None:
    """Two models that differ on one page: their common luck falls out."""
    one = answers(3)
    called = one.called.copy()
    wrong = int(np.flatnonzero(called == one.truth)[0])
    called[wrong] = (called[wrong] + 1) % 4
    other = Answers(one.rows, one.columns, one.groups, one.truth, called, one.probabilities)
    whole, lost = sample(one), sample(other).minus(sample(one), "accuracy")
    assert lost.value == pytest.approx(-1 / 60) and lost.high <= 0 <= -lost.low
    assert lost.high - lost.low < 0.5 * (whole.figure("accuracy").high - whole.figure("accuracy").low)
    same = sample(one).minus(whole, "macro_f1")
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert agreement(one, other).value == pytest.approx(59 / 60)


def test_answers_for_other_items_are_not_compared() -> None:
    with pytest.raises(InputError, match=r"60 and 40 items that are not the same; .*--again"):
        alike(answers(1), answers(1, n=40))


def test_the_front_is_what_nothing_beats() -> None:
    cost = {"big": 4.0, "mid": 2.0, "dear": 3.0, "small": 1.0, "same": 2.0, "none": 1.0}
    worth = {"big": 0.9, "mid": 0.8, "dear": 0.7, "small": 0.5, "same": 0.8, "none": float("nan")}
    assert front(cost, worth) == ("small", "mid", "big")
    assert front({}, {}) == ()


@given(st.lists(st.tuples(st.floats(1, 9), st.floats(0, 1)), min_size=1, max_size=12))
def test_nothing_on_the_front_is_beaten_and_nothing_off_it_is_unbeaten(points: list[tuple[float, float]]) -> None:
    cost, worth = {str(k): x for k, (x, _) in enumerate(points)}, {str(k): y for k, (_, y) in enumerate(points)}
    members = front(cost, worth)
    for name in cost:
        better = [o for o in cost if cost[o] <= cost[name] and worth[o] >= worth[name] and o != name]
        strictly = [o for o in better if cost[o] < cost[name] or worth[o] > worth[name]]
        assert (name in members) <= (not strictly)
        assert strictly or better or name in members


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(80, 820), st.floats(40, 380)), min_size=1, max_size=9), st.integers(3, 16))
def test_names_never_lie_on_names_or_outside(points: list[tuple[float, float]], length: int) -> None:
    frame = Box(52, 26, 886, 394)
    boxes = [place.box for place in places(points, ["n" * length] * len(points), frame=frame, size=13)]
    assert all(box.outside(frame) < 1 for box in boxes)
    assert all(a.overlap(b) == 0 for k, a in enumerate(boxes) for b in boxes[k + 1 :])


def test_ticks_are_round_and_inside() -> None:
    assert ticks_of(0.71, 0.93) == [0.75, 0.8, 0.85, 0.9]
    assert log_ticks(9e4, 2.1e6, most=5) == [1e5, 2e5, 5e5, 1e6, 2e6]
    assert [plain(words) for words in ("1.00 MB", "80.0 %", "2.50 ms", "100 kB", "\N{MINUS SIGN}0.0", ".500")] == [
        "1 MB",
        "80 %",
        "2.5 ms",
        "100 kB",
        "\N{MINUS SIGN}0",
        ".5",
    ]


def test_a_plot_is_sound_xml_and_tells_what_it_shows() -> None:
    axes = Axes("size", "accuracy", wording.size, lambda share: f"{share:.2f}")
    points = [Point("a<b", 1e5, 0.8, 0.7, 0.9, kind="int8"), Point("c", 4e5, float("nan"), 0, 0, kind="float32")]
    others = [Point("theirs", 2e6, 0.95, float("nan"), float("nan"), kind="published")]
    drawn = scatter(points, ("a<b",), axes, title="t", caption="c", others=others)
    for picture in (drawn.wide, drawn.narrow):
        root = ElementTree.fromstring(picture)
        texts = [one.text for one in root.iter("text")]
        assert "a<b" in texts and "theirs" in texts and "c" not in texts
        assert "a<b: 100 kB, 0.80" in (root.findtext("desc") or "")
        assert "nan" not in picture


def latency(blocks: list[float]) -> Latency:
    return Latency(1, 1, 60, *([float(np.median(blocks))] * 6), per_s=1.0, blocks_ms=tuple(blocks))


def test_a_ratio_of_turns_does_not_see_the_drift_of_the_machine() -> None:
    drift = np.linspace(1, 3, 20)
    found = ratio(latency((2 * drift).tolist()), latency(drift.tolist()))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


def test_latency_is_measured_in_turns_and_kept(tmp_path: Path) -> None:
    models = {"one": read_bundle("beat").model, "two": read_bundle("page").model}
    settings = SpeedSettings(threads=(1, 2), seconds=0.02)
    kept, told = KeptLatencies(tmp_path), []
    found = latency_of(models, settings, kept=kept, advance=lambda what, done, all_: told.append((what, done, all_)))
    assert set(found) == {(name, threads) for name in models for threads in (1, 2)}
    assert all(one.n >= 20 and len(one.blocks_ms) == 20 and one.p50_ms <= one.p99_ms for one in found.values())
    assert found["one", 1].p50_ms < found["two", 1].p50_ms and told[-1] == ("threads", 2, 2)
    assert latency_of(models, settings, kept=kept, advance=lambda *_: None) == found
    again = KeptLatencies(tmp_path, again=True)
    assert latency_of(models, settings, kept=again, advance=lambda *_: None) != found
    fewer = latency_of({"one": models["one"]}, settings, kept=kept, advance=lambda *_: None)
    assert fewer["one", 1] != found["one", 1]


def test_kept_answers_come_back_whole(tmp_path: Path) -> None:
    kept, given = KeptAnswers(tmp_path), answers(1)
    assert kept.read("a" * 64) is None
    kept.write("a" * 64, given)
    found = kept.read("a" * 64)
    assert found is not None and sample(found).whole == sample(given).whole and found.groups == given.groups
    kept.write("c" * 64, replace(given, sets=None))
    assert (without := kept.read("c" * 64)) is not None and without.sets is None
    assert KeptAnswers(tmp_path, again=True).read("a" * 64) is None and kept.read("b" * 64) is None


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "pi").write_text("processor\t: 0\nModel\t\t: Raspberry Pi 5 Model B\n")
    (tmp_path / "pc").write_text("model name\t: Some CPU\nModel: no\n")
    assert processor(cpuinfo=tmp_path / "pi") == "Raspberry Pi 5 Model B"
    assert processor(cpuinfo=tmp_path / "pc") == "Some CPU"
    assert processor(cpuinfo=tmp_path / "none")


def test_changes_are_told_in_words() -> None:
    variant = {"channels": 0.5, "prune": 0.8, "cluster": 16, "qat": True, "teachers": ["a", "b"], "keep_float": ["x"]}
    assert changes_of({"conversion": {"variant": variant}}) == (
        "50 % of the channels kept",
        "taught by 2 other models",
        "80 % of the weights set to zero",
        "16 different weights a layer",
        "trained on with the rounding in view",
        "1 layer left in float",
    )
    assert changes_of({"conversion": {"variant": {"keep_float": ["x"]}}}) == ("1 layer left in float",)
    assert changes_of({"conversion": {"variant": {"name": "int8", "kind": "int8"}}}) == changes_of({}) == ()


def test_whose_calibration_it_has_is_told() -> None:
    pruned: dict[str, Json] = {"variant": {"prune": 0.5}}
    again: dict[str, Json] = {"of": "the changed network, as float", "temperature": [1.0, 1.2]}
    kept: dict[str, Json] = {"of": "the unchanged network", "why": "its run fitted none"}
    assert calibration_of({"conversion": pruned | {"decision": again}}) == "its own"
    assert calibration_of({"conversion": {"variant": {"keep_float": ["x"]}}}) == calibration_of({}) == "its own"
    for facts in (pruned | {"decision": kept}, pruned):
        assert calibration_of({"conversion": facts}) == "of the unchanged network"


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("accuracy", -0.0251, "\N{MINUS SIGN}2.5"),
        ("accuracy", 0.0, "0.0"),
        ("accuracy", -0.0002, "\N{MINUS SIGN}0.02"),
        ("jk", 0.0123, "+.012"),
        ("jk", -0.0004, "\N{MINUS SIGN}.0004"),
        ("jk", float("nan"), "-"),
    ],
)
def test_differences_never_lose_their_sign(measure: str, value: float, words: str) -> None:
    assert wording.difference(measure, value) == words


def test_numbers_are_read_easily() -> None:
    assert [wording.size(n) for n in (97, 61_400, 999_999, 1_622_676)] == ["97 B", "61.4 kB", "1000 kB", "1.62 MB"]
    assert [wording.duration(ms) for ms in (12.34, 0.0871)] == ["12.3 ms", "87.1 µs"]
    assert [wording.count(n) for n in (12, 30_033, 165_980_160)] == ["12", "30.0 k", "166 M"]
    assert wording.value("jk", 0.7734) == ".773" and wording.value("accuracy", 0.8742) == "87.4 %"
    assert wording.interval("accuracy", Figure(0.9, 0.812, 1.0)) == "81.2 to 100.0"
    assert [wording.value("agreement", share) for share in (1.0, 0.99995, 0.9996, 0.0)] == [
        "100.0 %",
        "99.995 %",
        "99.96 %",
        "0.0 %",
    ]
    assert wording.listed(["a", "b", "c"]) == "a, b and c" and wording.listed(["a"]) == "a"


def test_names_lose_only_whole_words_that_all_begin_with() -> None:
    assert common_start(["page-int8", "page-int16x8"]) == "page-"
    assert common_start(["a/x-float32", "a/x-int8"]) == "a/x-"
    assert common_start(["int8", "float32"]) == ""


def test_published_figures_have_a_source_a_protocol_and_a_figure() -> None:
    found = [*published("page"), *published("beat")]
    assert len({one.system for one in found}) == 5
    for one in found:
        assert one.source and one.protocol and one.data
        assert any(0 < one.value(name) < 1 for name in ("accuracy", "macro_f1", "balanced_accuracy"))


def test_a_report_needs_no_tensorflow() -> None:
    """What is only read and measured can be reported on a Raspberry Pi."""
    paths = [str(Path(__file__).parents[2] / folder) for folder in (".", "train", "convert")]
    code = (
        f"import sys; sys.path[:0] = {paths!r}; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'tf_keras')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import ecgedge_convert.report.report, ecgedge_convert.commands.report"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_what_others_wrote_stays_text() -> None:
    evil = "<script>|*x*</script>"
    table = Table(evil, (evil,), ((Cell(evil, evil, shade=0.5),),), note=evil)
    document = Document(
        evil, evil, evil, (Chapter(evil, "a", evil, (Part(evil, (table, Text(evil), Points((evil,)))),)),)
    )
    html, text = page(document), markdown(document)
    assert "<script>" not in html and html.count("&lt;script&gt;") >= 8
    assert "<script>" not in re.sub(r"\\<", "", text.split("\n", 4)[4])
