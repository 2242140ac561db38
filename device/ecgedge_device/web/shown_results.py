"""Results out of the store for one request: found by id, listed by filter, their files served. Changes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid5

from starlette.requests import Request

from ecgedge.manifest import Json
from ecgedge_device.results import KINDS, Result, as_plain
from ecgedge_device.store import Store
from ecgedge_device.web.failures import Failure
from ecgedge_device.web.view import site_of

NOT_BEATS = tuple(kind for kind in KINDS if kind != "beat")
PAGE = 30
_MOST = 500
_MEDIA = {".jpg": "image/jpeg", ".png": "image/png", ".npz": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is."""

    state: Literal["waiting", "judging", "judged"]
    result: str = ""
    """Id, where it is judged."""
    share: float = 0.0
    """Of a recording, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows."""

    kind: str = ""
    source: str = ""
    label: str = ""
    before: int | None = None
    limit: int = PAGE


def filter_of(request: Request) -> Filter:
    """The filter in the address.

    Raises
    ------
    Failure
        422: a kind that is not known, or a number that is none.
    """
    asked = request.query_params
    kind = asked.get("kind", "")
    if kind and kind not in NOT_BEATS:
        raise Failure(422, f"kind {kind!r} is not listed; choose one of {', '.join(NOT_BEATS)}")
    before = _whole(asked.get("before", ""), "before", high=2**62)
    limit = _whole(asked.get("limit", ""), "limit", high=_MOST)
    return Filter(kind, asked.get("source", ""), asked.get("label", ""), before, limit or PAGE)


def _whole(text: str, key: str, *, high: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:20]) <= high):
        raise Failure(422, f"{key} = {text[:20]!r}; it must be a whole number from 1 to {high}")
    return int(text)


def listed(path: Path, wanted: Filter) -> tuple[list[Result], int | None]:
    """Results, newest first, and the number to go on before; None where there are no more."""
    kinds = (wanted.kind,) if wanted.kind else NOT_BEATS
    with Store(path) as store:
        found = store.recent(
            kinds, source=wanted.source, label=wanted.label, before=wanted.before, limit=wanted.limit + 1
        )
    more = len(found) > wanted.limit
    shown = found[: wanted.limit]
    return shown, shown[-1].number if more else None


def find(request: Request) -> Result:
    """The result whose id is in the path.

    Raises
    ------
    Failure
        404: none of that id.
    """
    with Store(site_of(request).agent.store_path) as store:
        found = store.result(id_of(request))
    if found is None:
        raise Failure(404, "no result of that id; it may have been removed by [keep], or is not judged yet")
    return found


def progress(request: Request) -> Progress:
    """How far an upload is; its result has the id of its work, that of a recording one made from its run."""
    site, uid = site_of(request), id_of(request)
    with Store(site.agent.store_path) as store:
        if store.result(uid) is not None:
            return Progress("judged", uid)
        runs = (store.last_run(f"{name}:{uid}") for name in site.inboxes)
        run = next((run for run in runs if run is not None), None)
    if run is None:
        return Progress("waiting")
    if run.finished_utc:
        return Progress("judged", str(uuid5(UUID(run.uid), "recording")))
    return Progress("judging", share=run.next_sample / max(1, run.stream.n_samples))


def id_of(request: Request) -> str:
    """The id in the path, as a UUID has it.

    Raises
    ------
    Failure
        404: none.
    """
    try:
        return str(UUID(request.path_params["id"]))
    except ValueError:
        raise Failure(404, "no id of a result") from None


def file_of(request: Request) -> tuple[Path, str]:
    """A file of a result and its media type; only files that a stored result names, below the folder of files.

    Raises
    ------
    Failure
        404: no such result, role or file.
    """
    result = find(request)
    name = result.files.get(request.path_params["role"], "")
    with Store(site_of(request).agent.store_path) as store:
        folder = store.files.resolve()
    path = (folder / name).resolve()
    if not name or not path.is_relative_to(folder) or not path.is_file() or path.suffix not in _MEDIA:
        raise Failure(404, "no such file; pictures are kept for [keep] pictures_days")
    return path, _MEDIA[path.suffix]


def plain(result: Result) -> dict[str, Json]:
    """A result as the JSON interface tells it: its number for paging, and addresses in place of paths."""
    files: dict[str, Json] = {role: f"/api/results/{result.id}/files/{role}" for role in result.files}
    return {"number": result.number, **as_plain(result), "files": files}
