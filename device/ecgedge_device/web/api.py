"""The JSON interface: what programs ask. Described in `openapi.py`."""

from dataclasses import asdict
from time import monotonic

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from ecgedge import NOTICE, __version__
from ecgedge.errors import EcgedgeError
from ecgedge.manifest import Json
from ecgedge_device.store import Store
from ecgedge_device.web.access import visitor_of
from ecgedge_device.web.events import EventStream, TooManyClients, wanted_sources
from ecgedge_device.web.failures import Failure
from ecgedge_device.web.machine import look_at
from ecgedge_device.web.metrics import MEDIA_TYPE, metrics_text
from ecgedge_device.web.model_line import line_of_bundle, model_line
from ecgedge_device.web.openapi import DESCRIPTION
from ecgedge_device.web.readiness import troubles
from ecgedge_device.web.shown_results import file_of, filter_of, find, id_of, listed, plain, progress
from ecgedge_device.web.uploads import prove, take_in
from ecgedge_device.web.view import Site, site_of
from ecgedge_device.web.wording import text


def results(request: Request) -> Response:
    """Stored results, newest first."""
    shown, before = listed(site_of(request).agent.store_path, filter_of(request))
    return JSONResponse({"results": [plain(one) for one in shown], "before": before, "notice": NOTICE})


def result(request: Request) -> Response:
    """One result."""
    return JSONResponse({**plain(find(request)), "notice": NOTICE})


def result_file(request: Request) -> Response:
    """One file of a result."""
    path, media_type = file_of(request)
    return FileResponse(path, media_type=media_type)


def report(request: Request) -> Response:
    """One result as a PDF."""
    from ecgedge_device.web.pdf_report import make_report  # reportlab, 0.2 s and 20 MB that few sessions need

    site, found = site_of(request), find(request)
    with Store(site.agent.store_path) as store:
        files = store.files
    line = line_of_bundle(text(found.content, "bundle"), site.agent.bundles)
    content = make_report(found, files=files, device=site.agent.settings.agent.device, model=line)
    name = f"ecgedge-{found.kind}-{found.id[:8]}.pdf"
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


async def upload(request: Request) -> Response:
    """Take in pictures or recordings."""
    ids = await take_in(request)
    return JSONResponse({"id": ids[0], "ids": ids, "state": f"/api/pictures/{ids[0]}"}, 202)


def picture(request: Request) -> Response:
    """Whether the work of an upload is done."""
    uid, found = id_of(request), progress(request)
    state: dict[str, Json] = {"id": uid, "state": found.state}
    if found.result:
        state["result"] = f"/api/results/{found.result}"
    elif found.state == "judging":
        state["share"] = round(found.share, 4)
    return JSONResponse(state)


async def trigger(request: Request) -> Response:
    """Ask a camera for a picture."""
    prove(request)
    await run_in_threadpool(press, site_of(request), request.path_params["name"])
    return JSONResponse({"triggered": request.path_params["name"]}, 202)


def press(site: Site, name: str) -> None:
    """Ask a camera for a picture.

    Raises
    ------
    Failure
        404: no source of that name takes pictures; 503: it cannot now.
    """
    if name not in site.cameras:
        raise Failure(404, "no source of that name takes pictures; /api/state lists the sources")
    try:
        site.cameras[name].trigger()
    except EcgedgeError as error:
        raise Failure(503, str(error)) from None


def state(request: Request) -> Response:
    """How everything does."""
    return JSONResponse(state_of(site_of(request)))


def state_of(site: Site) -> dict[str, Json]:
    """Sources, reporters, facts, machine, models, dead letters."""
    agent = site.agent
    with Store(agent.store_path) as store:
        letters: list[Json] = [dict(one) for one in store.dead_letters(20)]
    models: dict[str, Json] = {
        task: {"name": one.manifest.name, "version": one.manifest.version, "figures": model_line(one.manifest)}
        for task, one in agent.bundles.items()
    }
    return {
        "device": agent.settings.agent.device,
        "version": __version__,
        "uptime_s": round(monotonic() - site.started_s, 1),
        **agent.health.snapshot(),
        "machine": asdict(look_at(agent.store_path)),
        "models": models,
        "dead_letters": letters,
        "notice": NOTICE,
    }


async def events(request: Request) -> Response:
    """Live events."""
    site = site_of(request)
    try:
        client = site.broadcast.join(wanted_sources(request))
    except TooManyClients as error:
        raise Failure(503, str(error)) from None
    return EventStream(site.broadcast, client)


async def openapi(_request: Request) -> Response:
    """This interface, described."""
    return JSONResponse(DESCRIPTION)


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


def readyz(request: Request) -> Response:
    """Every source is there and the store can be written; the reasons are for those who may know."""
    found = troubles(site_of(request).agent)
    reasons = found if visitor_of(request).known else []
    return JSONResponse({"ready": not found, "reasons": reasons}, 503 if found else 200)


def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return PlainTextResponse(metrics_text(site_of(request)), media_type=MEDIA_TYPE)
