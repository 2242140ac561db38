"""Log lines for journald and people: key=value, or JSON. No patient data: ids and sources, never names of files."""

import json
import logging
import sys
import traceback

from ecgedge_device.clock import iso_utc
from ecgedge_device.settings import LogFormat

log = logging.getLogger("ecgedge_device")
"""Events are given as a few words, everything else in `extra`."""
_OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


class _Lines(logging.Formatter):
    def __init__(self, how: LogFormat) -> None:
        super().__init__()
        self._how = how

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": iso_utc(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info and record.exc_info[1] is not None:
            entry["where"] = " < ".join(
                f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(record.exc_info[2])[-6:])
            )
            entry["error"] = type(record.exc_info[1]).__name__
        if self._how == "json":
            return json.dumps(entry, default=str)
        return " ".join(f"{key}={_quoted(value)}" for key, value in entry.items())


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' ="\n') else text


def start_log(how: LogFormat, *, quiet: bool = False) -> None:
    """Send log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(how))
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.ERROR if quiet else logging.INFO)
