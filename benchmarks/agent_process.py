"""An agent as a process of its own: started, watched from outside (processor time, memory), stopped or killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_START = "import sys; from ecgedge_device.cli import main; main()"


class AgentProcess:
    """`ecgedge-agent run` on a settings file.

    Parameters
    ----------
    threads : of OpenBLAS and OpenMP; 1 as on a device with one core to spare
    """

    def __init__(self, config: Path, *, stdin: int | None = subprocess.DEVNULL, threads: int = 1) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", _START, "run", "--config", str(config), "--quiet"]
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, env=environment)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def cpu_s(self) -> float:
        """Processor time so far, s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory now, MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000

    def stop(self, timeout_s: float = 60.0) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
