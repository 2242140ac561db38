"""Whom an encrypted connection trusts."""

import ssl
from pathlib import Path

from ecgedge_device.reporters import ReportError


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Checks the certificate and the name of the other side.

    Parameters
    ----------
    ca_file : certificate authority in place of the system's, PEM

    Raises
    ------
    ReportError
        It cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = error.strerror or "no certificate in PEM"
        raise ReportError(f"{ca_file}: {reason}; give the certificate authority of the other side") from None
