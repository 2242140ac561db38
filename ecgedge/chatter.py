"""Keeps notes that C++ libraries write straight to stderr off the screen; whatever else they say is passed on."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_chatter(*prefixes: bytes) -> Iterator[None]:
    """Hold back the lines that begin so, from Python and from C++ alike, until the end of the block.

    Whatever else was written comes out then, in its order, also after an error.
    """
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if not line.startswith(prefixes)))
