"""Which extra brings which package, for one-line answers where it is not installed."""

import importlib.util
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from ecgedge.errors import MissingDependency
from ecgedge.manifest import Json

_EXTRA_OF_MODULE = {
    "tensorflow": "convert",
    "tf_keras": "convert",
    "tensorflow_model_optimization": "convert",
    "flatbuffers": "convert",
    "tflite_micro": "mcu",
    "ai_edge_quantizer": "quantizer",
    "onnxruntime": "bench",
    "tf2onnx": "bench",
    "keras": "train",
    "matplotlib": "train",
    "pooch": "data",
    "requests": "data",
    "watchdog": "device",
    "serial": "device",
    "paho": "device",
    "starlette": "device",
    "uvicorn": "device",
    "jinja2": "device",
    "argon2": "device",
    "reportlab": "device",
    "gpiozero": "gpio",
}


def require(module: str) -> None:
    """Refuse early, before any work is done, where a package of an extra is missing.

    Raises
    ------
    MissingDependency
        The message gives the pip line.
    """
    if not installed(module):
        raise MissingDependency(_sentence(module))


def installed(module: str) -> bool:
    """Whether a module is there, without importing it."""
    return importlib.util.find_spec(module) is not None


def versions(names: Iterable[str]) -> dict[str, Json]:
    """Versions of Python and of those packages that are installed, for a manifest."""
    found: dict[str, Json] = {"python": platform.python_version()}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def missing_extra(error: ModuleNotFoundError) -> MissingDependency:
    """Name the extra that brings the module; any other missing module is a fault of ours and is raised again."""
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRA_OF_MODULE:
        raise error
    return MissingDependency(_sentence(module))


def _sentence(module: str) -> str:
    return f"{module} is not installed; run: pip install 'ecgedge[{_EXTRA_OF_MODULE[module]}]'"
