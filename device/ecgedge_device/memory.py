"""Memory given back to the system: glibc keeps what a photo took, in an arena for each thread, unless it is asked."""

import ctypes
from functools import cache

_M_ARENA_MAX, _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -8, -1, -3
_ARENAS = 2
_LARGE_BYTES = 1 << 20
"""From this size on a block is taken from the system by itself, and given back when it is freed."""


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except OSError:
        return None


def limit_arenas() -> bool:
    """Tell glibc at the start to be thrifty; whether there is a glibc to tell."""
    library = _glibc()
    if library is None:
        return False
    library.mallopt(_M_ARENA_MAX, _ARENAS)
    library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    library.mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
    return True


def give_back() -> None:
    """Return what is free to the system, after work that took much."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
