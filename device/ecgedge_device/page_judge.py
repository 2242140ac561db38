"""One picture to a result: page read, judged, drawn; a picture that cannot be judged is a result too. Stores nothing.

What is kept of a picture is the flat page without header and footer, which may name the patient; never the photo.
"""

import threading
from collections.abc import Callable, Mapping

import cv2

from ecgedge import NOTICE
from ecgedge.bundle import Bundle
from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge.page_engine import PageAnswer, PageEngine
from ecgedge.page_reading import Tell
from ecgedge.page_words import draw_answer, plain_answer
from ecgedge.paper.page import Pixels
from ecgedge_device.files import FileKeeper
from ecgedge_device.memory import give_back
from ecgedge_device.results import Finding
from ecgedge_device.sources import PictureWork

STAGES = ("decode", "find page", "quality", "read traces", "one page", "inputs", "model", "draw")
"""In the order in which they are told."""
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)


class PageJudge:
    """A page bundle for all sources of pictures, one picture at a time.

    Parameters
    ----------
    any_layout : answer on layouts that the model was not trained on, marked as untested
    keeper : where pictures go; None keeps none
    """

    def __init__(self, bundle: Bundle, *, threads: int, any_layout: bool, keeper: FileKeeper | None) -> None:
        manifest = bundle.manifest
        self.bundle = f"{manifest.name} {manifest.version}"
        self.titles: Mapping[str, str] = dict(zip(manifest.labels, manifest.label_titles, strict=True))
        self._engine = PageEngine(bundle, threads=threads)
        self._any_layout, self._keeper = any_layout, keeper
        self._one_at_a_time = threading.Lock()

    def judge(self, work: PictureWork, *, source: str, tell: Tell) -> Finding:
        """Judge a picture; the finding's content says `refused` where it cannot be judged."""
        with self._one_at_a_time:
            try:
                return self._judge(work, source, tell)
            finally:
                give_back()

    def _judge(self, work: PictureWork, source: str, tell: Tell) -> Finding:
        try:
            tell("decode")
            answer = self._engine.judge(work.read(), any_layout=self._any_layout, tell=tell)
        except InputError as error:
            return refusal(work, source, " ".join(str(error).split()), bundle=self.bundle)
        tell("draw")
        files, size = self._kept(work.id, answer)
        content: dict[str, Json] = {"name": work.name, "bundle": self.bundle, "refused": False}
        content |= plain_answer(answer, self.titles)
        return Finding(work.id, "page", source, work.taken_utc, content, files, size)

    def _kept(self, uid: str, answer: PageAnswer) -> tuple[dict[str, str], int]:
        if self._keeper is None:
            return {}, 0
        pictures: dict[str, Callable[[], Pixels | None]] = {
            "picture": lambda: answer.page.pixels,
            "drawn": lambda: draw_answer(self._engine, answer, self.titles) if answer.maps else None,
        }
        files, size = {}, 0
        for role, draw in pictures.items():
            if (pixels := draw()) is not None:
                content = cv2.imencode(".jpg", pixels, _JPEG)[1].tobytes()
                files[role] = self._keeper.keep(role, uid, content)
                size += len(content)
        return files, size


def refusal(work: PictureWork, source: str, reason: str, *, bundle: str) -> Finding:
    """The result of a picture that cannot be judged."""
    content: dict[str, Json] = {
        "name": work.name,
        "bundle": bundle,
        "refused": True,
        "label": None,
        "title": "",
        "reason": reason,
        "probabilities": {},
        "titles": {},
        "prediction_set": [],
        "advice": "",
        "layout": None,
        "quality": [],
        "seconds": {},
        "notice": NOTICE,
    }
    return Finding(work.id, "page", source, work.taken_utc, content)
