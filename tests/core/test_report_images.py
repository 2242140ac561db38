"""ecg_images as a user has it: the published tree or the reduced copy, whole or with something wrong; and its audit.

The pictures are made here: small, and few different ones stand for the 491. One test takes the real ones.
"""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.catalogue import CATALOGUE, locate
from ecgedge.cli import run_command
from ecgedge.commands.data import data
from ecgedge.errors import DataError
from ecgedge.report_images import CLASS_OF_FOLDER, is_reduced, report_copies, report_files

PUBLISHED = CATALOGUE["ecg_images"].pinned()
PER_CLASS = {"normal": 3, "mi": 2, "abnormal": 4, "history_mi": 1}
NORMAL, *_ = CLASS_OF_FOLDER


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def picture(seed: int, *, quality: int = 95) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64), dtype=np.uint8)
    large = cv2.resize(pixels, (128, 96), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """A few different pictures for each class."""
    folder, seeds = tmp_path_factory.mktemp("pictures"), iter(range(100))
    made = {label: [folder / f"{label}{n}.jpg" for n in range(number)] for label, number in PER_CLASS.items()}
    for path in (path for paths in made.values() for path in paths):
        path.write_bytes(picture(next(seeds)))
    return made


@pytest.fixture
def tree(tmp_path: Path, pictures: dict[str, list[Path]]) -> Path:
    """The published tree, of links; the k-th file of a class shows its picture k modulo their number."""
    root = tmp_path / "ecg_images"
    for folder, label in CLASS_OF_FOLDER.items():
        (root / folder).mkdir(parents=True)
        for number, name in enumerate(name for name in PUBLISHED if name.startswith(folder)):
            (root / name).symlink_to(pictures[label][number % PER_CLASS[label]])
    return root


@pytest.fixture
def reduced(tmp_path: Path, pictures: dict[str, list[Path]]) -> Path:
    """A reduced copy: its table, and one picture for each different file."""
    root = tmp_path / "ecg_images"
    (root / "unique").mkdir(parents=True)
    first_of_sum: dict[str, str] = {}
    rows = []
    for name, checksum in PUBLISHED.items():
        folder, _, file = name.partition("/")
        unique = first_of_sum.setdefault(checksum, file)
        rows.append([CLASS_OF_FOLDER[folder], folder, file, unique, checksum.removeprefix("md5:")])
        if unique == file:
            label = CLASS_OF_FOLDER[folder]
            (root / "unique" / file).symlink_to(pictures[label][len(first_of_sum) % PER_CLASS[label]])
    write_table(root, rows)
    return root


def write_table(root: Path, rows: list[list[str]], *, header: str = "label,folder,file,unique,md5_of_original") -> None:
    with (root / "files.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def table_rows(root: Path) -> list[list[str]]:
    with (root / "files.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def replace_file(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def audited(capsys: pytest.CaptureFixture[str], root: Path) -> dict[str, object]:
    assert run_command(data, ["audit", "ecg_images", "--root", str(root), "--json"], program="ecgedge data") == 0
    facts: dict[str, object] = json.loads(capsys.readouterr().out)
    return facts


def counts(facts: dict[str, object]) -> dict[str, tuple[int, int]]:
    classes = facts["classes"]
    assert isinstance(classes, dict)
    return {label: (count["files"], count["pictures"]) for label, count in classes.items()}


def test_the_published_tree_is_read_in_its_order(tree: Path) -> None:
    (tree / NORMAL / ".DS_Store").write_bytes(b"left by a file manager")
    (tree / NORMAL / "Thumbs.db").write_bytes(b"likewise")
    files = report_files(root=tree.parent)
    assert not is_reduced(tree)
    assert [file.name for file in files] == list(PUBLISHED)
    assert files[0].label == "normal"
    assert all(file.path == tree / file.name for file in files)


def test_a_reduced_copy_stands_for_all_files(reduced: Path) -> None:
    files = report_files(root=reduced.parent)
    assert is_reduced(reduced)
    assert [file.name for file in files] == list(PUBLISHED)
    assert len({file.path for file in files}) == 491
    assert all(file.path.parent == reduced / "unique" for file in files)


def test_missing_files_are_named(tree: Path) -> None:
    for number in (3, 5):
        (tree / NORMAL / f"Normal({number}).jpg").unlink()
    with pytest.raises(DataError, match=r"2 of 928 files missing: .*Normal\(3\).jpg, .*; run: ecgedge data fetch"):
        report_files(root=tree.parent)


def test_a_file_too_many_is_named(tree: Path) -> None:
    (tree / NORMAL / "Normal(285).jpg").write_bytes(picture(1))
    with pytest.raises(DataError, match=r"not files of ecg_images: .*Normal\(285\).jpg; move them elsewhere"):
        report_files(root=tree.parent)


def test_a_corrupt_picture_is_named(tree: Path) -> None:
    replace_file(tree / NORMAL / "Normal(7).jpg", picture(1)[:300])
    with pytest.raises(DataError, match=r"Normal\(7\).jpg: a JPEG of 300 bytes without its end.*ecgedge data fetch"):
        report_copies(report_files(root=tree.parent))


def test_a_reduced_copy_without_its_table_is_refused(reduced: Path) -> None:
    (reduced / "files.csv").unlink()
    with pytest.raises(DataError, match=r"files.csv: .*a reduced copy needs it"):
        report_files(root=reduced.parent)


def test_a_table_with_other_columns_is_refused(reduced: Path) -> None:
    write_table(reduced, table_rows(reduced), header="label,folder,file,unique,sha256")
    with pytest.raises(DataError, match=r"files.csv, line 2: needs the columns label, folder, file, unique, md5"):
        report_files(root=reduced.parent)


def test_a_cut_table_is_refused(reduced: Path) -> None:
    write_table(reduced, table_rows(reduced)[:-2])
    with pytest.raises(DataError, match=r"files.csv: 2 of 928 files missing"):
        report_files(root=reduced.parent)


@pytest.mark.parametrize(("column", "value"), [(0, "mi"), (4, "0" * 32)])
def test_a_table_that_contradicts_the_published_one_is_refused(reduced: Path, column: int, value: str) -> None:
    rows = table_rows(reduced)
    rows[6][column] = value
    write_table(reduced, rows)
    with pytest.raises(DataError, match=r"label or MD5 of '.*/Normal\(7\).jpg' is not the published one"):
        report_files(root=reduced.parent)


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_the_pictures_of_a_reduced_copy_must_be_those_of_its_table(reduced: Path, change: str) -> None:
    if change == "missing":
        (reduced / "unique" / "HB(1).jpg").unlink()
    else:
        (reduced / "unique" / "cat.jpg").write_bytes(picture(1))
    complaint = r"1 of 491 files missing: HB\(1\).jpg" if change == "missing" else "not files of ecg_images: cat.jpg"
    with pytest.raises(DataError, match=complaint):
        report_files(root=reduced.parent)


def test_audit_counts_pages_from_the_pictures(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = audited(capsys, tree.parent)
    assert facts["form"] == "as published"
    assert counts(facts) == {"normal": (284, 3), "mi": (239, 2), "abnormal": (233, 4), "history_mi": (172, 1)}
    assert facts["total"] == {"files": 928, "pictures": 10, "exact_copies": 918, "near_copies": 0}
    assert facts["near"] == facts["crossing"] == []
    groups = facts["copies"]
    assert isinstance(groups, list)
    assert sorted(name for group in groups for name in group) == sorted(PUBLISHED)


def test_audit_of_a_reduced_copy_says_so(reduced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = audited(capsys, reduced.parent)
    assert facts["form"] == "reduced copy, exact copies by its files.csv"
    assert counts(facts) == {"normal": (284, 3), "mi": (239, 2), "abnormal": (233, 4), "history_mi": (172, 1)}


def test_audit_names_near_copies_and_pages_in_two_classes(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace_file(tree / NORMAL / "Normal(5).jpg", picture(1, quality=60))  # the second picture of "normal" anew
    mi = next(name for name in PUBLISHED if name.endswith("/MI(4).jpg"))
    replace_file(tree / mi, picture(2))  # the third picture of "normal"
    assert run_command(data, ["audit", "ecg_images", "--root", str(tree.parent)], program="ecgedge data") == 0
    printed = capsys.readouterr().out
    assert "normal      normal                   284         3           280            1" in printed
    assert f"near copies of one page: {NORMAL}/Normal(2).jpg, {NORMAL}/Normal(5).jpg" in printed
    assert f"ONE PAGE IN TWO CLASSES: {NORMAL}/Normal(3).jpg" in printed
    assert "no page lies in more than one class" not in printed
    crossing = audited(capsys, tree.parent)["crossing"]
    assert isinstance(crossing, list)
    assert {"file": mi, "class": "mi"} in crossing[0]


def test_audit_knows_no_data_set_without_pages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(data, ["audit", "mitdb"], program="ecgedge data") == 2
    assert "'mitdb' is not 'ecg_images'" in capsys.readouterr().err


def test_the_real_pictures_are_491(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a published tree, linked together from a reduced copy where that is all there is: counted by the bytes."""
    try:
        locate("ecg_images")
    except DataError as error:
        pytest.skip(str(error))
    for file in report_files():
        (tmp_path / "ecg_images" / file.name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ecg_images" / file.name).symlink_to(file.path.resolve())
    assert locate("ecg_images", root=tmp_path) == tmp_path / "ecg_images"
    facts = audited(capsys, tmp_path)
    truth = {"normal": (284, 142), "mi": (239, 30), "abnormal": (233, 233), "history_mi": (172, 86)}
    assert counts(facts) == truth
    assert facts["total"] == {"files": 928, "pictures": 491, "exact_copies": 437, "near_copies": 0}
    assert facts["crossing"] == []
