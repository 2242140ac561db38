"""Files that come in over HTTP: counted while they stream in, checked by name and content, handed to an inbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive

from ecgedge.errors import InputError
from ecgedge.paper.picture_headers import read_header
from ecgedge_device.sources import Inbox
from ecgedge_device.sources.incoming import COMPANIONS, PICTURES, require_known
from ecgedge_device.web.access import must_prove, visitor_of
from ecgedge_device.web.failures import Failure
from ecgedge_device.web.view import Site, site_of

FIELD = "file"
"""Of a form, once per file."""
_FORM_BYTES = 64_000
"""What a form may have beside its files."""
_MOST_FILES = 20
_DRAIN_S = 5.0
_NAMES = {
    "image/jpeg": "picture.jpg",
    "image/png": "picture.png",
    "image/webp": "picture.webp",
    "image/bmp": "picture.bmp",
    "image/tiff": "picture.tif",
    "text/csv": "recording.csv",
}
"""Type of a body without a form -> what it is called: a name in the address would stand in logs."""


@dataclass(frozen=True, slots=True)
class Received:
    """One file as it came."""

    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """In small letters, with the dot."""
        return PurePosixPath(self.name).suffix.lower()


class Counted:
    """A `receive` that refuses more bytes than the limit, whatever the request said of its length."""

    def __init__(self, receive: Receive, limit_bytes: int) -> None:
        self._receive, self._limit, self._got = receive, limit_bytes, 0
        self.too_large = False

    async def __call__(self) -> Message:
        """The next message."""
        message = await self._receive()
        self._got += len(message.get("body", b""))
        if self._got > self._limit:
            self.too_large = True
            await self._drain(message)
            raise _TooLarge
        return message

    async def _drain(self, message: Message) -> None:
        """Take what still comes for a moment and forget it: a sender that is cut off would not read the answer."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while message["type"] == "http.request" and message.get("more_body", False):
                    message = await self._receive()
        except TimeoutError:
            return


class _TooLarge(Exception):
    pass


async def read_form(request: Request, *, files_bytes: int = 0) -> FormData:
    """The form of a request, its CSRF token checked.

    Parameters
    ----------
    files_bytes : what its files may have together

    Raises
    ------
    Failure
        413 larger than the limit, 415 no form, 422 damaged.
    Denied
        403 without the CSRF token.
    """
    if request.headers.get("content-type", "").partition(";")[0] not in (
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    ):
        raise Failure(415, "no form; send multipart/form-data")
    counted = Counted(request.receive, files_bytes + _FORM_BYTES)
    try:
        form = await Request(request.scope, counted).form(max_files=_MOST_FILES, max_fields=20)
    except _TooLarge:
        raise too_large(files_bytes or _FORM_BYTES) from None
    except (MultiPartException, HTTPException):
        raise Failure(422, "the form is damaged; send it again") from None
    prove(request, str(form.get("csrf", "")))
    return form


def prove(request: Request, sent: str = "") -> None:
    """Check the CSRF token in the header `X-CSRF-Token`, or of a form.

    Raises
    ------
    Denied
        A browser sent none, or a wrong one.
    """
    if must_prove(request):
        site_of(request).access.check_form(visitor_of(request), request.headers.get("x-csrf-token") or sent)


def too_large(limit_bytes: int) -> Failure:
    """The refusal of a request over the limit."""
    return Failure(
        413, f"larger than {limit_bytes / 1e6:g} MB, the limit; send a smaller file, or raise limit_mb in agent.toml"
    )


async def take_in(request: Request) -> list[str]:
    """Hand the files of a request to an inbox, and return the ids of their work.

    Raises
    ------
    Failure
        404 no inbox, 413 too large, 415 a kind that is not known, 422 no picture inside, 503 too many at once.
    """
    site = site_of(request)
    wanted = request.query_params.get("source", "")
    name = wanted or next(iter(site.inboxes), "")
    if name not in site.inboxes:
        raise Failure(404, "no such source takes files; name one of /api/state, or add a [[source]] of kind http")
    limit_bytes = site.limit_bytes(name)
    if int(request.headers.get("content-length", "0")) > limit_bytes + _FORM_BYTES:
        raise too_large(limit_bytes)
    if site.uploads.locked():
        raise Failure(503, "other files are coming in already; try again in a moment")
    async with site.uploads:
        files = await _received(request, limit_bytes)
        return await run_in_threadpool(_hand_over, site, name, files, limit_bytes)


async def _received(request: Request, limit_bytes: int) -> list[Received]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await read_form(request, files_bytes=limit_bytes)
        try:
            parts = [part for part in form.getlist(FIELD) if isinstance(part, UploadFile) and part.filename]
            return [Received(str(part.filename), await part.read()) for part in parts]
        finally:
            await form.close()
    prove(request)
    if kind not in _NAMES:
        known = ", ".join(("multipart/form-data", *_NAMES))
        raise Failure(415, f"{kind or 'no Content-Type'} is not taken; send one of {known}")
    counted, content = Counted(request.receive, limit_bytes), bytearray()
    try:
        async for part in Request(request.scope, counted).stream():
            content += part
    except _TooLarge:
        raise too_large(limit_bytes) from None
    return [Received(_NAMES[kind], bytes(content))]


def _hand_over(site: Site, name: str, files: Sequence[Received], limit_bytes: int) -> list[str]:
    if not files:
        raise Failure(422, f"no file in the form; send one in the field {FIELD!r}")
    companions = [file for file in files if file.suffix in COMPANIONS]
    mains = [file for file in files if file.suffix not in COMPANIONS]
    for file in mains:
        _check(file, limit_bytes)
    if not mains or (companions and not any(file.suffix == ".hea" for file in mains)):
        raise Failure(422, "a .dat file without its .hea file; send both")
    return [_put(site.inboxes[name], file, companions) for file in mains]


def _check(file: Received, limit_bytes: int) -> None:
    try:
        require_known(PurePosixPath(file.name).name)
    except InputError as error:
        raise Failure(415, str(error)) from None
    if len(file.content) > limit_bytes:
        raise too_large(limit_bytes)
    try:
        if file.suffix in PICTURES:
            read_header(file.content)
    except InputError as error:
        raise Failure(422, f"{PurePosixPath(file.name).name}: {error}") from None


def _put(inbox: Inbox, file: Received, companions: Sequence[Received]) -> str:
    parts = {one.suffix: one.content for one in companions} if file.suffix == ".hea" else {}
    try:
        return inbox.put(file.name, file.content, companions=parts)
    except InputError as error:
        raise Failure(422, str(error)) from None
