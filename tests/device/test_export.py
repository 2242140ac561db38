"""Stored results for other programs: read back with the programs they are for; a file is whole or not there."""

import csv
import io
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import wfdb
from click.testing import CliRunner, Result

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge_device.agent import Agent
from ecgedge_device.cli import agent
from ecgedge_device.export import read_snippet, since_utc, stored_since
from ecgedge_device.results import KINDS, Finding
from ecgedge_device.settings_file import read_settings
from ecgedge_device.store import Store
from tests.device.made_results import made, refused_page
from tests.device.simple_agent import FS_HZ, make_folder, make_recording, maker

SECONDS = 60.0


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings whose store has a judged recording with alarms, and three pages."""
    config = make_folder(tmp_path_factory.mktemp("export"), seconds=SECONDS)
    served = Agent(read_settings(config), stop=threading.Event(), make_engine=maker()).run()
    assert served.trouble is None
    with opened(config) as store:
        for page in (made("page", 1), made("page", 2, name='a "page", of two\nlines.jpg'), refused_page(3)):
            store.add([Finding(page.id, "page", page.source, page.time_utc, page.content)])
    return config


def opened(config: Path) -> Store:
    return Store(config.with_name("ecgedge.sqlite"))


def export(config: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(agent, ["export", "--config", str(config), *map(str, arguments)])


def exported(config: Path, *arguments: str | Path) -> str:
    found = export(config, *arguments)
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(config: Path, *arguments: str | Path) -> str:
    """What an export that must fail says."""
    found = export(config, *arguments)
    assert isinstance(found.exception, InputError) and found.stdout == ""
    return str(found.exception)


def test_lines_are_what_reporters_are_told_in_the_order_of_storing(config: Path) -> None:
    lines = [json.loads(line) for line in exported(config, "--format", "jsonl").splitlines()]
    told = [json.loads(line) for line in config.with_name("results.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines[:-3]] == [line["id"] for line in told]
    assert lines[: len(told)] == told
    assert {line["kind"] for line in lines} == set(KINDS)
    assert [line["refused"] for line in lines[-3:]] == [False, False, True]
    only = exported(config, "--format", "jsonl", "--kind", "alarm", "--kind", "page").splitlines()
    assert [json.loads(line)["id"] for line in only] == [
        line["id"] for line in lines if line["kind"] in ("alarm", "page")
    ]


def test_csv_has_a_row_per_result_that_a_csv_reader_reads_back(config: Path, tmp_path: Path) -> None:
    found = export(config, "-o", tmp_path / "new" / "all.csv")
    text = (tmp_path / "new" / "all.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    lines = [json.loads(line) for line in exported(config, "--format", "jsonl").splitlines()]
    assert found.output == f"{len(lines)} results since {found.output.split()[-1]}\n"
    assert [(row["id"], row["kind"], row["time_utc"]) for row in rows] == [
        (line["id"], line["kind"], line["time_utc"]) for line in lines
    ]
    beat, beats = rows[0], [line for line in lines if line["kind"] == "beat"]
    assert (beat["recording"], float(beat["time_s"]), beat["label"]) == ("ecg", beats[0]["time_s"], beats[0]["label"])
    assert json.loads(beat["details"])["sample"] == beats[0]["sample"]
    assert rows[-2]["recording"] == 'a "page", of two\nlines.jpg'
    assert (rows[-1]["label"], rows[-1]["reason"]) == ("", lines[-1]["reason"]) and lines[-1]["reason"]
    assert exported(config).splitlines() == text.splitlines()


def test_wfdb_annotations_and_snippets_are_read_by_wfdb(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wfdb"
    assert "files since" in export(config, "--format", "wfdb", "-o", folder).output
    with opened(config) as store:
        beats = store.beats(store.run(1))
        alarms = [one for one in store.recent(["alarm"], limit=1000) if one.files]
    annotations = wfdb.rdann(str(folder / "run00001"), "atr")
    assert annotations.sample.tolist() == [beat.sample for beat in beats] and annotations.fs == FS_HZ
    assert annotations.symbol == [{"N": "N", "S": "S", "Q": "Q"}[beat.label] for beat in beats]
    assert len(alarms) >= 2
    assert sorted(path.stem for path in folder.glob("*.hea")) == sorted(f"alarm{one.number:07}" for one in alarms)
    for alarm in alarms:
        record = wfdb.rdrecord(str(folder / f"alarm{alarm.number:07}"))
        with np.load(config.with_name("ecgedge") / alarm.files["snippet"]) as kept:
            first = round(float(kept["start_s"]) * FS_HZ)
        truth = make_recording(SECONDS).signal[first : first + record.sig_len]
        assert (record.fs, record.sig_name, record.units) == (FS_HZ, ["lead1"], ["mV"])
        np.testing.assert_allclose(record.p_signal, truth, atol=0.001)


def test_fhir_is_valid_and_has_an_observation_per_page_and_recording(config: Path, tmp_path: Path) -> None:
    bundle = pytest.importorskip("fhir.resources.R4B.bundle", reason="fhir.resources is not installed (extra dev)")
    file = tmp_path / "bundle.json"
    export(config, "--format", "fhir", "-o", file)
    plain = json.loads(file.read_text())
    bundle.Bundle.model_validate(plain)
    resources = [entry["resource"] for entry in plain["entry"]]
    with opened(config) as store:
        results = list(reversed(store.recent(["page", "recording"])))
    assert plain["type"] == "collection" and [one["id"] for one in resources] == [one.id for one in results]
    assert all(NOTICE in one["note"][0]["text"] for one in resources)
    (recording,) = [one for one in resources if "sampled" in json.dumps(one).lower()]
    assert recording["id"] == next(one.id for one in results if one.kind == "recording")
    pages = json.loads(exported(config, "--format", "fhir", "--kind", "page"))
    assert [entry["resource"]["id"] for entry in pages["entry"]] == [one.id for one in results if one.kind == "page"]


def test_fhir_has_no_resource_for_beats_and_says_so(config: Path, tmp_path: Path) -> None:
    message = refused(config, "--format", "fhir", "--kind", "beat", "-o", tmp_path / "x.json")
    assert "beat" in message and "page" in message and "recording" in message
    assert list(tmp_path.iterdir()) == []


def test_since_takes_what_was_stored_at_or_after_a_time(tmp_path: Path) -> None:
    with Store(tmp_path / "ecgedge.sqlite") as store:
        for hour in range(4):
            page = made("page", hour)
            store.add([Finding(page.id, "page", "camera", "", {**page.content, "name": str(hour)})])
            stored = f"2026-01-01T0{hour}:00:00.000Z"
            store.connection.execute("UPDATE results SET stored_utc = ? WHERE id = ?", (stored, page.id))
        since = [
            ("2026-01-01T01:00:00.000Z", "123"),
            ("2026-01-01T01:00:00.001Z", "23"),
            ("2027", ""),
            ("2025", "0123"),
        ]
        for begin, names in since:
            found = "".join(str(one.content["name"]) for one in stored_since(store, begin, KINDS))
            assert found == names, begin


@pytest.mark.parametrize(
    ("text", "ago"),
    [("7d", timedelta(days=7)), ("1.5h", timedelta(minutes=90)), ("30min", timedelta(minutes=30)), ("0s", timedelta())],
)
def test_since_says_how_long_ago(text: str, ago: timedelta) -> None:
    before, found, after = datetime.now(UTC), datetime.fromisoformat(since_utc(text)), datetime.now(UTC)
    slack = timedelta(milliseconds=1)
    assert before - ago - slack <= found <= after - ago + slack


def test_since_is_a_time_in_any_zone() -> None:
    assert since_utc("2026-11-21T16:00Z") == "2026-11-21T16:00:00.000Z"
    assert since_utc("2026-11-21T16:00+01:00") == "2026-11-21T15:00:00.000Z"
    local = datetime(2026, 11, 21).astimezone(UTC)
    assert since_utc("2026-11-21") == local.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("text", ["", "yesterday", "7", "d", "-7d", "1.2.3h", "2026-13-01", "²d", "9999999999d", "7w"])
def test_what_is_no_time_is_refused(config: Path, text: str) -> None:
    assert refused(config, "--since", text).startswith(f"--since {text}: no time; write 2026-11-21")


@pytest.mark.parametrize("how", ["csv", "jsonl", "fhir"])
def test_a_file_that_is_there_is_replaced_only_when_told_to(config: Path, tmp_path: Path, how: str) -> None:
    file = tmp_path / "out"
    file.write_text("precious")
    message = refused(config, "--format", how, "-o", file)
    assert "is there already and is not replaced" in message and file.read_text() == "precious"
    assert export(config, "--format", how, "-o", file, "--overwrite").exit_code == 0
    assert "precious" not in file.read_text() and list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_empty_is_written_to_only_when_told_to(config: Path, tmp_path: Path) -> None:
    (tmp_path / "run00001.atr").write_text("precious")
    message = refused(config, "--format", "wfdb", "-o", tmp_path)
    assert "is not empty" in message and (tmp_path / "run00001.atr").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["run00001.atr"]
    assert export(config, "--format", "wfdb", "-o", tmp_path, "--overwrite").exit_code == 0
    assert len(wfdb.rdann(str(tmp_path / "run00001"), "atr").sample) > 60


def test_an_export_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    config = make_folder(tmp_path / "agent", seconds=5)
    Agent(read_settings(config), stop=threading.Event(), make_engine=maker()).run()
    with opened(config) as store:
        store.connection.execute("UPDATE results SET content = '{' WHERE kind = 'recording'")  # a damaged row
    for how in ("csv", "jsonl", "fhir"):
        found = export(config, "--format", how, "-o", tmp_path / "out" / f"file.{how}")
        assert found.exit_code != 0
        assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_exported_is_said(config: Path, tmp_path: Path) -> None:
    assert "name a folder with -o" in refused(config, "--format", "wfdb")
    assert "cannot be written" in refused(config, "-o", config / "x.csv")
    assert "cannot be written" in refused(config, "--format", "wfdb", "-o", config / "x")
    other = make_folder(tmp_path / "other", seconds=5)
    assert "no store; run the agent first" in refused(other)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match=r"damaged\.npz: no snippet that can be read"):
        read_snippet(damaged)
