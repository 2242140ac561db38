"""A converted bundle finished for a target: what is written and said, and what is refused without a trace."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ecgedge.bundle import read_bundle
from ecgedge.errors import BundleError
from ecgedge.extras import installed
from ecgedge.runtime import Model
from ecgedge_convert.target.finish import finish
from ecgedge_convert.tflite_graph import graph_facts
from tests.convert.small_models import repeating_model

MICRO = installed("tflite_micro")


def test_pi_writes_nothing_and_refuses_nothing_that_is_shipped(tmp_path: Path) -> None:
    for name in ("beat", "page", "page-image"):
        report = finish(read_bundle(name), "pi", tmp_path / f"{name}.tflite")
        assert report.refused == () and "tflite-runtime 2.14" in report.lines()[0]
    assert list(tmp_path.iterdir()) == []


def test_coral_gets_a_model_to_compile(tmp_path: Path) -> None:
    bundle = replace(read_bundle("beat"), model=repeating_model())
    report = finish(bundle, "coral", tmp_path / "my.tflite")
    assert report.files == (tmp_path / "my-batch1.tflite",)
    model = report.files[0].read_bytes()
    assert graph_facts(model) == report.facts
    assert Model(model).inputs[0].shape == Model(bundle.model).inputs[0].shape
    text = "\n".join(report.lines())
    assert re.search(r"op \d TILE is not in the Edge TPU's table of operations", text)
    assert "would run on the CPU" in text and "last word" in text


def test_mcu_gets_an_array(tmp_path: Path) -> None:
    report = finish(read_bundle("beat"), "mcu", tmp_path / "my-beat.tflite")
    assert [path.name for path in report.files] == ["my_beat.h", "my_beat.c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_beat.c", "my_beat.h"]
    header = report.files[0].read_text()
    assert f"#define MY_BEAT_MODEL_BYTES {report.facts.model_bytes}\n" in header
    assert report.facts.model_bytes < report.flash_bytes < report.facts.model_bytes + 3000
    text = "\n".join(report.lines())
    assert f"flash {report.flash_bytes} bytes" in text
    if MICRO:
        assert report.micro is not None and f"arena {report.micro.arena_bytes} bytes" in text
        assert f"#define MY_BEAT_ARENA_BYTES {report.micro.arena_bytes}\n" in header
        assert "golden inputs bit-equal with LiteRT's reference kernels" in text
    else:
        assert "pip install 'ecgedge[mcu]'" in text


def test_mcu_is_the_same_again(tmp_path: Path) -> None:
    first, second = (finish(read_bundle("beat"), "mcu", tmp_path / folder / "b.tflite") for folder in ("x", "y"))
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_an_op_that_no_microcontroller_has_is_named_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"my\.tflite: not for mcu: TILE, op \d, has no kernel"):
        finish(replace(read_bundle("beat"), model=repeating_model()), "mcu", tmp_path / "my.tflite")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_and_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "beat.c").mkdir()
    (tmp_path / "beat.c" / "inside").touch()
    with pytest.raises(BundleError, match="cannot be written"):
        finish(read_bundle("beat"), "mcu", tmp_path / "beat.tflite")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]
    with pytest.raises(BundleError, match="cannot be written"):
        finish(read_bundle("beat"), "coral", Path(os.devnull) / "beat.tflite")
