"""Which of several models are not beaten: none is at least as good and as cheap, and better in one of the two."""

from collections.abc import Mapping


def front(cost: Mapping[str, float], worth: Mapping[str, float]) -> tuple[str, ...]:
    """Names on the Pareto front, the cheapest first.

    Parameters
    ----------
    cost : name -> bytes or milliseconds; less is better
    worth : name -> accuracy or the like; more is better. Names that are not in both, or are NaN, are left out.
    """
    there = [name for name in cost if name in worth and cost[name] == cost[name] and worth[name] == worth[name]]
    best, found = float("-inf"), []
    for name in sorted(there, key=lambda one: (cost[one], -worth[one], one)):
        if worth[name] > best:
            best = worth[name]
            found.append(name)
    return tuple(found)
