"""The catalogue: where data sets are looked for, and what a check of a folder says."""

import hashlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.catalogue import (
    CATALOGUE,
    SERVER_LIST,
    UNPACKED_LIST,
    Dataset,
    data_roots,
    destination,
    digest,
    find_dataset,
    locate,
    read_sums,
    verify,
)
from ecgedge.errors import DataError

PIECE = Dataset("piece", "Piece", "1", "none", "nobody", "", "http://127.0.0.1:9/", size_bytes=3)


@pytest.fixture(autouse=True)
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """ECGEDGE_DATA, `../shared/data` beside the working folder and the cache, all empty and below `tmp_path`."""
    places = {"env": tmp_path / "env", "shared": tmp_path / "shared" / "data", "cache": tmp_path / "xdg" / "ecgedge"}
    for place in (*places.values(), tmp_path / "checkout"):
        place.mkdir(parents=True)
    monkeypatch.setenv("ECGEDGE_DATA", str(places["env"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path / "checkout")
    return places


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def whole(name: str, root: Path) -> Path:
    """A folder with all files of the data set, by name."""
    return put(root / name, *find_dataset(name).names(root / name))


def real(name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data on this machine, or a skipped test."""
    monkeypatch.undo()
    try:
        return locate(name)
    except DataError as error:
        pytest.skip(str(error))


def test_places_are_looked_at_in_order(roots: dict[str, Path]) -> None:
    found = data_roots()
    assert found[:2] == (roots["env"], roots["shared"])
    assert found[-1] == roots["cache"]


def test_a_relative_cache_is_ignored_as_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_roots()[-1] == tmp_path / ".cache" / "ecgedge"


def test_the_environment_goes_before_shared_data(roots: dict[str, Path]) -> None:
    whole("nstdb", roots["shared"])
    assert locate("nstdb").parent == roots["shared"]
    whole("nstdb", roots["env"])
    assert locate("nstdb").parent == roots["env"]


def test_a_whole_copy_goes_before_a_partial_one(roots: dict[str, Path]) -> None:
    put(roots["env"] / "nstdb", "bw.dat")
    whole("nstdb", roots["shared"])
    assert locate("nstdb").parent == roots["shared"]


def test_a_partial_copy_is_good_enough_where_it_has_what_is_wanted(tmp_path: Path) -> None:
    folder = put(tmp_path / "nstdb", "bw.dat", "bw.hea")
    assert locate("nstdb", root=tmp_path) == folder
    assert locate("nstdb", root=tmp_path, wanted=["bw.dat", "bw.hea"]) == folder
    with pytest.raises(DataError, match=r"nstdb: em\.dat missing; looked in .*nstdb; run: ecgedge data fetch nstdb"):
        locate("nstdb", root=tmp_path, wanted=["bw.dat", "em.dat"])


def test_an_explicit_root_is_the_only_one(roots: dict[str, Path], tmp_path: Path) -> None:
    whole("mitdb", roots["env"])
    empty = tmp_path / "empty"
    with pytest.raises(DataError) as caught:
        locate("mitdb", root=empty)
    assert str(caught.value) == (
        f"mitdb: not found; looked in {empty / 'mitdb'}; run: ecgedge data fetch mitdb, or set ECGEDGE_DATA"
    )


def test_a_root_may_be_the_data_set_itself(tmp_path: Path) -> None:
    folder = whole("mitdb", tmp_path)
    assert locate("mitdb", root=folder) == folder
    with pytest.raises(DataError, match="nstdb: not found"):
        locate("nstdb", root=folder)


@pytest.mark.parametrize("sign", ["unique/MI(1).jpg", "MI/x.jpg"])
def test_a_reduced_copy_is_a_copy(tmp_path: Path, sign: str) -> None:
    put(tmp_path / "ecg_images", sign)
    if sign.startswith("unique"):
        assert locate("ecg_images", root=tmp_path) == tmp_path / "ecg_images"
    else:
        with pytest.raises(DataError, match="not found"):
            locate("ecg_images", root=tmp_path)


def test_unpacked_by_hand_is_found_but_not_proved(tmp_path: Path) -> None:
    folder = put(tmp_path / "cinc2017", "training2017/A00001.mat", "REFERENCE-v3.csv")
    assert locate("cinc2017", root=tmp_path) == folder
    found = verify(CATALOGUE["cinc2017"], folder)
    assert found.unproved == ("REFERENCE-v3.csv", "training2017")
    assert not found.complete


def test_fetched_into_the_first_place_of_ones_own(
    roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert destination("mitdb", root=tmp_path) == tmp_path / "mitdb"
    assert destination("mitdb") == roots["env"] / "mitdb"
    monkeypatch.delenv("ECGEDGE_DATA")
    assert destination("mitdb") == roots["cache"] / "mitdb"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="no data set 'mitbih'; there are mitdb, nstdb, cinc2017, ecg_images"):
        locate("mitbih")


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_entry_can_be_cited_and_fetched(name: str) -> None:
    dataset = CATALOGUE[name]
    assert dataset.name == name
    assert all((dataset.title, dataset.version, dataset.licence, dataset.citation, dataset.doi))
    assert dataset.address.startswith("https://")
    assert dataset.address.endswith("/")
    assert dataset.size_bytes > 10_000_000
    assert dataset.pinned() or dataset.listed
    assert not set(dataset.pinned()) & set(dataset.listed)


def test_shipped_checksums_are_those_of_the_published_sets() -> None:
    records = [name for name in CATALOGUE["mitdb"].pinned() if name.endswith(".hea")]
    assert (len(CATALOGUE["mitdb"].pinned()), len(records)) == (145, 48)
    assert set(CATALOGUE["nstdb"].pinned()) == {"bw.dat", "bw.hea", "ma.dat", "ma.hea"}
    pictures = CATALOGUE["ecg_images"].pinned()
    assert (len(pictures), len(set(pictures.values()))) == (928, 491)
    assert all(checksum.startswith("md5:") for checksum in pictures.values())


def test_a_check_sorts_files_into_good_missing_damaged_and_unproved(tmp_path: Path) -> None:
    checksums = tmp_path / "pinned.sha256"
    checksums.write_text("".join(f"{hashlib.sha256(b'x').hexdigest()}  {name}\n" for name in ("a", "b", "c")))
    folder = put(tmp_path / "piece", "a", "b", "loose")
    (folder / "b").write_bytes(b"y")
    told: list[int] = []
    dataset = replace(PIECE, checksums=checksums, listed=("loose", "gone"))
    found = verify(dataset, folder, advance=lambda _stage, n: told.append(n))
    assert (found.good, found.missing, found.damaged) == (("a",), ("c", "gone"), ("b",))
    assert found.unproved == ("loose",)
    assert not found.complete
    assert found.proof == "1 by the SHA256 shipped with ecgedge"
    assert sum(told) == 2


def test_a_list_of_the_server_proves_what_is_not_pinned(tmp_path: Path) -> None:
    folder = put(tmp_path / "piece", "loose")
    dataset = replace(PIECE, listed=("loose",))
    (folder / SERVER_LIST).write_text(f"{hashlib.sha256(b'x').hexdigest()} loose\n{'0' * 64} other\n")
    assert verify(dataset, folder).complete
    assert (
        "the server's own list (guards against corruption, not against a hostile mirror)"
        in verify(dataset, folder).proof
    )
    (folder / "loose").write_bytes(b"y")
    assert verify(dataset, folder).damaged == ("loose",)


def test_a_list_that_a_data_set_has_no_use_for_is_not_read(tmp_path: Path) -> None:
    folder = put(tmp_path / "mitdb", SERVER_LIST, UNPACKED_LIST)  # neither is a list
    assert len(verify(CATALOGUE["mitdb"], folder).missing) == 145


def test_md5_is_said_to_be_md5(tmp_path: Path) -> None:
    checksums = tmp_path / "pinned.md5"
    checksums.write_text(f"{hashlib.md5(b'x').hexdigest()}  MI (240x12=2880)/MI(1).jpg\n")
    folder = put(tmp_path / "piece", "MI (240x12=2880)/MI(1).jpg")
    found = verify(replace(PIECE, checksums=checksums), folder)
    assert found.complete
    assert found.proof.startswith("1 by the MD5 shipped with ecgedge; MD5 is all that is known of these originals")


def test_a_folder_in_place_of_a_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "mitdb" / "100.dat").mkdir(parents=True)
    assert verify(CATALOGUE["mitdb"], tmp_path / "mitdb").damaged == ("100.dat",)


@pytest.mark.parametrize("line", ["", "abc  name", "g" * 64 + "  name", "0" * 64, "0" * 40 + "  sha1"])
def test_a_line_that_is_no_checksum_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sums"
    path.write_text(f"{'0' * 64}  good\n{line}\n")
    if not line:
        assert read_sums(path) == {"good": f"sha256:{'0' * 64}"}
    else:
        with pytest.raises(DataError, match=r"line 2: .* is not a checksum and a file name; delete"):
            read_sums(path)


@given(st.lists(st.text("aZ09 ()=._-/*", max_size=20).map(lambda name: f"n{name}n"), unique=True))
@settings(max_examples=50)
def test_lists_are_read_as_sha256sum_writes_them(names: list[str]) -> None:
    expected = {name: f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in names}
    with TemporaryDirectory() as folder:  # a fixture would be shared by all examples
        path = Path(folder) / "sums"
        for mark in ("  ", " *", " "):
            path.write_text("".join(f"{checksum[7:]}{mark}{name}\n" for name, checksum in expected.items()))
            assert read_sums(path) == expected


@pytest.mark.parametrize("n_bytes", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_digests_do_not_depend_on_blocks(tmp_path: Path, n_bytes: int, algorithm: str) -> None:
    path = tmp_path / "file"
    content = (b"ecg!" * (n_bytes // 4 + 1))[:n_bytes]
    path.write_bytes(content)
    assert digest(path, algorithm) == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def test_the_real_mitdb_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verify(CATALOGUE["mitdb"], real("mitdb", monkeypatch))
    assert found.complete
    assert len(found.good) == 145


def test_the_real_nstdb_has_its_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verify(CATALOGUE["nstdb"], real("nstdb", monkeypatch))
    assert {"bw.dat", "bw.hea", "ma.dat", "ma.hea"} <= set(found.good)
    assert found.damaged == ()


def test_the_real_pictures_are_originals_or_said_to_be_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verify(CATALOGUE["ecg_images"], real("ecg_images", monkeypatch))
    assert found.complete or found.reduced == 491
    assert found.damaged == ()
