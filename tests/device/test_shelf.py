"""Bundles on the device: installed whole or not at all, put to use, rolled back, swapped between two pictures."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ecgedge.bundle import Bundle, read_bundle, write_bundle
from ecgedge.errors import BundleError
from ecgedge.paper.pictures import read_picture
from ecgedge_device.cli import agent
from ecgedge_device.shelf import Shelf, Task
from ecgedge_device.sources import PictureWork, Work
from tests.device.made_desk import ListSource, made_desk, results_of, run_source
from tests.device.simple_agent import make_bundle

SHIPPED = {task: read_bundle(task) for task in ("beat", "page")}


def of_version(path: Path, version: str, *, task: Task = "page", card: str = "") -> Path:
    """A shipped bundle under another version."""
    bundle = SHIPPED[task]
    manifest = replace(bundle.manifest, version=version)
    write_bundle(replace(bundle, manifest=manifest, card=card or bundle.card), path)
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "bundles", {"beat": "beat", "page": "page"})


def files(folder: Path) -> list[str]:
    """Everything below a folder, hidden files too."""
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def in_use(shelf: Shelf) -> dict[str, str]:
    return {one.task: one.name for one in shelf.listed() if one.active}


@pytest.mark.parametrize("task", ["beat", "page"])
def test_a_bundle_is_verified_self_tested_and_kept_but_not_yet_in_use(tmp_path: Path, shelf: Shelf, task: Task) -> None:
    file = of_version(tmp_path / "new.tflite", "9.0.0", task=task)
    assert shelf.install(file) == f"{task}-9.0.0"
    assert files(tmp_path / "bundles") == [f"{task}-9.0.0.tflite"]
    assert (tmp_path / "bundles" / f"{task}-9.0.0.tflite").read_bytes() == file.read_bytes()
    assert in_use(shelf) == {"beat": "beat", "page": "page"}
    assert shelf.active(task).manifest.version == SHIPPED[task].manifest.version
    assert shelf.install(file) == f"{task}-9.0.0"  # once more changes nothing
    assert files(tmp_path / "bundles") == [f"{task}-9.0.0.tflite"]


def other_answers(bundle: Bundle) -> Bundle:
    """A whole bundle whose golden vectors are those of another model."""
    golden = bundle.golden
    golden["labels"] = np.roll(golden["labels"], 1)
    golden["output"] = np.roll(golden["output"], 7, axis=0)
    buffer = io.BytesIO()
    np.savez(buffer, **golden)
    return replace(bundle, golden_npz=buffer.getvalue())


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _: b"", "0 bytes"),
        (lambda content: content[: len(content) // 2], "damaged or cut short"),
        (lambda content: flipped(content, 5000), "model checksum"),
        (lambda content: content[:-40] + b"\0" * 40, "damaged or cut short"),
    ],
)
def test_a_damaged_file_is_refused_and_leaves_nothing(
    tmp_path: Path, shelf: Shelf, damage: Callable[[bytes], bytes], words: str
) -> None:
    file = of_version(tmp_path / "new.tflite", "9.0.0", task="beat")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BundleError, match=words):
        shelf.install(file)
    assert files(tmp_path / "bundles") == []


def test_a_bundle_that_answers_otherwise_than_its_golden_vectors_is_refused(tmp_path: Path, shelf: Shelf) -> None:
    file = tmp_path / "new.tflite"
    write_bundle(other_answers(SHIPPED["beat"]), file)
    with pytest.raises(BundleError, match=r"self-test failed in .*; it is not installed"):
        shelf.install(file)
    assert files(tmp_path / "bundles") == []


def test_a_version_that_is_no_file_name_is_refused(tmp_path: Path, shelf: Shelf) -> None:
    with pytest.raises(BundleError, match="make a file name"):
        shelf.install(of_version(tmp_path / "new.tflite", "../../9", task="beat"))
    assert files(tmp_path) == ["new.tflite"]


def test_another_content_under_an_installed_version_is_refused(tmp_path: Path, shelf: Shelf) -> None:
    file = of_version(tmp_path / "new.tflite", "9.0.0", task="beat")
    shelf.install(file)
    installed = tmp_path / "bundles" / "beat-9.0.0.tflite"
    before = installed.read_bytes()
    of_version(file, "9.0.0", task="beat", card="# another card\n")
    with pytest.raises(BundleError, match=r"beat-9\.0\.0 is installed with other content; give it another version"):
        shelf.install(file)
    assert installed.read_bytes() == before and files(installed.parent) == [installed.name]


def test_use_and_rollback_and_rollback_again(tmp_path: Path, shelf: Shelf) -> None:
    with pytest.raises(BundleError, match="no bundle for beats was in use before"):
        shelf.rollback("beat")
    shipped = shelf.active("beat")
    name = shelf.install(of_version(tmp_path / "new.tflite", "9.0.0", task="beat"))
    assert shelf.use(name) == "beat"
    assert shelf.changed("beat", shipped) and not shelf.changed("page", shelf.active("page"))
    assert shelf.active("beat").manifest.version == "9.0.0"
    assert in_use(shelf) == {"beat": name, "page": "page"}
    again = Shelf(tmp_path / "bundles", {"beat": "beat", "page": "page"})  # after a restart
    assert again.active("beat").manifest.version == "9.0.0"
    assert [one.name for one in again.listed() if one.previous] == ["beat"]
    for expected in ("beat", name, "beat"):
        assert shelf.rollback("beat") == expected
        assert in_use(again) == {"beat": expected, "page": "page"}
    assert not [name for name in files(tmp_path / "bundles") if name.startswith(".")]


def test_a_bundle_that_is_not_there_or_damaged_is_not_put_to_use(tmp_path: Path, shelf: Shelf) -> None:
    with pytest.raises(BundleError, match="bundle other is not installed; there are beat, page-image, page"):
        shelf.use("other")
    name = shelf.install(of_version(tmp_path / "new.tflite", "9.0.0", task="beat"))
    shelf.use(name)
    shelf.rollback("beat")
    installed = tmp_path / "bundles" / f"{name}.tflite"
    installed.write_bytes(flipped(installed.read_bytes(), 5000))
    with pytest.raises(BundleError, match="model checksum"):
        shelf.rollback("beat")
    assert shelf.active("beat").manifest.version == SHIPPED["beat"].manifest.version


def test_the_settings_may_name_an_installed_bundle(tmp_path: Path, shelf: Shelf) -> None:
    name = shelf.install(of_version(tmp_path / "new.tflite", "9.0.0", task="beat"))
    configured = Shelf(tmp_path / "bundles", {"beat": name, "page": "page"})
    assert configured.active("beat").manifest.version == "9.0.0"
    assert in_use(configured) == {"beat": name, "page": "page"}


def test_a_bundle_for_pages_is_none_for_beats(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "bundles", {"beat": "page", "page": "page"})
    with pytest.raises(BundleError, match=r"for pages; \[agent\] bundle needs one for beats"):
        shelf.active("beat")


def test_where_the_bundle_in_use_has_gone_the_configured_one_is_in_use_again(tmp_path: Path, shelf: Shelf) -> None:
    name = shelf.install(of_version(tmp_path / "new.tflite", "9.0.0", task="beat"))
    shelf.use(name)
    gone = shelf.active("beat")
    (tmp_path / "bundles" / f"{name}.tflite").unlink()
    assert shelf.changed("beat", gone)
    assert shelf.active("beat").manifest.version == SHIPPED["beat"].manifest.version
    assert in_use(shelf) == {"beat": "beat", "page": "page"}


def pictures(tmp_path: Path, count: int) -> list[Work | Exception]:
    """The page of the golden vectors, several times."""
    file = tmp_path / "page.png"
    file.write_bytes(SHIPPED["page"].golden["page_png"].tobytes())
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(count)]
    return [PictureWork(uid, "page.png", "", lambda: read_picture(file)) for uid in ids]


def test_pages_change_bundles_between_two_pictures_while_the_source_runs(tmp_path: Path) -> None:
    desk = made_desk(tmp_path)
    for version in ("9.0.0", "9.1.0"):
        desk.shelf.install(of_version(tmp_path / "new.tflite", version))
    desk.shelf.use("page-9.0.0")
    steps = iter([lambda: desk.shelf.use("page-9.1.0"), lambda: desk.shelf.rollback("page"), lambda: None])

    class Swapping(ListSource):
        """Puts another bundle to use after each picture."""

        def done(self, work, done):  # type: ignore[no-untyped-def]
            super().done(work, done)
            next(steps)()

    source = Swapping([pictures(tmp_path, 3)])
    run_source(desk, source)
    assert desk.failures == [] and [done.kind for _, done in source.heard] == ["judged"] * 3
    contents = [result.content for result in results_of(desk, ("page",))]
    assert [content["bundle"] for content in contents] == ["page 9.0.0", "page 9.1.0", "page 9.0.0"]
    assert len({json.dumps(content["probabilities"]) for content in contents}) == 1  # one model, three times


def test_the_judge_of_pages_is_opened_once_per_bundle(tmp_path: Path) -> None:
    desk = made_desk(tmp_path)
    first = desk.page_judge()
    assert desk.page_judge() is first and first.bundle == f"page {SHIPPED['page'].manifest.version}"
    desk.shelf.install(of_version(tmp_path / "new.tflite", "9.0.0"))
    assert desk.page_judge() is first
    desk.shelf.use("page-9.0.0")
    assert desk.page_judge().bundle == "page 9.0.0"


def invoke(config: Path, *arguments: str | Path) -> Result:
    command, *rest = map(str, arguments)
    return CliRunner().invoke(agent, ["model", command, "--config", str(config), *rest])


def listed(config: Path) -> dict[str, dict[str, object]]:
    found = invoke(config, "list", "--json")
    assert found.exit_code == 0, found.output
    return {one["name"]: one for one in json.loads(found.output)}


def test_the_commands(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[agent]\nstore = "ecgedge.sqlite"\n[source]\nkind = "http"\n')
    assert {name for name, one in listed(config).items() if one["active"]} == {"beat", "page"}
    file = of_version(tmp_path / "new.tflite", "9.0.0", task="beat")
    found = invoke(config, "install", file)
    assert found.exit_code == 0 and found.output.startswith("installed: beat-9.0.0; put it to use with: ")
    assert listed(config)["beat-9.0.0"] == {
        "name": "beat-9.0.0",
        "task": "beat",
        "version": "9.0.0",
        "active": False,
        "previous": False,
    }
    assert (
        "in use for beats: beat-9.0.0; back with: ecgedge-agent model rollback beat"
        in invoke(config, "use", "beat-9.0.0").output
    )
    assert [listed(config)[name]["active"] for name in ("beat-9.0.0", "beat")] == [True, False]
    table = invoke(config, "list").output.splitlines()
    assert any(line.split() == ["beat-9.0.0", "9.0.0", "beats", "in", "use"] for line in table)
    assert any(line.split()[0] == "beat" and line.rstrip().endswith("in use before") for line in table)
    assert invoke(config, "rollback", "beat").output == "in use for beats: beat\n"
    assert isinstance(invoke(config, "use", "other").exception, BundleError)
    file.write_bytes(b"no bundle")
    assert isinstance(invoke(config, "install", file).exception, BundleError)
    assert set(listed(config)) == {"beat", "page", "page-image", "beat-9.0.0"}


def test_a_simple_bundle_that_no_interpreter_can_run_is_refused(tmp_path: Path, shelf: Shelf) -> None:
    with pytest.raises(BundleError, match="self-test cannot be run"):
        shelf.install(make_bundle(tmp_path / "simple.tflite"))
    assert files(tmp_path / "bundles") == []
