"""Bundles on the device: installed beside the shipped ones, verified, put to use by an atomic rename, rolled back.

A signature is to be checked in `install`, between reading and self-test, once bundles have one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ecgedge.bundle import Bundle, find_bundle, read_bundle, shipped_bundles
from ecgedge.errors import BundleError, EcgedgeError
from ecgedge.golden import selftest
from ecgedge_device.files import sync_folder, write_durably
from ecgedge_device.settings import AgentSettings

Task = Literal["beat", "page"]
_NAME = re.compile(r"\w[\w.+-]{0,99}", re.ASCII)
TASKS: tuple[Task, ...] = ("beat", "page")


@dataclass(frozen=True, slots=True)
class Shelved:
    """A bundle that could be used."""

    name: str
    """As `use` takes it: NAME-VERSION, or the name of a shipped one."""
    version: str
    task: Task
    path: Path
    active: bool
    previous: bool
    """Whether a rollback leads to it."""


class Shelf:
    """The bundles of one device.

    Parameters
    ----------
    folder : of installed bundles; made where it is needed
    configured : task -> bundle that the settings name, in use until another is put to use
    """

    def __init__(self, folder: Path, configured: Mapping[Task, str]) -> None:
        self._folder, self._configured = folder, configured
        self._open: dict[Task, tuple[str, Bundle]] = {}

    def active(self, task: Task) -> Bundle:
        """The bundle in use; read again only when another is put to use.

        Raises
        ------
        BundleError
            It is missing, damaged or for another task.
        """
        chosen = self._chosen(task)
        known = self._open.get(task)
        if known is None or known[0] != chosen:
            bundle = read_bundle(chosen)
            if bundle.manifest.task != task:
                key = "bundle" if task == "beat" else "page_bundle"
                raise BundleError(f"{bundle.source}: for {bundle.manifest.task}s; [agent] {key} needs one for {task}s")
            known = self._open[task] = (chosen, bundle)
        return known[1]

    def changed(self, task: Task, since: Bundle) -> bool:
        """Whether another bundle is in use than the one that `active` gave."""
        known = self._open.get(task)
        return known is None or known[1] is not since or known[0] != self._chosen(task)

    def listed(self) -> list[Shelved]:
        """All bundles that can be used, shipped and installed."""
        found = []
        for path in [*shipped_bundles().values(), *sorted(self._folder.glob("*.tflite"))]:
            manifest = read_bundle(path).manifest
            task = cast(Task, manifest.task)
            active, before = self._chosen(task), self._link(task, "previous")
            found.append(
                Shelved(
                    path.stem,
                    manifest.version,
                    task,
                    path,
                    _same(active, path),
                    before is not None and _same(before, path),
                )
            )
        return found

    def install(self, file: Path) -> str:
        """Stage, verify and self-test a bundle, then keep it; it is not yet in use.

        Returns
        -------
        Its name on this device.

        Raises
        ------
        BundleError
            It is damaged, or answers its golden inputs otherwise on this machine.
        """
        bundle = read_bundle(file)
        _require_selftest(bundle, file)
        name = f"{bundle.manifest.name}-{bundle.manifest.version}"
        if not _NAME.fullmatch(name):
            raise BundleError(f"{file}: name and version are {name!r}; letters, digits and ._+- make a file name")
        target = self._folder / f"{name}.tflite"
        content = file.read_bytes()
        if target.exists() and target.read_bytes() != content:
            raise BundleError(f"{file}: {name} is installed with other content; give it another version")
        write_durably(target, content)
        return name

    def use(self, name: str) -> Task:
        """Put a bundle to use, between two judgements; the one before stays for `rollback`.

        Raises
        ------
        BundleError
            There is none of that name, or it is damaged.
        """
        wanted = next((one for one in self.listed() if one.name == name), None)
        if wanted is None:
            known = ", ".join(one.name for one in self.listed())
            raise BundleError(f"bundle {name} is not installed; there are {known}; install it first")
        self._switch(wanted.task, wanted.path)
        return wanted.task

    def rollback(self, task: Task) -> str:
        """Go back to the bundle that was in use before, and return its name.

        Raises
        ------
        BundleError
            There is none.
        """
        before = self._link(task, "previous")
        if before is None:
            raise BundleError(f"no bundle for {task}s was in use before this one; put one to use with: model use NAME")
        self._switch(task, find_bundle(before))
        return Path(before).stem

    def _switch(self, task: Task, path: Path) -> None:
        before = find_bundle(self._chosen(task))
        read_bundle(path)
        self._point(task, "previous", before)
        self._point(task, "active", path)

    def _chosen(self, task: Task) -> str:
        if (link := self._link(task, "active")) is not None:
            return link
        name = self._configured[task]
        installed = self._folder / f"{name}.tflite"
        return str(installed) if installed.is_file() else name

    def _link(self, task: Task, which: str) -> str | None:
        """Where a link leads; None where there is none, or its bundle is gone (a shipped one, after an update)."""
        try:
            target = (self._folder / f"{which}-{task}").readlink()
        except OSError:
            return None
        return str(target) if target.is_file() else None

    def _point(self, task: Task, which: str, path: Path) -> None:
        """A symbolic link, replaced by an atomic rename."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{which}-{task}"
        draft.unlink(missing_ok=True)
        draft.symlink_to(path.absolute())
        draft.replace(self._folder / f"{which}-{task}")
        sync_folder(self._folder)


def shelf_of(settings: AgentSettings) -> Shelf:
    """The shelf beside a device's store."""
    folder = settings.store.with_suffix("") / "bundles"
    return Shelf(folder, {"beat": settings.bundle, "page": settings.page_bundle})


def _same(name: str, path: Path) -> bool:
    return find_bundle(name).absolute() == path.absolute()


def _require_selftest(bundle: Bundle, file: Path) -> None:
    try:
        failed = [check.name for check in selftest(bundle) if not check.passed]
    except EcgedgeError:
        raise
    except Exception as error:  # whole by its checksums, and yet not what a model or golden vectors are
        reason = f"cannot be run ({type(error).__name__})"
        raise BundleError(f"{file}: self-test {reason}; it is not installed; build the bundle again") from error
    if failed:
        raise BundleError(f"{file}: self-test failed in {', '.join(failed)}; it is not installed")
