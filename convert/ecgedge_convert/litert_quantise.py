"""From a float .tflite to another kind, with the optional ai-edge-quantizer: for models whose Keras file is lost."""

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from ecgedge.chatter import without_chatter
from ecgedge.errors import InputError
from ecgedge.extras import require
from ecgedge.records import FloatArray
from ecgedge_convert.bias_correction import with_corrected_biases
from ecgedge_convert.quantise import FEWEST, Representative
from ecgedge_convert.refused_ops import refusal
from ecgedge_convert.variant import Kind
from ecgedge_train.quiet import CHATTER

if TYPE_CHECKING:
    from ai_edge_quantizer import qtyping


def convert_tflite(model: bytes, kind: Kind, representative: Representative | None = None) -> bytes:
    """Another kind of a float32 .tflite; float32 passes through unchanged.

    Parameters
    ----------
    representative : tensor name of an input -> (n, ...) float32

    Raises
    ------
    MissingDependency
        ai-edge-quantizer is not installed.
    InputError
        It cannot make this kind, or representative data is missing or too little.
    """
    if kind == "float32":
        return model
    if kind == "float16":
        raise InputError("float16 of a .tflite: ai-edge-quantizer has none; convert the Keras model, or use --dynamic")
    require("ai_edge_quantizer")
    from ai_edge_quantizer import quantizer

    tool = quantizer.Quantizer(model, _recipe(kind))
    with without_chatter(*CHATTER), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            measured = tool.calibrate(_by_signature(model, representative)) if tool.need_calibration else None
            made = bytes(tool.quantize(measured, enable_progress_bar=False).quantized_model)
        except (ValueError, RuntimeError, NotImplementedError) as error:
            raise refusal(error, kind=kind) from error
    return made if representative is None else with_corrected_biases(model, made, representative)


def _recipe(kind: Kind) -> "qtyping.ModelQuantizationRecipe":
    from ai_edge_quantizer import recipe

    made = {"dynamic": recipe.dynamic_wi8_afp32, "int8": recipe.static_wi8_ai8, "int16x8": recipe.static_wi8_ai16}
    return made[kind]()


def _by_signature(model: bytes, representative: Representative | None) -> dict[str, list[dict[str, FloatArray]]]:
    """Representative data as the quantiser takes it: one input at a time, by the names of the model's signature."""
    n = 0 if representative is None else len(next(iter(representative.values())))
    if representative is None or n < FEWEST:
        raise InputError(f"{n} representative inputs; at least {FEWEST} are needed; raise N of --calibrate DATA:N")
    from ai_edge_litert.interpreter import Interpreter

    with without_chatter(b"INFO"):
        interpreter = Interpreter(model_content=model)
        signatures = interpreter.get_signature_list()
        if not signatures:
            raise InputError("the .tflite has no signature, which ai-edge-quantizer needs; convert the Keras model")
        key = next(iter(signatures))
        details = interpreter.get_signature_runner(key).get_input_details()
    own = {name: str(detail["name"]) for name, detail in details.items()}
    rows = [{name: representative[tensor][k : k + 1] for name, tensor in own.items()} for k in range(n)]
    return {key: rows}
