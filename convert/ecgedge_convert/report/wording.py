"""Numbers as people read them: shares, points, bytes, times, counts, each with its interval."""

from math import isfinite, log10

from ecgedge_convert.report.intervals import Figure

NONE = "-"
"""Stands where nothing could be counted."""
TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "ece": "ECE",
    "jk": "jk",
    "SVEB Se": "SVEB Se",
    "SVEB PPV": "SVEB PPV",
    "VEB Se": "VEB Se",
    "VEB PPV": "VEB PPV",
}
"""Name of a figure -> as it is written."""
_NOTHING, _MOST_PLACES = 1e-9, 5
_MINUS = "\N{MINUS SIGN}"
_IN_PERCENT = frozenset(TITLES) - {"jk", "ece"} | {"agreement", "covered", "no_answer"}


def in_percent(measure: str) -> bool:
    """Whether a figure is written in percent, its differences in points."""
    return measure in _IN_PERCENT or measure.startswith("recall")


def value(measure: str, figure: float) -> str:
    """A figure alone: `87.4 %`, or `.773` for those that are no share."""
    if not isfinite(figure):
        return NONE
    return f"{_percent(figure)} %" if in_percent(measure) else _plain(figure)


def interval(measure: str, figure: Figure) -> str:
    """Its interval: `81.2 to 92.1`."""
    if not (isfinite(figure.low) and isfinite(figure.high)):
        return ""
    if in_percent(measure):
        return f"{_percent(figure.low)} to {_percent(figure.high)}"
    return f"{_plain(figure.low)} to {_plain(figure.high)}"


def difference(measure: str, figure: float) -> str:
    """A difference with its sign: `+0.4` points, or `-.012`."""
    if not isfinite(figure):
        return NONE
    size_of, places = (abs(100 * figure), 1) if in_percent(measure) else (abs(figure), 3)
    text = f"{size_of:.{places}f}"
    while size_of > _NOTHING and float(text) == 0:  # a bound close to 0 lies on one side of it: say on which
        places += 1
        text = f"{size_of:.{places}f}"
    text = text if in_percent(measure) or size_of >= 1 else text.removeprefix("0")
    if float(text) == 0:
        return text
    return f"{_MINUS if figure < 0 else '+'}{text}"


def difference_interval(measure: str, figure: Figure) -> str:
    """The interval of a difference: `-2.1 to +1.0`."""
    if not (isfinite(figure.low) and isfinite(figure.high)):
        return ""
    return f"{difference(measure, figure.low)} to {difference(measure, figure.high)}"


def unit(measure: str) -> str:
    """What differences of a figure are in, with a space before it where there is one."""
    return " points" if in_percent(measure) else ""


def _percent(share: float) -> str:
    """One place after the point; more where a share that is not 0 or 1 would be written as if it were."""
    places = 1
    while places < _MOST_PLACES and 0 < share < 1 and float(f"{100 * share:.{places}f}") in (0.0, 100.0):
        places += 1
    return f"{100 * share:.{places}f}"


def _plain(figure: float) -> str:
    return f"{figure:.3f}".replace("0.", ".", 1) if abs(figure) < 1 else f"{figure:.3f}"


def size(n_bytes: float) -> str:
    """`97 B`, `61.4 kB`, `1.62 MB`; a kilobyte is 1000 bytes."""
    for limit, name in ((1e6, "MB"), (1e3, "kB")):
        if n_bytes >= limit:
            return f"{significant(n_bytes / limit)} {name}"
    return f"{n_bytes:.0f} B"


def count(number: float) -> str:
    """`129 k`, `166 M`."""
    for limit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{significant(number / limit)} {name}"
    return f"{number:.0f}"


def duration(ms: float) -> str:
    """`12.3 ms`, `87.1 \N{MICRO SIGN}s`."""
    return f"{significant(ms)} ms" if ms >= 1 else f"{significant(1000 * ms)} \N{MICRO SIGN}s"


def times(factor: float) -> str:
    """`0.27x`."""
    return f"{factor:.2f}x" if isfinite(factor) else NONE


def times_interval(figure: Figure) -> str:
    """`0.26 to 0.28`."""
    return f"{figure.low:.2f} to {figure.high:.2f}"


def significant(number: float, digits: int = 3) -> str:
    """So many digits that count, without an exponent."""
    if number == 0 or not isfinite(number):
        return "0" if number == 0 else NONE
    places = max(0, digits - 1 - int(log10(abs(number)) // 1))
    return f"{number:.{places}f}"


def listed(names: list[str] | tuple[str, ...]) -> str:
    """`a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def threads_words(number: int) -> str:
    """`1 thread`, `2 threads`."""
    return f"{number} thread{'s' if number > 1 else ''}"


def capital(words: str) -> str:
    """With a capital letter at its start; jk, a symbol, stays as it is."""
    return words if words.startswith("jk") else words[:1].upper() + words[1:]
