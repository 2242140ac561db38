"""A certificate authority of one's own and a certificate for 127.0.0.1, made with openssl for one test."""

import shutil
import subprocess
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def make_certificates(folder: Path) -> Path:
    """ca.pem, server.pem and server.key, readable by all: mosquitto may run as another user."""
    folder.mkdir(parents=True)
    (folder / "names").write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\n")
    new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    _openssl(folder, f"req -x509 {new} -keyout ca.key -out ca.pem -days 30 -subj /CN=tests")
    _openssl(folder, f"req {new} -keyout server.key -out server.csr -subj /CN=127.0.0.1")
    signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names"
    _openssl(folder, f"x509 -req -in server.csr {signed} -out server.pem")
    return folder


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)
