"""Results as lines of JSON on standard output, for pipes. Knows nothing of who reads them."""

import json
import os
from collections.abc import Sequence
from typing import TextIO

from ecgedge_device.reporters import ReportError
from ecgedge_device.results import Result, as_plain


class StdoutReporter:
    """Writes one line per result; all are with the reader's end of the pipe when `send` returns.

    Parameters
    ----------
    stream : standard output, or another text stream; it stays open at `close`
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = ""

    def send(self, results: Sequence[Result]) -> None:
        """Write and flush; ASCII only, so that no locale can spoil it.

        Raises
        ------
        ReportError
            Nobody reads any more, or the disk behind it is full.
        """
        if self._gone:
            raise ReportError(self._gone)
        try:
            self._stream.write("".join(json.dumps(as_plain(result), allow_nan=False) + "\n" for result in results))
            self._stream.flush()
        except BrokenPipeError:
            self._gone = "standard output: nobody reads it any more; start the agent and its reader again"
            raise ReportError(self._gone) from None
        except OSError as error:
            raise ReportError(f"standard output: {error.strerror}; free some space or mend the disk") from None
        except ValueError:
            self._gone = "standard output: it is closed; start the agent with an open one"
            raise ReportError(self._gone) from None

    def close(self) -> None:
        """Leave the stream open; where its reader is gone, let what is left in it vanish without a complaint."""
        if not self._gone or self._stream.closed:
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, self._stream.fileno())
        except OSError:
            pass  # a stream without a file has nothing left to flush
        finally:
            os.close(nowhere)
