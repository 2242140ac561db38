"""One way to convert a model: what is done to the network before, and how its numbers are written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

Kind = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Target = Literal["pi", "coral", "mcu"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TARGETS: tuple[Target, ...] = get_args(Target)


@dataclass(frozen=True, slots=True)
class Variant:
    """What is asked for; the defaults change nothing."""

    name: str
    """Ends the name of its bundle, such as `channels-int8`."""
    kind: Kind = "int8"
    channels: float = 1.0
    """Share of the channels kept, above 0 to 1."""
    prune: float = 0.0
    """Share of the weights set to zero, 0 to below 1."""
    cluster: int = 0
    """Number of different weights a layer keeps; 0 for all."""
    qat: bool = False
    """Trained on with the rounding of int8 in view."""
    teachers: tuple[str, ...] = ()
    """Runs whose mean answer is learnt from; none for the unchanged float model."""
    epochs: int = 0
    """Of fine-tuning after each change; 0 for the default of the change."""
    keep_float: tuple[str, ...] = ()
    """Layers that are left in float."""
    target: Target = "pi"
    seed: int = 0

    @property
    def changes_weights(self) -> bool:
        """Whether training data is needed."""
        return self.channels < 1 or self.prune > 0 or self.cluster > 0 or self.qat or bool(self.teachers)


def asked_variants(kinds: Sequence[Kind], wanted: Variant) -> tuple[Variant, ...]:
    """A variant for each kind, changed as wanted; int8 where no kind was named."""
    return tuple(
        replace(wanted, kind=kind, name=variant_name(replace(wanted, kind=kind))) for kind in kinds or ("int8",)
    )


def variant_name(variant: Variant) -> str:
    """What was changed, and the kind, such as `channels-int8`."""
    words = (
        ("channels", variant.channels < 1),
        ("pruned", variant.prune > 0),
        ("clustered", variant.cluster > 0),
        ("distilled", bool(variant.teachers)),
        ("qat", variant.qat),
        ("kept", bool(variant.keep_float)),
        (variant.target, variant.target != "pi"),
    )
    return "-".join([*(word for word, holds in words if holds), variant.kind])
