"""Results on standard output: through a real pipe, also when its reader goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgedge_device.health import Health
from ecgedge_device.report_settings import StdoutSettings
from ecgedge_device.reporters import ReportError, open_reporter
from ecgedge_device.reporters.stdout import StdoutReporter
from ecgedge_device.results import KINDS, as_plain
from tests.device.made_results import made

PROGRAM = """
import sys
from ecgedge_device.reporters import ReportError
from ecgedge_device.reporters.stdout import StdoutReporter
from tests.device.made_results import made
reporter = StdoutReporter(sys.stdout)
sys.stdin.readline()
for _ in range(2):
    try:
        reporter.send([made(k=k) for k in range(50)])
    except ReportError as error:
        print(error, file=sys.stderr)
reporter.close()
"""


def test_a_line_of_json_for_every_kind() -> None:
    reading, writing = os.pipe()
    results = [made(kind, k, text="é") for k, kind in enumerate(KINDS)]
    with os.fdopen(writing, "w", encoding="ascii") as stream, os.fdopen(reading) as end:
        reporter = StdoutReporter(stream)
        reporter.send(results)
        lines = [end.readline() for _ in results]  # there before anything is closed
        reporter.close()
        assert not stream.closed
    assert [json.loads(line) for line in lines] == [json.loads(json.dumps(as_plain(one))) for one in results]


def test_a_reader_that_goes_is_told_in_one_line_each_time_and_nothing_follows_at_the_end() -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert program.stdin and program.stdout and program.stderr
    program.stdout.close()
    program.stdin.write("\n")
    program.stdin.close()
    complaint = program.stderr.read()
    assert program.wait(60) == 0
    told = "standard output: nobody reads it any more; start the agent and its reader again\n"
    assert complaint == 2 * told


def test_a_full_disk_is_named() -> None:
    with open("/dev/full", "w") as stream:  # noqa: PTH123
        reporter = StdoutReporter(stream)
        with pytest.raises(ReportError, match="No space left on device; free some space"):
            reporter.send([made()])
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def test_a_closed_stream_is_named(tmp_path: Path) -> None:
    stream = (tmp_path / "out").open("w")
    stream.close()
    with pytest.raises(ReportError, match="it is closed"):
        StdoutReporter(stream).send([made()])


def test_the_settings_choose_it() -> None:
    reporter = open_reporter(StdoutSettings(), device="pi", files=Path(), health=Health())
    assert isinstance(reporter, StdoutReporter)
    reporter.close()
