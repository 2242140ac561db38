"""OpenCV 4.6, which apt has for a 32-bit Pi, is one module without `cv2.typing`: nothing may need that at run time."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules["cv2.typing"] = None  # as where it is not there
import ecgedge
for found in pkgutil.walk_packages(ecgedge.__path__, "ecgedge."):
    importlib.import_module(found.name)
print(len([name for name in sys.modules if name.startswith("ecgedge.")]))
"""


def test_every_module_of_the_core_is_imported_without_cv2_typing() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _IMPORT_ALL]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) > 50
