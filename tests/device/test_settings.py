"""Settings: read, defaults, and every refusal with file, line, key and remedy."""

import inspect
import re
import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest

from ecgedge.errors import SettingsError
from ecgedge_device.report_settings import REPORTS, JsonLinesSettings, MqttSettings
from ecgedge_device.secrets import Secret
from ecgedge_device.settings import AgentSettings, AlarmSettings, KeepSettings, Settings, WebSettings
from ecgedge_device.settings_file import read_settings
from ecgedge_device.source_settings import SOURCES, FolderSettings, HttpSettings, ReplaySettings, StdinSettings

DEVICE = Path(__file__).parents[2] / "device"
EXAMPLE = DEVICE / "agent.toml"
SINGLE = {"agent": AgentSettings, "alarms": AlarmSettings, "keep": KeepSettings, "web": WebSettings}
SECTIONS = (*SINGLE.values(), *SOURCES.values(), *REPORTS.values())
STATED = {  # what stands in the example in place of a default that cannot be written there
    "name": "ward-3",
    "client_id": "ecgedge-ward-3",
    "user": "ecgedge",
    "password": "env:MQTT_PASSWORD",
    "secret": "file:webhook.key",
    "token": ("file:web.token", "file:fhir.token"),
    "subject": "Patient/17",
    "device": "Device/ecgedge-1",
    "ca_file": "ca.pem",
    "users": "users.txt",
    "tls_cert": "cert.pem",
    "tls_key": "key.pem",
    "lead": "MLII",
    "fs_hz": (360.0, 250.0),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    return path


def whole_example() -> str:
    """The example with every commented key and section in force; comments that are prose stay."""
    return re.sub(r"^# (\w+ = |\[)", r"\1", EXAMPLE.read_text(), flags=re.M)


def tables() -> list[tuple[type, dict[str, object]]]:
    """Every section of the whole example with the class that it fills."""
    found = tomllib.loads(whole_example())
    singles = [(SINGLE[name], found[name]) for name in SINGLE]
    sources = [(SOURCES[table["kind"]], table) for table in found["source"]]
    reports = [(REPORTS[table["kind"]], table) for table in found["report"]]
    return [*singles, *sources, *reports]


def test_the_example_shows_every_section_once() -> None:
    assert [section for section, _ in tables()].count(ReplaySettings) == 1
    assert sorted(section.__name__ for section, _ in tables()) == sorted(section.__name__ for section in SECTIONS)


@pytest.mark.parametrize(("section", "table"), tables(), ids=lambda value: getattr(value, "__name__", ""))
def test_the_example_has_every_key_with_its_default(section: type, table: dict[str, object]) -> None:
    keys = {entry.name: entry for entry in fields(section)}
    assert set(table) - {"kind"} == set(keys)
    for name, entry in keys.items():
        default = plain_default(entry)
        if default in (MISSING, None, "", ()):
            stated = STATED.get(name, table[name])  # "path" and "url" have no default at all
            assert table[name] in (stated if isinstance(stated, tuple) else (stated,)), name
        else:
            assert table[name] == default, name


def plain_default(entry: "Field[object]") -> object:
    """As TOML would say it; "" where it is an empty secret."""
    default = entry.default if entry.default_factory is MISSING else entry.default_factory()
    if isinstance(default, tuple):
        return list(default)
    if isinstance(default, Secret):
        return default.reference
    return str(default) if isinstance(default, Path) else default


def test_every_key_in_the_example_says_what_it_is() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if re.match(r"(# )?\w+ = ", line)]
    assert len(lines) > 100
    assert [line for line in lines if not re.search(r" +# \S", line)] == []


