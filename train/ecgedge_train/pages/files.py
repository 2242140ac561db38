"""Files of a run, never half-written."""

import json
from pathlib import Path


def write_json(path: Path, content: object) -> None:
    """Indented JSON, written beside its place first."""
    made = path.with_suffix(".new")
    made.write_text(json.dumps(content, indent=1) + "\n")
    made.replace(path)
