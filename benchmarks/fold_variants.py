"""One fold of a cross-validation converted in one way after another, and judged on the pages that it had not seen.

What a variant said is kept beside its bundle, and taken from there as long as model and variant are the same.
"""

import hashlib
import re
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ecgedge.bundle import Bundle, read_bundle, write_bundle
from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge.page_engine import PageEngine
from ecgedge_convert.calibration import calibration_of
from ecgedge_convert.conversion import Workbench, convert_variant
from ecgedge_convert.page_export import PageModelFacts
from ecgedge_convert.source import Source, read_source
from ecgedge_convert.variant import Variant
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.judged import JudgedPages, judge_pages, judged_arrays, judged_from
from ecgedge_train.pages.protocols import PROTOCOLS, deal
from ecgedge_train.pages.workshop import PageData

FOLD = re.compile(r"(?P<protocol>.+)-(?P<k>\d+)-s(?P<seed>\d+)-f(?P<fold>\d+)")
"""How the folder of a fold is called."""


class FoldVariants:
    """One fold: its run, and its held-out pages, which are read when the first answer is missing."""

    def __init__(self, run: Path, out: Path, root: Path | None) -> None:
        self._run, self.out, self._root = run, out, root
        try:
            self._model_sha256 = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
        except OSError:
            raise InputError(f"{run}: no model.keras; its training has not ended, run ecgedge crossval again") from None
        self._bench: Workbench | None = None
        self._pages: PageData | None = None
        out.mkdir(parents=True, exist_ok=True)

    def variant(self, variant: Variant) -> tuple[Bundle, JudgedPages, float]:
        """Convert and judge, or take what was kept; with the seconds that it took."""
        stamp = f"{self._model_sha256} {sorted(asdict(variant).items())}"
        path, bundle_path = self.out / f"{variant.name}.npz", self.out / f"{variant.name}.tflite"
        if bundle_path.exists() and (kept := _kept(path, stamp)) is not None:
            return read_bundle(bundle_path), *kept
        print(f"{self._run.name}: {variant.name}", flush=True)
        made = convert_variant(self._workbench(), variant, name=variant.name)
        assert made.bundle is not None
        judged = self._judged(made.bundle)
        write_bundle(made.bundle, bundle_path)
        _keep(path, stamp, judged, made.seconds)
        return made.bundle, judged, made.seconds

    def _workbench(self) -> Workbench:
        if self._bench is None:
            source = read_source(self._run)
            self._bench = Workbench(source, calibration_of(source, None, root=self._root), root=self._root)
        return self._bench

    def _judged(self, bundle: Bundle) -> JudgedPages:
        pages = self._held_out(self._workbench().source)
        engine = PageEngine(bundle)
        decision = Decision.from_manifest(bundle.manifest.decision)
        return judge_pages(pages.pool, pages.test_rows, pages.dealt.pages, engine.probabilities, decision)

    def _held_out(self, source: Source) -> PageData:
        if self._pages is None:
            if not isinstance(source.facts, PageModelFacts):
                raise InputError(f"{self._run}: a run of beats has no folds of pages")
            named = FOLD.fullmatch(self._run.name)
            assert named is not None
            protocol = next((one for one in PROTOCOLS if one == named["protocol"]), None)
            if protocol is None:
                raise InputError(f"{self._run}: protocol {named['protocol']}; known are {', '.join(PROTOCOLS)}")
            images = PAGE_DATASETS[str(source.facts.training.get("data", "ecg_images"))](root=self._root)
            dealt = deal(images, protocol, seed=int(named["seed"]), folds=int(named["k"]))
            stated = source.facts.training.get("split_sha256")
            if stated != dealt.split.split_hash():
                raise InputError(
                    f"{self._run}: its split cannot be dealt again; the data set is another than it learnt from"
                )
            pool = page_inputs(dealt.images, source.facts.pipeline)
            self._pages = PageData(dealt, pool, int(named["fold"]))
        return self._pages


def _keep(path: Path, stamp: str, judged: JudgedPages, seconds: float) -> None:
    made = path.with_suffix(".new.npz")
    facts = {"stamp": np.array(stamp), "seconds": np.array(seconds)}
    np.savez_compressed(made, **facts, **judged_arrays(judged))  # type: ignore[arg-type]
    made.replace(path)


def _kept(path: Path, stamp: str) -> tuple[JudgedPages, float] | None:
    """What a variant said before, of the same model and with the same settings."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if str(archive["stamp"]) != stamp:
                return None
            part = {name: archive[name] for name in archive.files}
            return judged_from(part), float(part["seconds"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