def test_the_example_as_it_stands_and_with_all_comments_lifted_is_right(tmp_path: Path) -> None:
    settings = read_settings(EXAMPLE)
    assert settings.agent == AgentSettings(store=DEVICE / "state/ecgedge.sqlite")
    assert settings.reports == (JsonLinesSettings(path=DEVICE / "results.jsonl"),)
    replay, folder, upload = settings.sources
    assert replay == ReplaySettings(path=DEVICE / "recordings/200")
    assert folder == FolderSettings(path=DEVICE / "incoming") and upload == HttpSettings()
    assert (settings.alarms, settings.keep, settings.web) == (AlarmSettings(), KeepSettings(), None)
    whole = read_settings(written(tmp_path, whole_example()))
    assert len(whole.sources) == len(SOURCES) and len(whole.reports) == len(REPORTS)
    assert whole.web is not None and whole.web.token == Secret(f"file:{tmp_path / 'web.token'}")
    mqtt = next(report for report in whole.reports if isinstance(report, MqttSettings))
    assert mqtt.password == Secret("env:MQTT_PASSWORD") and mqtt.ca_file == tmp_path / "ca.pem"


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = written(folder, '[agent]\nbundle = "my.tflite"\n[source]\npath = "/data/200"\n')
    monkeypatch.chdir(tmp_path)
    settings = read_settings(path.relative_to(tmp_path))
    assert settings.agent.bundle == str(folder / "my.tflite")
    assert settings.agent.store == folder / "state/ecgedge.sqlite"
    assert replay_of(settings).path == Path("/data/200")
    assert settings.reports == (JsonLinesSettings(path=folder / "results.jsonl"),)


def replay_of(settings: Settings) -> ReplaySettings:
    (source,) = settings.sources
    assert isinstance(source, ReplaySettings)
    return source


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    assert replay_of(read_settings(written(tmp_path, '[source]\npath = "a"\nchunk_s = 2\n'))).chunk_s == 2.0


