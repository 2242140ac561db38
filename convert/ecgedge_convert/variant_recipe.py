"""Variants from a TOML file: `[[variant]]` tables with the fields of `Variant`."""

import tomllib
from pathlib import Path
from typing import cast

from ecgedge.errors import SettingsError
from ecgedge.manifest import Json
from ecgedge.plain import from_plain
from ecgedge_convert.variant import Variant


def read_variants(path: Path) -> tuple[Variant, ...]:
    """The variants of a recipe, in its order.

    Raises
    ------
    SettingsError
        The file cannot be read, names no variant or one twice, or a key or value is wrong.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path}: no recipe of variants can be read from it ({reason})") from None
    tables = content.pop("variant", None)
    if content or not isinstance(tables, list) or not tables:
        extra = f"; {', '.join(content)} does not belong there" if content else ""
        raise SettingsError(f"{path}: it must hold [[variant]] tables and nothing else{extra}; see variants.toml")
    variants = tuple(_variant(table, path) for table in tables)
    names = [variant.name for variant in variants]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"{path}: two variants are called {twice[0]}; their bundles would overwrite each other")
    return variants


def _variant(table: object, path: Path) -> Variant:
    try:
        raw = cast(dict[str, Json], table)
        variant = from_plain(Variant, raw, where=f"{path}: variant {raw.get('name', '')}", defaults=True)
    except (ValueError, AttributeError) as error:
        raise SettingsError(str(error)) from None
    require_sense(variant)
    return variant


def require_sense(variant: Variant) -> None:
    """Refuse values that no change can be made with.

    Raises
    ------
    SettingsError
        A share or number beyond its limits, or a name that is no file name.
    """
    limits = (
        (0 < variant.channels <= 1, f"channels {variant.channels:g}; the share kept is above 0 and at most 1"),
        (0 <= variant.prune < 1, f"prune {variant.prune:g}; the share set to zero is from 0 to below 1"),
        (variant.cluster == 0 or variant.cluster >= 2, f"cluster {variant.cluster}; 2 or more weights, or 0 for all"),
        (variant.epochs >= 0, f"epochs {variant.epochs}; 0 or more"),
        (variant.name == Path(variant.name).name != "", f"name {variant.name!r} is no file name"),
        (not variant.qat or variant.kind == "int8", f"qat with {variant.kind}; training for int8 needs int8"),
        (
            not variant.keep_float or variant.kind == "int8",
            f"keep_float with {variant.kind}; only int8 has layers to keep",
        ),
    )
    for good, said in limits:
        if not good:
            raise SettingsError(f"variant {variant.name}: {said}")
