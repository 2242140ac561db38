"""A page bundle from picture to answer: small untrained models, converted for real; drawn pages, read for real."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge import NOTICE  # noqa: E402
from ecgedge.bundle import Bundle, write_bundle  # noqa: E402
from ecgedge.cli import ecgedge, run_command  # noqa: E402
from ecgedge.decide import Decision  # noqa: E402
from ecgedge.errors import BundleError, InputError  # noqa: E402
from ecgedge.golden import selftest  # noqa: E402
from ecgedge.labels import REPORT  # noqa: E402
from ecgedge.lead_arrays import LeadArraySettings  # noqa: E402
from ecgedge.page_engine import PageEngine  # noqa: E402
from ecgedge.page_images import PageImageSettings  # noqa: E402
from ecgedge.page_pipeline import PagePipeline  # noqa: E402
from ecgedge.page_reading import read_page  # noqa: E402
from ecgedge.paper.page import Picture, Pixels  # noqa: E402
from ecgedge.paper.simulated.drawing import DrawnPage, draw_page  # noqa: E402
from ecgedge.paper.simulated.page_style import like_ecg_images  # noqa: E402
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads  # noqa: E402
from ecgedge_convert.page_export import PageModelFacts, page_bundle  # noqa: E402
from ecgedge_convert.quantise import to_int8  # noqa: E402

LAYOUTS = ("3x4+1",)
LEADS = PagePipeline(LeadArraySettings(), LAYOUTS)
IMAGE = PagePipeline(PageImageSettings(112, 64), LAYOUTS)


def lead_model() -> "keras.Model":
    layers, spread = keras.layers, keras.initializers.RandomNormal(0, 3)
    leads, strip = layers.Input((12, 240, 2), name="leads"), layers.Input((1, 960, 2), name="strip")
    x = layers.MaxPool2D((1, 8))(layers.Conv2D(4, (1, 9), padding="same", activation="relu")(leads))
    maps = layers.Conv2D(4, 1, name="maps", kernel_initializer=spread)(layers.Permute((2, 1, 3))(x))
    z = layers.MaxPool2D((1, 16))(layers.Conv2D(4, (1, 9), padding="same", activation="relu")(strip))
    strip_maps = layers.Conv2D(4, 1, name="strip_maps", kernel_initializer=spread)(z)
    logits = layers.Add()([layers.GlobalAveragePooling2D()(maps), layers.GlobalAveragePooling2D()(strip_maps)])
    outputs = {"probabilities": layers.Softmax()(logits), "maps": maps, "strip_maps": strip_maps}
    return keras.Model({"leads": leads, "strip": strip}, outputs)


def image_model() -> "keras.Model":
    layers, spread = keras.layers, keras.initializers.RandomNormal(0, 5)
    page = layers.Input((64, 112, 1), name="page")
    x = layers.MaxPool2D(4)(layers.Conv2D(4, 5, padding="same", activation="relu")(page))
    maps = layers.Conv2D(4, 1, name="maps", kernel_initializer=spread)(x)
    logits = layers.GlobalAveragePooling2D()(maps)
    return keras.Model({"page": page}, {"probabilities": layers.Softmax()(logits), "maps": maps})


def bundle_of(model: "keras.Model", pipeline: PagePipeline, decision: Decision) -> Bundle:
    rng = np.random.default_rng(0)
    representative = {
        tensor.name: rng.uniform(-0.3, 0.8, (100, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs
    }
    shapes = {name: tuple(output.shape[1:]) for name, output in model.output.items()}
    facts = PageModelFacts("small", pipeline, decision, {"recipe": "untrained"}, shapes)
    return page_bundle(to_int8(model, representative), facts)


@dataclass(frozen=True)
class Bundles:
    leads: Bundle
    image: Bundle
    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.tflite"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("bundles")
    leads = write_bundle(bundle_of(lead_model(), LEADS, Decision(conformal_quantile=0.72)), folder / "leads.tflite")
    image = write_bundle(bundle_of(image_model(), IMAGE, Decision()), folder / "image.tflite")
    return Bundles(leads, image, folder)


def drawn(layout: str) -> DrawnPage:
    signals = simulate_twelve_leads(10.0, seed=3)
    return draw_page(signals, layout=layout, seed=3, style=like_ecg_images(3), px_per_mm=4.0)


KNOWN = Picture(drawn("3x4+1").pixels, "known.png")
OTHER = Picture(drawn("6x2").pixels, "other.png")


def nameless() -> Picture:
    """A page whose lead names are painted over: a page all the same, of no known layout."""
    page = drawn("3x4+1")
    pixels: Pixels = page.pixels.copy()
    for box in page.boxes:
        if box.kind == "name":
            left, top, right, bottom = (round(edge) for edge in box.box_px)
            pixels[top - 1 : bottom + 2, left - 1 : right + 2] = 252
    return Picture(pixels, "nameless.png")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for picture in (KNOWN, OTHER):
        cv2.imwrite(str(folder / picture.name), picture.pixels)
    (folder / "text.png").write_text("no picture")
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        code = run_command(ecgedge, [str(argument) for argument in arguments], program="ecgedge")
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_it


def test_maps_are_shares_of_the_answer(bundles: Bundles) -> None:
    for bundle, names in ((bundles.leads, {"maps", "strip_maps"}), (bundles.image, {"maps"})):
        answer = PageEngine(bundle).judge(KNOWN)
        assert set(answer.maps) == names
        logits = sum(np.asarray(values, float).mean(axis=(0, 1)) for values in answer.maps.values())
        odds = np.exp(logits - np.max(logits))
        assert list(answer.probabilities.values()) == pytest.approx(
            (odds / odds.sum()).tolist(), abs=0.1
        )  # the logits of small int8 maps


def test_an_answer_says_all_there_is_to_know(bundles: Bundles) -> None:
    answer = PageEngine(bundles.leads).judge(KNOWN)
    assert tuple(answer.probabilities) == REPORT.names
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert answer.label == max(answer.probabilities, key=answer.probabilities.__getitem__)
    likely = {name for name, value in answer.probabilities.items() if value >= 0.28}
    assert set(answer.prediction_set) == likely | {answer.label}
    assert (answer.name, answer.reason, answer.layout, answer.tested_layout) == ("known.png", "", "3x4+1", True)
    names = [stage.name for stage in answer.stages]
    assert names == ["find page", "quality", "read traces", "one page", "inputs", "model"]
    assert all(stage.seconds >= 0 for stage in answer.stages)


def test_a_batch_is_judged_as_its_pages_are_alone(bundles: Bundles) -> None:
    engine = PageEngine(bundles.leads)
    rng = np.random.default_rng(2)
    inputs = {
        "leads": rng.uniform(-1, 1, (3, 12, 240, 2)).astype(np.float32),
        "strip": rng.uniform(-1, 1, (3, 1, 960, 2)).astype(np.float32),
    }
    together = engine.probabilities(inputs)
    alone = [engine.probabilities({name: values[k : k + 1] for name, values in inputs.items()}) for k in range(3)]
    assert together.shape == (3, 4)
    assert np.array_equal(together, np.concatenate(alone))
    none = {name: values[:0] for name, values in inputs.items()}
    assert engine.probabilities(none).shape == (0, 4)


def test_another_layout_is_answered_only_when_asked_for(bundles: Bundles) -> None:
    engine = PageEngine(bundles.leads)
    refused = engine.judge(OTHER)
    assert (refused.label, refused.probabilities, refused.maps, refused.layout) == ("", {}, {}, "6x2")
    assert "layout 6x2 is not one the model was trained on (3x4+1)" in refused.reason
    answered = engine.judge(OTHER, any_layout=True)
    assert answered.label in REPORT.names and not answered.tested_layout


def test_a_layout_that_is_not_recognised_passes_only_where_curves_are_not_needed() -> None:
    picture = nameless()
    reading = read_page(picture, IMAGE, any_layout=True)
    assert (reading.traces, reading.layout) == (None, "")
    assert "layout not recognised" in reading.doubt
    for pipeline, any_layout in ((IMAGE, False), (LEADS, True)):
        with pytest.raises(InputError, match=r"nameless\.png: .*layout"):
            read_page(picture, pipeline, any_layout=any_layout)


def test_an_unsure_model_does_not_answer_but_says_what_it_saw(bundles: Bundles) -> None:
    decision = Decision(abstain_below=1.0).to_manifest()
    unsure = replace(bundles.image, manifest=replace(bundles.image.manifest, decision=decision))
    answer = PageEngine(unsure).judge(KNOWN)
    assert answer.label == "" and "too unsure" in answer.reason
    assert set(answer.probabilities) == set(answer.prediction_set) == set(REPORT.names)


def test_the_self_test_passes_here_and_fails_on_other_values(bundles: Bundles) -> None:
    for bundle in (bundles.leads, bundles.image):
        assert all(check.passed for check in selftest(bundle))
        assert len(bundle.golden_npz) < 60_000

    def spoilt(name: str, value: np.ndarray) -> list[str]:
        buffer = io.BytesIO()
        np.savez(buffer, **{**bundles.image.golden, name: value})
        return [
            check.name for check in selftest(replace(bundles.image, golden_npz=buffer.getvalue())) if not check.passed
        ]

    golden = bundles.image.golden
    assert spoilt("output:maps", golden["output:maps"].astype(np.int16) + 4) == ["model"]
    assert spoilt("answer", np.array("mi")) == ["answer"]
    (name,) = (key for key in golden if key.startswith("input:"))
    assert "reading and preprocessing" in spoilt(name, np.roll(golden[name], 9, axis=2))


def test_a_bundle_is_refused_by_the_wrong_engine(bundles: Bundles) -> None:
    from ecgedge.bundle import read_bundle
    from ecgedge.engine import BeatJudge

    with pytest.raises(BundleError, match="pages need one for 'page'"):
        PageEngine(read_bundle("beat"))
    with pytest.raises(BundleError, match="beats need one for 'beat'"):
        BeatJudge(bundles.leads)
    swapped = bundles.leads.manifest.outputs[:1] * 3
    with pytest.raises(BundleError, match=r"outputs .*, manifest says"):
        PageEngine(replace(bundles.leads, manifest=replace(bundles.leads.manifest, outputs=swapped)))


def test_predict_shows_the_answer_and_draws_the_page(bundles: Bundles, files: Path, run: Run, tmp_path: Path) -> None:
    place = tmp_path / "new" / "looked.png"
    code, out, err = run("predict", bundles.file("leads"), files / "known.png", "-o", place)
    assert (code, err) == (0, "")
    for words in (*REPORT.titles, "Cannot be excluded", "Layout 3x4+1", "Quality: sharpness", f"written: {place}"):
        assert words in out
    assert NOTICE in out
    assert cv2.imread(str(place)).shape[1] == 1600
    code, _, err = run("predict", bundles.file("leads"), files / "known.png", "-o", place)
    assert code == 1 and "is there already" in err
    assert run("predict", bundles.file("leads"), files / "known.png", "-o", place, "--overwrite")[0] == 0


def test_predict_several_tells_each_apart(bundles: Bundles, files: Path, run: Run) -> None:
    pictures = [files / name for name in ("known.png", "other.png", "text.png")]
    code, out, err = run("predict", bundles.file("image"), *pictures, "--json")
    found = json.loads(out)
    assert code == 1 and found["notice"] == NOTICE
    assert [(Path(one["picture"]).name, one["label"] is not None) for one in found["pictures"]] == [
        ("known.png", True),
        ("other.png", False),
    ]
    assert [Path(one["picture"]).name for one in found["refused"]] == ["other.png", "text.png"]
    assert len(err.splitlines()) == 2


def test_predict_marks_what_is_untested(bundles: Bundles, files: Path, run: Run) -> None:
    code, out, err = run("predict", bundles.file("image"), files / "other.png")
    assert code == 1 and "--any-layout" in err and "no answer" in out
    code, out, _ = run("predict", bundles.file("image"), files / "other.png", "--any-layout")
    assert code == 0 and "UNTESTED" in out


def test_predict_says_where_the_gain_is_assumed(bundles: Bundles, files: Path, run: Run, tmp_path: Path) -> None:
    bare = tmp_path / "bare.png"
    style = replace(like_ecg_images(3), pulse="none")
    page = draw_page(simulate_twelve_leads(10.0, seed=3), layout="3x4+1", seed=3, style=style, px_per_mm=4.0)
    cv2.imwrite(str(bare), page.pixels)
    for picture, gain_from in ((bare, "assumed"), (files / "known.png", "pulse")):
        _, out, _ = run("predict", bundles.file("leads"), picture, "--json")
        assert json.loads(out)["pictures"][0]["gain_from"] == gain_from
        _, out, _ = run("predict", bundles.file("leads"), picture)
        assert ("No calibration pulse was read: 10 mm/mV is assumed" in out) == (gain_from == "assumed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("text.png",), "text.png: "),
        (("nowhere.png",), "nowhere.png"),
        (("known.png", "--lead", "II"), "--lead is for beat bundles"),
        (("known.png", "-o", "picture.gif"), "picture.gif: .gif cannot be written"),
    ],
)
def test_predict_refuses_in_one_line(
    bundles: Bundles, files: Path, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run("predict", bundles.file("leads"), files / arguments[0], *arguments[1:])
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err


def test_info_describes_a_page_bundle(bundles: Bundles, run: Run) -> None:
    code, out, _ = run("info", bundles.file("leads"))
    assert code == 0
    for words in (
        "(page), verified",
        "history of MI",
        "maps",
        "layouts",
        "find_page -> quality -> read_traces -> lead_arrays",
    ):
        assert words in " ".join(out.split())
    assert "12-lead" in run("info", bundles.file("leads"), "--card")[1]
