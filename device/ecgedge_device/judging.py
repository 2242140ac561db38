"""Work to durable results: what every source's loop does with a picture, a file, a recording or a live stream."""

from ecgedge.errors import InputError
from ecgedge_device.desk import Desk
from ecgedge_device.log import log
from ecgedge_device.picture_judging import PictureJudging
from ecgedge_device.refusals import MOST_ATTEMPTS, Refusals, words_for
from ecgedge_device.room import with_room
from ecgedge_device.signal_judging import SignalJudging
from ecgedge_device.sources import Done, FileWork, PictureWork, UnreadableWork, Work
from ecgedge_device.store import Store


class Judging:
    """Judges the work of one source into a store.

    Parameters
    ----------
    source : its name
    lasting : whether it brings one thing after another, so that none may hold up the next
    """

    def __init__(self, desk: Desk, store: Store, source: str, *, lasting: bool) -> None:
        self._desk, self._store, self._source = desk, store, source
        self._pictures = PictureJudging(desk, store, source)
        self._signals = SignalJudging(desk, store, source, lasting=lasting)
        self._refusals = Refusals(desk, store, source)

    def judge(self, work: Work) -> Done | None:
        """Judge one piece of work, and return when its result is durable; None where the agent was stopped before.

        Raises
        ------
        EcgedgeError
            The store cannot be written, a bundle is damaged, or a live source was lost (`SourceError`).
        """
        match work:
            case PictureWork():
                return self._pictures.judge(work)
            case FileWork():
                return self._file(work)
            case UnreadableWork():
                return self._unreadable(work)
            case _:
                return self._signals.judge(work)

    def _file(self, work: FileWork) -> Done | None:
        """Read and judge a recording, unless the agent ended more than once while it did."""
        if self._store.result(work.id) is not None:
            return Done("known")
        attempts = with_room(self._desk, self._store, lambda: self._store.attempt(work.address))
        if attempts is None:
            return None
        try:
            if attempts > MOST_ATTEMPTS:
                reason = f"the agent ended {attempts - 1} times while it read or judged this recording; look at the log"
                return self._refusals.keep(work.id, work.name, work.taken_utc, f"{work.name}: {reason}")
            return self._read(work)
        finally:  # the agent has not ended
            with_room(self._desk, self._store, lambda: self._store.forget_attempts(work.address))

    def _read(self, work: FileWork) -> Done | None:
        try:
            signal = work.read()
        except InputError as error:
            reason = " ".join(str(error).split())
        except OSError as error:
            reason = f"{work.name}: cannot be read ({error.strerror}); copy it again"
        except Exception as error:
            log.exception("recording cannot be read", extra={"source": self._source})
            reason = f"{work.name}: {words_for(error)}"
        else:
            return self._signals.judge(signal)
        return self._refusals.keep(work.id, work.name, work.taken_utc, reason)

    def _unreadable(self, work: UnreadableWork) -> Done | None:
        if self._store.result(work.id) is not None:
            return Done("known")
        return self._refusals.keep(work.id, work.name, work.taken_utc, work.reason)
