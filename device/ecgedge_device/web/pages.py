"""The pages that people see: live, read a page, history, one result, state, login."""

from collections.abc import Iterable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ecgedge_device.results import Result
from ecgedge_device.source_settings import SOURCES
from ecgedge_device.web.access import Denied, address_of, set_cookie, visitor_of
from ecgedge_device.web.api import press, state_of
from ecgedge_device.web.model_line import line_of_bundle
from ecgedge_device.web.shown_results import NOT_BEATS, Filter, filter_of, find, id_of, listed, progress
from ecgedge_device.web.uploads import read_form, take_in
from ecgedge_device.web.view import Site, site_of
from ecgedge_device.web.wording import KIND_TITLES, mapping, short_words, text, words_of

_SIGNALS = ("replay", "serial", "stdin")
_LAST = 8


def _page(request: Request, template: str, *, here: str, status: int = 200, **values: object) -> Response:
    site, visitor = site_of(request), visitor_of(request)
    shared: Mapping[str, object] = {
        "here": here,
        "visitor": visitor,
        "csrf": site.access.sessions.csrf_token(visitor.cookie) if visitor.cookie else "",
    }
    return HTMLResponse(site.renderer.page(template, {**shared, **values}), status)


def _lines(results: Iterable[Result]) -> list[dict[str, object]]:
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "kind_title": KIND_TITLES[one.kind],
            "source": one.source,
            "time_utc": one.time_utc or one.stored_utc,
            "words": short_words(one),
            "tone": words_of(one).tone,
            "label": text(one.content, "label"),
        }
        for one in results
    ]


def live(request: Request) -> Response:
    """The live trace and the last results."""
    site = site_of(request)
    found, _ = listed(site.agent.store_path, Filter(limit=_LAST))
    kinds = {settings: kind for kind, settings in SOURCES.items()}
    sources = [{"name": one.name, "kind": kinds[type(one)]} for one in site.agent.settings.sources]
    states = mapping(site.agent.health.snapshot(), "sources")
    signals = [one["name"] for one in sources if one["kind"] in _SIGNALS]
    return _page(
        request,
        "live.html",
        here="live",
        sources=[{**one, "health": states.get(one["name"], {})} for one in sources],
        signals=signals,
        results=_lines(found),
    )


def picture(request: Request) -> Response:
    """Upload or take a picture."""
    site = site_of(request)
    inboxes = [{"name": name, "limit_bytes": site.limit_bytes(name)} for name in site.inboxes]
    cameras = [
        {"name": name, "health": mapping(mapping(site.agent.health.snapshot(), "sources"), name)}
        for name in site.cameras
    ]
    return _page(request, "picture.html", here="picture", inboxes=inboxes, cameras=cameras)


async def send_picture(request: Request) -> Response:
    """A form with a picture, from a browser without script."""
    return RedirectResponse(f"/progress/{(await take_in(request))[0]}", 303)


async def take_picture(request: Request) -> Response:
    """The button of a camera, from a browser without script."""
    form = await read_form(request)
    await run_in_threadpool(press, site_of(request), str(form.get("source", "")))
    return RedirectResponse("/", 303)


def work(request: Request) -> Response:
    """The progress of an upload, then its result."""
    if uid := progress(request).result:
        return RedirectResponse(f"/results/{uid}", 303)
    return _page(request, "work.html", here="picture", id=id_of(request))


def history(request: Request) -> Response:
    """All results, filtered."""
    site, wanted = site_of(request), filter_of(request)
    found, before = listed(site.agent.store_path, wanted)
    labels = {
        label: title
        for one in site.agent.bundles.values()
        if one.manifest.task == "page"
        for label, title in zip(one.manifest.labels, one.manifest.label_titles, strict=True)
    }
    return _page(
        request,
        "history.html",
        here="history",
        results=_lines(found),
        wanted=wanted,
        before=before,
        kinds={kind: KIND_TITLES[kind] for kind in NOT_BEATS},
        sources=sorted(site.agent.sources),
        labels=labels,
    )


def result(request: Request) -> Response:
    """One result."""
    site, found = site_of(request), find(request)
    line = line_of_bundle(text(found.content, "bundle"), site.agent.bundles)
    return _page(request, "result.html", here="history", result=found, words=words_of(found), model=line)


def state(request: Request) -> Response:
    """How everything does."""
    return _page(request, "state.html", here="state", state=state_of(site_of(request)))


def login(request: Request) -> Response:
    """The login form."""
    if visitor_of(request).known:
        return RedirectResponse("/", 303)
    return _login_page(request, site_of(request), request.query_params.get("next", "/"))


def _login_page(request: Request, site: Site, after: str, *, status: int = 200, error: str = "") -> Response:
    by_name = site.access.users is not None
    return _page(request, "login.html", here="", status=status, by_name=by_name, after=_local(after), error=error)


async def log_in(request: Request) -> Response:
    """The login form, sent."""
    site, form = site_of(request), await read_form(request)
    after, name, password = (str(form.get(key, "")) for key in ("next", "name", "password"))
    try:
        cookie = await run_in_threadpool(site.access.log_in, address_of(request), name=name, password=password)
    except Denied as denied:
        answer = _login_page(request, site, after, status=denied.status, error=str(denied))
        if denied.wait_s:
            answer.headers["Retry-After"] = str(round(denied.wait_s) + 1)
        return answer
    return RedirectResponse(_local(after), 303, {"Set-Cookie": set_cookie(site.access, cookie)})


async def log_out(request: Request) -> Response:
    """End the session."""
    await read_form(request)
    site = site_of(request)
    site.access.sessions.end(visitor_of(request).cookie)
    return RedirectResponse("/login", 303, {"Set-Cookie": set_cookie(site.access, "")})


def _local(path: str) -> str:
    """An address on this server, whatever a link asked for."""
    return (
        path if path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable() else "/"
    )
