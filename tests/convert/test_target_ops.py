"""The table of ops that interpreters run, measured again with the interpreters themselves."""

import json
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import flatbuffers
import numpy as np
import pytest

from ecgedge_convert.tflite_file import tflite_schema

ROOT = Path(__file__).parents[2]
OLD_PYTHON = ROOT / ".venv-tflite" / "bin" / "python"
TABLE = tomllib.loads((files("ecgedge_convert.target") / "target_ops.toml").read_text())
OLD = """
import json, sys
from pathlib import Path
from tflite_runtime.interpreter import Interpreter, OpResolverType
kinds = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    name, version = path.stem.rsplit("-", 1)
    try:
        Interpreter(model_content=path.read_bytes(), experimental_op_resolver_type=kinds)
        found.setdefault(name, []).append(int(version))
    except ValueError as error:
        assert "find op" in str(error) or "out of range" in str(error), error
print(json.dumps(found))
"""
MICRO = """
import sys
from tflite_micro import runtime
for path in sys.argv[1:]:
    print("AT", path, file=sys.stderr, flush=True)
    try:
        runtime.Interpreter.from_bytes(open(path, "rb").read(), arena_size=1 << 16)
    except RuntimeError:
        pass
"""
NOT_OPS = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")
MOST_VERSIONS = 14


def one_op(code: int, version: int, *, used: bool) -> bytes:
    """A model that names one op, and perhaps uses it on one tensor."""
    schema = tflite_schema()
    kind = schema.OperatorCodeT()
    kind.builtinCode, kind.deprecatedBuiltinCode, kind.version = code, min(code, 127), version
    main = schema.SubGraphT()
    main.tensors, main.operators, main.inputs, main.outputs = [], [], [], []
    if used:
        for name in (b"in", b"out"):
            tensor = schema.TensorT()
            tensor.name, tensor.shape, tensor.type = name, np.array((1, 4, 4, 4), np.int32), schema.TensorType.INT8
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [0.1], [0]
            main.tensors.append(tensor)
        op = schema.OperatorT()
        op.inputs, op.outputs = np.array((0,), np.int32), np.array((1,), np.int32)
        main.operators, main.inputs, main.outputs = [op], op.inputs, op.outputs
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [kind], [main], [schema.BufferT()]
    builder = flatbuffers.Builder(512)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def builtin_ops() -> dict[str, int]:
    ops = vars(tflite_schema().BuiltinOperator)
    return {name: code for name, code in ops.items() if isinstance(code, int) and name not in NOT_OPS}


def test_tflite_runtime_runs_these_versions(tmp_path: Path) -> None:
    if not OLD_PYTHON.exists():
        pytest.skip("no .venv-tflite here; `make test` builds it on Python 3.11, the last that tflite-runtime has")
    for name, code in builtin_ops().items():
        for version in range(1, MOST_VERSIONS + 1):
            (tmp_path / f"{name}-{version}.tflite").write_bytes(one_op(code, version, used=False))
    done = subprocess.run([OLD_PYTHON, "-c", OLD, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = {name: max(versions) for name, versions in json.loads(done.stdout).items()}
    assert found == {name: int(version) for version, names in TABLE["pi"].items() for name in names}


def test_tflite_micro_has_these_kernels(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="the workshop's extra [mcu] is not installed")
    for name, code in builtin_ops().items():
        (tmp_path / f"{name}.tflite").write_bytes(one_op(code, 1, used=True))
    assert _kernels(sorted(tmp_path.iterdir())) == set(TABLE["mcu"]["ops"])


def _kernels(models: list[Path]) -> set[str]:
    """Ops that it does not name as missing. A kernel may end the process on such a model: go on behind it."""
    has: dict[str, bool] = {}
    while models:
        done = subprocess.run([sys.executable, "-c", MICRO, *models], capture_output=True, text=True, timeout=300)
        seen = 0
        for line in done.stderr.splitlines():
            if line.startswith("AT "):
                seen, current = seen + 1, Path(line[3:]).stem
                has[current] = True
            elif "Didn't find op" in line:
                has[current] = False
        assert seen, done.stderr
        models = models[seen:]
    return {name for name, there in has.items() if there}
