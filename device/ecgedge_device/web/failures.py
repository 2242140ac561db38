"""Errors as answers: one line as JSON for programs, a plain page for people. Tells nobody what went wrong inside."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from ecgedge.errors import EcgedgeError, StoreError
from ecgedge_device.web.access import Denied, denial, is_program_path
from ecgedge_device.web.headers import ALWAYS
from ecgedge_device.web.view import site_of

_TITLES = {
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    413: "Too large",
    415: "Not a kind that is known",
    422: "Cannot be judged",
    429: "Too often",
    503: "Not now",
}
_OF_STATUS = {404: "there is nothing at this address; go back to the live page", 405: "this address does not take that"}


class Failure(EcgedgeError):
    """A request that cannot be answered: its HTTP status and one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def on_failure(request: Request, error: Exception) -> Response:
    """Of `Failure`, `Denied` and what Starlette refuses."""
    if isinstance(error, Denied):
        if is_program_path(request.url.path):
            return denial(request, error)
        return _answer(request, error.status, str(error))
    if isinstance(error, Failure):
        return _answer(request, error.status, str(error))
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, _OF_STATUS.get(error.status_code, str(error.detail)))


async def on_store_error(request: Request, error: Exception) -> Response:
    """The store cannot be read now."""
    assert isinstance(error, StoreError)
    return _answer(request, 503, str(error))


async def on_crash(request: Request, _error: Exception) -> Response:
    """A fault of ours; the server logs it. Made outside of `SafeHeaders`, so it brings the headers along."""
    answer = _answer(request, 500, "an error of the agent; its log has the details")
    answer.headers.update({**ALWAYS, "Cache-Control": "no-store"})
    return answer


def _answer(request: Request, status: int, message: str) -> Response:
    if is_program_path(request.url.path):
        return JSONResponse({"error": message}, status)
    title = _TITLES.get(status, "Something went wrong")
    values = {"title": title, "message": message, "here": "", "csrf": "", "visitor": None}
    return HTMLResponse(site_of(request).renderer.page("error.html", values), status)
