"""Files over HTTP, each tried several times, each try going on where the one before stopped. Needs the extra `data`.

pooch decides whether a file is needed and puts it in place once proved; the bytes are fetched by a downloader of ours,
because pooch's own starts over after every break. Knows nothing of data sets.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import Self

import pooch
import requests

from ecgedge.catalogue import Advance, digest
from ecgedge.downloads import Job, Patience
from ecgedge.errors import DataError

_BLOCK_BYTES = 1 << 16
_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_WHOLE_DOWNLOADS = 2
"""A file that arrives damaged is fetched once more; damaged again, the server or a proxy has another file."""


class _DamagedError(Exception):
    """What came is not what was expected; it has been deleted."""


class _StoppedError(Exception):
    """Another file failed for good, or the user stopped the run."""


class Transfer:
    """A session that fetches files, several at a time."""

    def __init__(self, patience: Patience, *, advance: Advance) -> None:
        pooch.get_logger().setLevel(logging.WARNING)  # it would print a line for each of 145 files
        self._patience = patience
        self._advance = advance
        self._session = requests.Session()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get_all(self, jobs: Sequence[Job], *, workers: int) -> None:
        """Fetch files in parallel; the first that fails for good stops the others."""
        with ThreadPoolExecutor(workers) as pool:
            pending = [pool.submit(self.get, job) for job in jobs]
            try:
                for done in as_completed(pending):
                    done.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def get(self, job: Job) -> None:
        """Fetch one file, unless it is there and right.

        Raises
        ------
        DataError
            It stays damaged or out of reach. What came of it undamaged is kept for the next run.
        """
        download = _Download(
            job, session=self._session, patience=self._patience, advance=self._advance, stop=self._stop
        )
        damages: list[str] = []
        for tried in range(1, self._patience.tries + 1):
            try:
                self._retrieve(job, download)
                return
            except _DamagedError as error:
                damages.append(str(error))
                if len(damages) == _WHOLE_DOWNLOADS:
                    raise DataError(_damage(job, damages)) from error
                trouble = f"damaged ({error})"
            except requests.RequestException as error:
                trouble = _trouble(error, job, self._patience)
            if tried < self._patience.tries and self._stop.wait(self._patience.wait_s(tried)):
                raise _StoppedError
        raise DataError(
            f"{job.target.name}: {trouble}; tried {self._patience.tries} times ({job.url}); "
            "check the network, then run the same command again: it goes on where this one stopped"
        )

    def _retrieve(self, job: Job, download: "_Download") -> None:
        pooch.retrieve(
            url=job.url,
            known_hash=job.checksum,
            fname=job.target.name,
            path=job.target.parent,
            downloader=download,
        )


class _Download:
    """A downloader for pooch that gathers a file in `NAME.part` and goes on there after a break, in a later run too."""

    def __init__(
        self, job: Job, *, session: requests.Session, patience: Patience, advance: Advance, stop: threading.Event
    ) -> None:
        self._part = job.target.with_name(f"{job.target.name}.part")
        self._checksum = job.checksum
        self._session = session
        self._timeout_s = (patience.connect_s, patience.read_s)
        self._advance = advance
        self._stop = stop
        self._counted_bytes = 0

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        self._receive(url)
        self._prove()
        self._part.replace(output_file)

    def _receive(self, url: str) -> None:
        offset = self._part.stat().st_size if self._part.exists() else 0
        self._count(offset)
        headers = {"Accept-Encoding": "identity"}  # offsets count bytes of the file, not of a compressed body
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._session.get(url, headers=headers, stream=True, timeout=self._timeout_s) as response:
            if offset and not _fits(response, offset):
                self._part.unlink()
                self._receive(url)
            elif response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
                self._write(response, offset if response.status_code == requests.codes.partial_content else 0)

    def _write(self, response: requests.Response, offset: int) -> None:
        position = offset
        with self._part.open("ab" if offset else "wb") as file:
            for block in response.iter_content(_BLOCK_BYTES):
                if self._stop.is_set():
                    raise _StoppedError
                file.write(block)
                position += len(block)
                self._count(position)
        promised = response.headers.get("Content-Length", "")
        if promised.isdigit() and "Content-Encoding" not in response.headers and position - offset < int(promised):
            raise requests.exceptions.ChunkedEncodingError("cut short")  # urllib3 before 2 does not say so itself

    def _count(self, position: int) -> None:
        self._advance("downloading", position - self._counted_bytes)
        self._counted_bytes = position

    def _prove(self) -> None:
        if self._checksum is None:
            return
        got = digest(self._part, self._checksum.partition(":")[0])
        if got != self._checksum:
            self._part.unlink()
            raise _DamagedError(got)


def _fits(response: requests.Response, offset: int) -> bool:
    """Whether the answer to a request for bytes from `offset` can be used: they, all bytes, or `there are no more`."""
    answered = response.headers.get("Content-Range", "")
    if response.status_code == requests.codes.partial_content:
        return answered.startswith(f"bytes {offset}-")
    if response.status_code == requests.codes.requested_range_not_satisfiable:
        return answered == f"bytes */{offset}"
    return True


def _damage(job: Job, damages: Sequence[str]) -> str:
    return (
        f"{job.target.name}: damaged {len(damages)} times: expected {job.checksum}, got {damages[-1]}; it was deleted; "
        f"{job.url} serves another file: try later, or a mirror with --from"
    )


def _trouble(error: requests.RequestException, job: Job, patience: Patience) -> str:
    """What went wrong, if another try may help; otherwise raise."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status not in _PASSING_STATUS:
            raise DataError(
                f"{job.target.name}: {job.url} answered {status}, not 200; check --from and ECGEDGE_MIRROR"
            ) from error
        return f"the server answered {status}"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {patience.connect_s:g} s"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"the server sent nothing for {patience.read_s:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    raise DataError(f"{job.target.name}: {error}; check the address {job.url}") from error
