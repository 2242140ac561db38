"""What is removed: too old, too much, or in nobody's name; what no reporter had taken is counted for each of them."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecgedge.records import Beat
from ecgedge_device.files import FileKeeper
from ecgedge_device.migrations import transaction
from ecgedge_device.reserve import Reserve
from ecgedge_device.results import KINDS, BundleId, Finding, Kind, Stream
from ecgedge_device.retention import Tidied, dropped, make_room, tidy
from ecgedge_device.settings import KeepSettings
from ecgedge_device.store import Store

STREAM = Stream("/data/200", "200", 360.0, ("MLII",), 100_000, "f00d", "bed-3")
BUNDLE = BundleId("beat", "1.0.0", "cafe", ("N", "S"))
TOLD = {"all": KINDS, "pages": ("page",), "late": KINDS}
DAYS = (400, 100, 50, 10, 1, 0)
"""How long ago the results of `Filled` were stored."""
NEVER = KeepSettings(beats_days=0, results_days=0, pictures_days=0, free_mb=0)


class Filled:
    """A store with 5 beats, a minute and a page with a picture and a drawn page of 100 kB each, for each of `DAYS`.

    The reporter `pages` has taken what is 100 days old and older, `late` all that is older than today, `all` nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "ecgedge.sqlite")
        self.keeper = FileKeeper(self.store.files)
        for name in TOLD:
            self.store.register(name)
        self.run = self.store.begin(STREAM, BUNDLE)
        for place, days in enumerate(DAYS):
            self._day(place, days)

    def _day(self, place: int, days: int) -> None:
        beats = [Beat(1000 * place + k, (1000 * place + k) / 360, "N", (0.75, 0.25), 800.0) for k in range(5)]
        self.store.append(self.run, beats, start=1000 * place, stop=1000 * (place + 1), state=b"")
        uid = page_id(days)
        files = {role: self.keeper.keep(role, uid, b"x" * 100_000) for role in ("picture", "drawn")}
        self.store.add([Finding(minute_id(days), "minute", "bed-3", "", {"start_s": 0})])
        (page,) = self.store.add([Finding(uid, "page", "camera", "", {"name": "p"}, files, 200_000)])
        self._age(days)
        with transaction(self.store.connection):
            names = [name for name, until in (("pages", 100), ("late", 1)) if days >= until]
            for name in names:
                self.store.connection.execute("UPDATE reporters SET done = ? WHERE name = ?", (page.number, name))

    def _age(self, days: int) -> None:
        """Of what was stored last."""
        stored = (datetime.now(UTC) - timedelta(days=days, minutes=1)).isoformat(timespec="milliseconds")
        for table in ("beats", "results"):
            update = f"UPDATE {table} SET stored_utc = ? WHERE number > (SELECT next - 8 FROM sequence)"
            self.store.connection.execute(update, (stored.replace("+00:00", "Z"),))

    def tidied(self, settings: KeepSettings) -> Tidied:
        return tidy(self.store, self.keeper, settings, TOLD)

    def days(self, kind: Kind) -> list[int]:
        """Of the results that are there."""
        name = {"minute": minute_id, "page": page_id}[kind]
        there = {result.id for result in self.store.recent([kind])}
        return [days for days in DAYS if name(days) in there]

    def beats(self) -> list[int]:
        """Days whose beats are all there."""
        samples = [beat.sample for beat in self.store.beats(self.run)]
        assert len(samples) % 5 == 0
        return [DAYS[sample // 1000] for sample in samples[::5]]

    def pictures(self) -> list[int]:
        """Days whose files are there, which are those that results name, to the file."""
        kept = {name for name, _ in self.keeper.kept()}
        named = {name for result in self.store.recent(["page"]) for name in result.files.values()}
        assert kept == named
        return [days for days in DAYS if any(page_id(days) in name for name in kept)]

    def lost(self) -> dict[str, int]:
        """Reporter -> results that were removed before it took them, as the store has it."""
        return dict(self.store.connection.execute("SELECT name, dropped FROM reporters WHERE dropped > 0"))


def page_id(days: int) -> str:
    return f"00000000-0000-4000-8000-{days:012}"


def minute_id(days: int) -> str:
    return f"00000000-0000-4000-9000-{days:012}"


@pytest.fixture
def filled(tmp_path: Path):  # type: ignore[no-untyped-def]
    filled = Filled(tmp_path)
    with filled.store:
        yield filled


def test_nothing_is_removed_where_the_settings_keep_everything(filled: Filled) -> None:
    assert filled.tidied(NEVER) == Tidied()
    assert filled.days("page") == filled.days("minute") == filled.pictures() == filled.beats() == list(DAYS)
    assert filled.lost() == dropped(filled.store) == {}


def test_each_kind_goes_at_its_own_age(filled: Filled) -> None:
    done = filled.tidied(KeepSettings(beats_days=30, pictures_days=90, results_days=365, free_mb=0))
    assert filled.beats() == [10, 1, 0]
    assert filled.pictures() == [50, 10, 1, 0]
    assert filled.days("page") == filled.days("minute") == [100, 50, 10, 1, 0]
    assert (done.beats, done.results, done.files, done.bytes) == (15, 2, 4, 400_000)
    assert dropped(filled.store) == {}, "age is no want of space"
    (oldest,) = [result for result in filled.store.recent(["page"]) if result.id == page_id(100)]
    assert oldest.files == {}, "a result outlives its pictures"
    assert filled.tidied(KeepSettings(beats_days=30, pictures_days=90, results_days=365, free_mb=0)) == Tidied()


def test_what_was_not_taken_is_counted_for_each_reporter(filled: Filled) -> None:
    unsent = {name: len(filled.store.unsent(name, kinds, 1000)) for name, kinds in TOLD.items()}
    assert unsent == {"all": 42, "pages": 4, "late": 7}
    done = filled.tidied(KeepSettings(beats_days=30, pictures_days=0, results_days=5, free_mb=0))
    # of `all`: beats of 400, 100 and 50 days, minute and page of 400, 100, 50 and 10; of `pages`: pages of 50 and 10
    assert done.dropped == filled.lost() == {"all": 15 + 8, "pages": 2}
    left = {name: len(filled.store.unsent(name, kinds, 1000)) for name, kinds in TOLD.items()}
    assert left == {"all": 42 - 23, "pages": 2, "late": 7}
    filled.tidied(KeepSettings(beats_days=0.5, pictures_days=0, results_days=0.5, free_mb=0))
    assert filled.lost() == {"all": 15 + 8 + 10 + 2, "pages": 3}, "counts add up"


def test_a_reporter_that_the_settings_have_no_more_loses_nothing(filled: Filled) -> None:
    done = tidy(filled.store, filled.keeper, KeepSettings(beats_days=30, free_mb=0), {"pages": ("page",)})
    assert done.beats == 15 and done.dropped == filled.lost() == {}


def test_the_oldest_pictures_go_where_there_are_more_than_the_settings_allow(filled: Filled) -> None:
    done = filled.tidied(KeepSettings(beats_days=0, results_days=0, pictures_days=0, pictures_mb=1, free_mb=0))
    # 1.2 MB less 1 MB; up to ten results at a time
    assert done.files >= 2 and done.bytes == 100_000 * done.files
    kept = sum(size for _, size in filled.keeper.kept())
    assert kept <= 1_000_000 and filled.pictures() == list(DAYS[len(DAYS) - len(filled.pictures()) :])
    assert dropped(filled.store) == {"file": done.files}
    assert filled.beats() == filled.days("page") == list(DAYS)


def test_where_the_disk_is_short_pictures_go_before_beats_and_other_results_stay(filled: Filled) -> None:
    done = filled.tidied(KeepSettings(beats_days=0, results_days=0, pictures_days=0, free_mb=1_000_000))
    assert (done.files, done.beats, done.results) == (12, 30, 0)
    assert filled.pictures() == filled.beats() == [] and filled.days("page") == list(DAYS)
    assert dropped(filled.store) == {"file": 12, "beat": 30}
    assert done.dropped == filled.lost() == {"all": 30, "late": 5}


def test_room_is_made_of_files_first_then_beats_then_results(filled: Filled) -> None:
    assert Reserve(filled.store.path).fill()
    removed = []
    while (done := make_room(filled.store, filled.keeper, TOLD)) != Tidied():
        removed.append((done.files > 0, done.beats > 0, done.results > 0))
    assert removed[0] == (True, False, False) and filled.pictures() == []
    assert filled.beats() == [] and filled.days("page") == filled.days("minute") == []
    assert dropped(filled.store) == {"file": 12, "beat": 30, "result": 12}
    assert filled.lost() == {"all": 42, "pages": 4, "late": 7}


def test_files_that_no_result_names_go_unless_they_are_young(filled: Filled) -> None:
    old, young = (filled.keeper.keep("picture", f"orphan-{age}", b"x") for age in ("old", "young"))
    snippet = filled.keeper.keep("snippet", "orphan", b"x")
    hours_ago = time.time() - 2 * 3600
    for name in (old, snippet, *(name for name, _ in filled.keeper.kept() if "orphan" not in name)):
        os.utime(filled.keeper.folder / name, (hours_ago, hours_ago))
    filled.tidied(NEVER)
    left = {name for name, _ in filled.keeper.kept()}
    assert young in left and old not in left and snippet not in left
    assert len(left) == 2 * len(DAYS) + 1


def test_a_picture_that_is_gone_already_holds_nothing_up(filled: Filled) -> None:
    for name in [name for name, _ in filled.keeper.kept() if page_id(0) not in name][:3]:
        (filled.keeper.folder / name).unlink()
    done = filled.tidied(KeepSettings(beats_days=0, results_days=0, pictures_days=0.5, free_mb=0))
    assert filled.pictures() == [0] and (done.files, done.bytes) == (10, 700_000)


def test_dead_letters_go_with_the_age_of_results(filled: Filled) -> None:
    for result in filled.store.unsent("all", ["page"], 2):
        filled.store.give_up("all", result, "refused for good")
    update = "UPDATE dead_letters SET given_up_utc = '2020-01-01T00:00:00.000Z' WHERE id = ?"
    filled.store.connection.execute(update, (page_id(400),))
    filled.tidied(NEVER)
    assert len(filled.store.dead_letters()) == 2
    filled.tidied(KeepSettings(free_mb=0))
    assert [letter["id"] for letter in filled.store.dead_letters()] == [page_id(100)]
