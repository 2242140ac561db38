"""Models with random weights, float32 and int8, and as ONNX: what a kernel takes does not depend on the weights.

    python benchmarks/build_models.py FOLDER      builds what is missing in the folder; some two minutes

The benchmarks start this as a process of its own, so that TensorFlow is not in the process that is measured, and keep
the folder (benchmarks/results/models, named after the code and the versions that made it). Batch norms have seen random
inputs, so that signals neither die out nor grow through the layers. `-half` is the same with half of its channels taken
out of every block, by the code behind `ecgedge convert --channels`. ONNX comes from the float32 .tflite through
tf2onnx, which is optional; where it is missing or cannot, a .txt says why.
"""

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

ROOT = Path(__file__).parents[1]
_SOURCES = (
    "benchmarks/build_models.py",
    "train/ecgedge_train/models",
    "convert/ecgedge_convert/quantise.py",
    *(
        f"convert/ecgedge_convert/changing/{name}.py"
        for name in ("channels", "channel_map", "fusion", "graph", "kernel_shapes", "widths")
    ),
)
_CALIBRATION, _NORM_BATCH = 100, 4
_IMAGE = {"page": (160, 288, 1)}
"""Input of the recipes page-image-custom and page-image-mobilenet."""
_LEADS = {"leads": (12, 240, 2), "strip": (1, 960, 2)}
"""Input of the recipe page."""
_FAMILIES: Mapping[str, tuple[str, Mapping[str, tuple[int, ...]], Mapping[str, float]]] = {
    "custom-cnn": ("custom_cnn", _IMAGE, {}),
    "mobilenet": ("mobilenet", _IMAGE, {"width": 0.35}),
    "page": ("lead_cnn", _LEADS, {}),
}
_BEAT = (("beat_mlp", "beat_mlp", "beat_mlp", "beat_cnn"), 49, 96)
"""Members of the recipe beat, features, window."""
WHOLE = (*_FAMILIES, "beat")
_HALF = "-half"
NAMES = tuple(f"{name}{half}" for name in WHOLE for half in ("", _HALF))


def built_models(cache: Path) -> Path:
    """A folder with all models; they are built where they are not there.

    Raises
    ------
    RuntimeError
        They cannot be built; the last line says why.
    """
    folder = cache / _fingerprint()
    if not all((folder / f"{name}.{kind}.tflite").exists() for name in NAMES for kind in ("float32", "int8")):
        paths = os.pathsep.join(str(ROOT / part) for part in (".", "train", "convert"))
        found = subprocess.run(
            [sys.executable, __file__, str(folder)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
            check=False,
        )
        if found.returncode != 0:
            raise RuntimeError((found.stderr.strip().splitlines() or ["no reason given"])[-1])
        for old in cache.iterdir():
            if old != folder:
                shutil.rmtree(old)
    return folder


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = ROOT / source
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    for package in ("tensorflow", "keras", "tf2onnx"):
        digest.update(f"{package} {_version(package)}".encode())
    return digest.hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _model(name: str) -> "keras.Model":
    if name.endswith(_HALF):
        from ecgedge_convert.changing.channels import without_channels

        return without_channels(_model(name.removesuffix(_HALF)), 0.5, kind="norms", plan="uniform")[0]
    import keras

    from ecgedge_train.models import build_model
    from ecgedge_train.models.page_models import page_model

    keras.utils.set_random_seed(0)
    if name == "beat":
        return build_model(*_BEAT, keras=keras)
    family, shapes, options = _FAMILIES[name]
    return page_model(family)(shapes, options, keras=keras)


def _build(name: str, folder: Path) -> None:
    import numpy as np

    from ecgedge_convert.quantise import to_float32, to_int8

    model, rng = _model(name), np.random.default_rng(0)
    shapes = {tensor.name: (_CALIBRATION, *tensor.shape[1:]) for tensor in model.inputs}
    calibration = {key: rng.uniform(0, 1, shape).astype(np.float32) for key, shape in shapes.items()}
    for start in range(0, _CALIBRATION, _NORM_BATCH):
        model({key: values[start : start + _NORM_BATCH] for key, values in calibration.items()}, training=True)
    (folder / f"{name}.float32.tflite").write_bytes(to_float32(model))
    (folder / f"{name}.int8.tflite").write_bytes(to_int8(model, calibration))
    if name in WHOLE:
        _as_onnx(folder / f"{name}.float32.tflite", folder / f"{name}.onnx")


def _as_onnx(tflite: Path, onnx: Path) -> None:
    try:
        convert = importlib.import_module("tf2onnx.convert")
    except ImportError as error:
        onnx.with_suffix(".txt").write_text(f"tf2onnx is not installed ({error})\n")
        return
    try:
        convert.from_tflite(str(tflite), opset=17, output_path=str(onnx))
    except Exception as error:  # whatever it refuses is what is to be said
        onnx.with_suffix(".txt").write_text(f"tf2onnx {_version('tf2onnx')} cannot convert it: {error!r}\n")


def main() -> None:
    """Build into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        _build(name, folder)


if __name__ == "__main__":
    main()
