"""Settings: read, defaults, and every refusal with file, line, key and remedy."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from ecgedge.errors import SettingsError
from ecgedge_device.settings import AgentSettings, JsonLinesSettings, ReplaySettings, Settings, read_settings

EXAMPLE = Path(__file__).parents[2] / "device" / "agent.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    return path


def test_the_example_has_every_key_with_its_default() -> None:
    settings = read_settings(EXAMPLE)
    beside = EXAMPLE.parent
    assert settings.agent == AgentSettings(store=beside / "state/beats.sqlite")
    assert settings.report == JsonLinesSettings(beside / "beats.jsonl")
    assert settings.source == ReplaySettings(beside / "recordings/200")
    text = EXAMPLE.read_text()
    for section in (AgentSettings, ReplaySettings, JsonLinesSettings):
        for entry in fields(section):
            assert re.search(rf"^(# )?{entry.name} = .*# ", text, re.M) or entry.name == "path", entry.name


def test_the_keys_that_the_example_leaves_out_are_right(tmp_path: Path) -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.M)
    source = read_settings(written(tmp_path, text)).source
    assert (source.lead, source.fs_hz) == ("MLII", 360.0)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = written(folder, '[agent]\nbundle = "my.tflite"\n[source]\npath = "/data/200"\n')
    monkeypatch.chdir(tmp_path)
    settings = read_settings(path.relative_to(tmp_path))
    assert settings.agent.bundle == str(folder / "my.tflite")
    assert settings.agent.store == folder / "state/beats.sqlite"
    assert settings.source.path == Path("/data/200")
    assert settings.report.path == folder / "beats.jsonl"


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, '[source]\npath = "a"\nchunk_s = 2\n')).source.chunk_s == 2.0


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[agent]\nthread = 1\n[source]\npath="a"\n', 2, ["[agent] thread", "did you mean threads?"]),
        ('[source]\npath = "a"\n\n# speed\nsped = "real"\n', 5, ["sped", "did you mean speed?"]),
        ('[source]\npath = "a"\nzzz = 1\n', 3, ["zzz", "known are path, speed"]),
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
        ('[source]\nkind = "camera"\npath = "a"\n', 2, ["kind = 'camera'", "replay"]),
        ('[report]\nkind = "mqtt"\n[source]\npath = "a"\n', 2, ["kind = 'mqtt'", "json-lines"]),
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
    with pytest.raises(SettingsError, match=r'\[source\] lacks path; add a line: path = "\.\.\."'):
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
        ReplaySettings(Path("a"), chunk_s=0)


def test_every_field_has_its_line_of_documentation() -> None:
    source = (EXAMPLE.parent / "ecgedge_device" / "settings.py").read_text()
    for section in (AgentSettings, ReplaySettings, JsonLinesSettings):
        for entry in fields(section):
            assert re.search(rf'^    {entry.name}: .*\n    """.+"""$', source, re.M), entry.name


def test_settings_are_toml_of_three_sections() -> None:
    assert set(tomllib.loads(EXAMPLE.read_text())) == {entry.name for entry in fields(Settings)}
