"""A source's thread and what watches it: lost and found, poison, hangs, live events, log lines."""

import logging
import threading
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.paper.page import Picture
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge_device import housekeeping
from ecgedge_device.housekeeping import Housekeeping
from ecgedge_device.live import Event, Live
from ecgedge_device.sources import PictureWork, Reason, SourceError
from ecgedge_device.store import Store
from tests.device.made_desk import ListSource, LiveWork, made_desk, results_of, run_source, wait_until
from tests.device.simple_agent import make_recording


@pytest.fixture(scope="module")
def page() -> Picture:
    style = like_ecg_images(3)
    drawn = draw_page(simulate_twelve_leads(10.0, seed=3), layout="3x4+1", seed=3, style=style, px_per_mm=4.0)
    return Picture(drawn.pixels, "page.png")


def work(picture: Picture | Exception, *, uid: str = "") -> PictureWork:
    def read() -> Picture:
        if isinstance(picture, Exception):
            raise picture
        return picture

    return PictureWork(uid or str(uuid4()), "Smith-John.png", "2026-01-01T00:00:00.000Z", read)


def test_a_page_is_stored_once_with_its_files_and_the_others_are_refusals(
    tmp_path: Path, page: Picture, caplog: pytest.LogCaptureFixture
) -> None:
    desk = made_desk(tmp_path)
    good, grey = work(page), work(Picture(np.full((400, 400, 3), 128, np.uint8), "grey.png"))
    works = [good, work(InputError("no picture")), work(ZeroDivisionError("a fault")), grey, good]
    source = ListSource([list(works)])
    with caplog.at_level(logging.INFO, "ecgedge_device"), desk.live.subscribe() as listener:
        run_source(desk, source)
        events = listener.take(1)
    assert [done.kind for _, done in source.heard] == ["judged", "refused", "refused", "refused", "known"]
    results = results_of(desk, ("page",))
    assert [result.content["refused"] for result in results] == [False, True, True, True]
    assert "internal error (ZeroDivisionError)" in str(results[2].content["reason"]) and results[3].content["reason"]
    assert set(results[0].files) == {"picture", "drawn"} and not results[1].files
    kept = cv2.imread(str(desk.keeper.folder / results[0].files["picture"]))
    assert kept is not None and kept.shape[0] < page.pixels.shape[0] + 1
    steps = [event.data["step"] for event in events if event.topic == "step" and event.data["work"] == good.id]
    assert steps[0] == "decode" and steps[-1] == "draw" and "model" in steps
    assert sum(event.topic == "result" for event in events) >= 4
    assert all("Smith" not in str(vars(record)) for record in caplog.records)
    assert desk.failures == []


def test_a_picture_that_kills_the_agent_is_refused_the_third_time(tmp_path: Path, page: Picture) -> None:
    desk, poison = made_desk(tmp_path), work(page)
    with Store(desk.settings.agent.store) as store:
        for _ in range(2):
            store.attempt(poison.id)  # as a start does that then dies
    source = ListSource([[poison, work(page)]])
    run_source(desk, source)
    assert [done.kind for _, done in source.heard] == ["refused", "judged"]
    assert "ended 2 times" in source.heard[0][1].reason


def test_a_lost_source_is_opened_again_and_the_log_names_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = made_desk(tmp_path)
    lost = SourceError("/home/Smith-John.png: gone", reason=Reason.LOST)
    signal = make_recording(10).signal
    source = ListSource([[lost], [OSError("/home/Smith-John.png")], [LiveWork(signal)], []])
    with caplog.at_level(logging.INFO, "ecgedge_device"):
        run_source(desk, source)
    assert source.opened == 4 and results_of(desk, ("beat",)) and desk.failures == []
    assert [record.getMessage() for record in caplog.records] == ["source lost", "source failed", "source lost"]
    assert all("Smith" not in str({**vars(record), "exc_info": "", "exc_text": ""}) for record in caplog.records)


def test_signal_and_beats_reach_a_listener_and_a_slow_one_loses_the_oldest(tmp_path: Path) -> None:
    desk = made_desk(tmp_path)
    with desk.live.subscribe() as quick, desk.live.subscribe(most=3) as slow:
        run_source(desk, ListSource([[LiveWork(make_recording(30).signal)]]))
        events, last = quick.take(1), slow.take(1)
    assert {event.topic for event in events} >= {"signal", "beats"}
    assert last == events[-3:] and slow.dropped == len(events) - 3 and quick.dropped == 0
    assert not desk.live.watched
    live = Live()
    with live.subscribe() as listener:
        threading.Timer(0.1, live.publish, [Event("state", "x", {})]).start()
        assert len(listener.take(30)) == 1


def test_a_source_that_hangs_does_not_feed_the_watchdog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "LOOK_S", 0.05)
    monkeypatch.setattr(housekeeping, "STUCK_S", 0.5)
    desk, fed, free = made_desk(tmp_path), [], threading.Event()
    desk.health.source("live", kind="made")
    Housekeeping(desk, fed.append).start()
    wait_until(lambda: len(fed) > 2)

    def before(number: int) -> None:
        if number == 1:
            wait_until(lambda: desk.health.busy_s().get("live", 0) > 0.6)
            count = len(fed)
            free.wait(0.5)
            hung.append(len(fed) - count)

    hung: list[int] = []
    run_source(desk, ListSource([[LiveWork(make_recording(5).signal, before=before)]]))
    count = len(fed)
    wait_until(lambda: len(fed) > count)
    desk.stop.set()
    assert hung and hung[0] <= 1
