"""Pictures to durable results: known, refused or judged, with their alarms."""

from collections.abc import Mapping
from uuid import UUID, uuid5

from ecgedge.errors import StoreError
from ecgedge.manifest import Json
from ecgedge_device.desk import Desk
from ecgedge_device.live import Event
from ecgedge_device.log import log
from ecgedge_device.page_alarms import page_alarms
from ecgedge_device.page_judge import STAGES, refusal
from ecgedge_device.refusals import MOST_ATTEMPTS, words_for
from ecgedge_device.results import Finding
from ecgedge_device.room import with_room
from ecgedge_device.sources import Done, PictureWork
from ecgedge_device.store import Store


class PictureJudging:
    """Judges the pictures of one source into a store.

    Parameters
    ----------
    source : its name
    """

    def __init__(self, desk: Desk, store: Store, source: str) -> None:
        self._desk, self._store, self._source = desk, store, source

    def judge(self, work: PictureWork) -> Done | None:
        """Judge a picture, and return when its result is durable; None where the agent was stopped before.

        Raises
        ------
        EcgedgeError
            The store cannot be written, or the bundle is damaged.
        """
        if self._store.result(work.id) is not None:
            return Done("known")
        attempts = with_room(self._desk, self._store, lambda: self._store.attempt(work.id))
        if attempts is None:
            return None
        if attempts > MOST_ATTEMPTS:
            reason = f"{work.name}: the agent ended {attempts - 1} times while it judged this picture; look at the log"
            finding: Finding | None = refusal(work, self._source, reason, bundle="")
        else:
            finding = self._judged_page(work)
        return None if finding is None else self._keep_page(finding)

    def _judged_page(self, work: PictureWork) -> Finding | None:
        """What a picture came to; None where the agent was stopped before there was space for its files."""
        number = iter(range(1, len(STAGES) + 1))

        def tell(stage: str) -> None:
            data: dict[str, Json] = {"work": work.id, "name": work.name, "step": stage}
            data |= {"n": next(number, len(STAGES)), "of": len(STAGES)}
            self._desk.live.publish(Event("step", self._source, data))

        judge = self._desk.page_judge()
        try:
            return with_room(self._desk, self._store, lambda: judge.judge(work, source=self._source, tell=tell))
        except StoreError:
            raise
        except Exception as error:  # a fault of ours must cost one picture, not all behind it
            log.exception("picture failed", extra={"source": self._source, "id": work.id})
            return refusal(work, self._source, f"{work.name}: {words_for(error)}", bundle=judge.bundle)

    def _keep_page(self, finding: Finding) -> Done | None:
        findings = [finding, *self._alarms_of(finding)]
        results = with_room(self._desk, self._store, lambda: self._store.add(findings))
        if results is None:
            return None
        refused = bool(finding.content["refused"])
        self._desk.health.count(self._source, judged=int(not refused), refused=int(refused))
        self._desk.tell(results)
        return Done("refused", str(finding.content["reason"])) if refused else Done("judged")

    def _alarms_of(self, page: Finding) -> list[Finding]:
        rules = self._store.open_alarms(self._source)
        about: dict[str, Json] = {"recording": page.content["name"], "bundle": page.content["bundle"]}
        return [
            Finding(_derived(page.id, alarm), "alarm", self._source, page.time_utc, about | alarm)
            for alarm in page_alarms(page.content, self._desk.settings.alarms, open_rules=rules)
        ]


def _derived(uid: str, alarm: Mapping[str, Json]) -> str:
    """Id of an alarm of a page, the same after a crash."""
    return str(uuid5(UUID(uid), f"alarm {alarm['rule']} {alarm['state']}"))