def test_several_sources_and_reports_each_have_a_name(tmp_path: Path) -> None:
    text = '[[source]]\npath = "a"\n[[source]]\nkind = "stdin"\nfs_hz = 250\n[[report]]\n[[report]]\nkind = "stdout"\n'
    settings = read_settings(written(tmp_path, text))
    assert [each.name for each in settings.sources] == ["replay", "stdin"]
    assert isinstance(settings.sources[1], StdinSettings) and settings.sources[1].fs_hz == 250.0
    assert [each.name for each in settings.reports] == ["json-lines", "stdout"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[agent]\nthread = 1\n[source]\npath="a"\n', 2, ["[agent] thread", "did you mean threads?"]),
        ('[source]\npath = "a"\n\n# speed\nsped = "real"\n', 5, ["sped", "did you mean speed?"]),
        ('[source]\npath = "a"\nzzz = 1\n', 3, ["zzz", "known are name, path, speed"]),
        ('[sauce]\npath = "a"\n', 1, ["sauce", "did you mean source?"]),
        ("[source]\npath = 5\n", 2, ["path = 5", "a path in quotes"]),
        ('[source]\npath = ""\n', 2, ["path = ''"]),
        ('[source]\npath = "a"\nspeed = "fast"\n', 3, ["'fast'", '"real" or "full"']),
        ('[source]\npath = "a"\nspeed = ["real"]\n', 3, ["['real']"]),
        ('[source]\npath = "a"\nchunk_s = true\n', 3, ["chunk_s = True", "a number"]),
        ('[source]\npath = "a"\nchunk_s = 0\n', 3, ["chunk_s = 0", "0.02 to 600 s"]),
        ('[source]\npath = "a"\nchunk_s = nan\n', 3, ["chunk_s = nan", "0.02 to 600 s"]),
        ('[source]\npath = "a"\nfs_hz = -1\n', 3, ["fs_hz = -1", "Hz"]),
        ('[agent]\nthreads = 1.5\n[source]\npath = "a"\n', 2, ["threads = 1.5", "whole number"]),
        ('[agent]\nthreads = 65\n[source]\npath = "a"\n', 2, ["threads = 65", "1 to 64"]),
        ('[source]\nkind = "kamera"\npath = "a"\n', 2, ["kind = 'kamera'", "replay, folder"]),
        ('[report]\nkind = "fax"\n[source]\npath = "a"\n', 2, ["kind = 'fax'", "json-lines"]),
        ('[source]\nkind = "camera"\npath = "a"\n', 3, ["[source] path", "is not known"]),
        ('[[source]]\npath = "a"\n\n[[source]]\npath = "b"\n', 4, ["'replay' stands on two", "give each its own"]),
        ('[[source]]\npath = "a"\n[[source]]\nname = "b"\n', 3, ["lacks path", "add a line: path = ..."]),
        ('[[source]]\npath = "a"\n[[source]]\nname = "B b"\npath = "c"\n', 4, ["name = 'B b'", "a-z"]),
        ("source = 1\n", 1, ["source = 1", "[[source]]"]),
        ('[source]\nkind = "stdin"\nfs_hz = 0\n', 3, ["fs_hz = 0", "1 to 100000 Hz"]),
        ('[source]\nkind = "serial"\nleads = "II"\n', 3, ["leads = 'II'", "a list of texts"]),
        ('[source]\nkind = "serial"\nleads = []\n', 3, ["leads = []", "name each column"]),
        ('[source]\nkind = "serial"\nsilence_s = 61\n', 3, ["silence_s = 61", "0.5 to 60 s"]),
        ('[source]\nkind = "camera"\nrotate_deg = 45\n', 3, ["rotate_deg = 45", "0, 90, 180 or 270"]),
        ('[source]\nkind = "folder"\npath = "a"\nafter = "burn"\n', 4, ["'burn'", '"move"']),
        ('[source]\npath = "a"\n[alarms]\nrate_high_bpm = 30\n', 4, ["rate_high_bpm = 30", "above rate_low_bpm"]),
        ('[source]\npath = "a"\n[keep]\npictures_mb = 0\n', 4, ["pictures_mb = 0", "1 to 1000000 MB"]),
        ('[source]\npath = "a"\n[report]\nsend = ["beats"]\n', 4, ["send = ['beats']", "beat, minute"]),
        ('[source]\npath = "a"\n[report]\nkind = "webhook"\nurl = "ftp://x"\n', 5, ["'ftp://x'", "https://"]),
        ('[source]\npath = "a"\n[report]\nkind = "mqtt"\npassword = "hunter2"\n', 5, ["env:NAME"]),
        ('[source]\npath = "a"\n[report]\nkind = "mqtt"\ntopic = "a/#"\n', 5, ["topic = 'a/#'"]),
        ('[source]\npath = "a"\n[web]\ntls_cert = "a"\n', 4, ["tls_cert", "tls_key go together"]),
        ('agent = 3\n[source]\npath = "a"\n', 1, ["agent = 3", "[agent]"]),
        ('[source]\npath = "a\n', 2, ["no TOML"]),
        ('[source]\npath = "a"\npath = "b"\n', 3, ["no TOML"]),
    ],
)
def test_refusals_name_line_key_and_remedy(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        read_settings(path)
    message = str(refused.value)
    assert str(path) in message and f"line {line}" in message and "\n" not in message
    assert all(word in message for word in words), message


def test_a_missing_key_is_named_with_the_line_to_add(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no \[\[source\]\]; add one with a kind"):
        read_settings(written(tmp_path, "[agent]\nthreads = 1\n"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_files_that_are_no_text(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "agent.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(SettingsError, match=str(path)):
        read_settings(path)
    with pytest.raises(SettingsError, match="--config"):
        read_settings(tmp_path / "none.toml")


def test_a_program_gets_the_same_refusals() -> None:
    with pytest.raises(SettingsError, match="chunk_s = 0"):
        ReplaySettings(path=Path("a"), chunk_s=0)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_field_has_its_line_of_documentation(section: type) -> None:
    source = inspect.getsource(section)
    assert section.__doc__
    for entry in fields(section):
        assert re.search(rf'^    {entry.name}: .*\n    """.+"""$', source, re.M), entry.name


def test_settings_are_toml_of_these_sections() -> None:
    plural = {"sources": "source", "reports": "report"}
    names = {plural.get(entry.name, entry.name) for entry in fields(Settings)}
    assert set(tomllib.loads(whole_example())) == names


def test_a_secret_is_read_where_it_lies_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(" hunter2\n")
    monkeypatch.setenv("ECGEDGE_TEST_SECRET", "hunter2")
    monkeypatch.delenv("ECGEDGE_TEST_NONE", raising=False)
    for secret in (Secret(f"file:{tmp_path / 'key'}"), Secret("env:ECGEDGE_TEST_SECRET")):
        assert secret.read() == "hunter2" and "hunter2" not in repr(secret) and secret
    assert Secret().read() == "" and not Secret()
    (tmp_path / "empty").write_text("\n")
    for reference, words in (
        (f"file:{tmp_path / 'none'}", "No such file"),
        (f"file:{tmp_path / 'empty'}", "empty"),
        ("env:ECGEDGE_TEST_NONE", "not set"),
    ):
        with pytest.raises(SettingsError, match=words):
            Secret(reference).read()


def test_a_secret_written_into_the_settings_is_refused_without_showing_it(tmp_path: Path) -> None:
    text = '[source]\npath = "a"\n[report]\nkind = "mqtt"\npassword = "hunter2"\n'
    with pytest.raises(SettingsError) as refused:
        read_settings(written(tmp_path, text))
    assert "hunter2" not in str(refused.value)
