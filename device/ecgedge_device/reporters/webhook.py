"""Results to an HTTP address: one POST of JSON each, signed.

A receiver compares the signature over what it got, in constant time, and refuses what is old:

    stamp, body = headers["X-Ecgedge-Timestamp"], request.body  # the bytes as they came
    mac = hmac.new(secret, stamp.encode() + b"." + body, "sha256").hexdigest()
    genuine = hmac.compare_digest(headers["X-Ecgedge-Signature"], f"sha256={mac}")
    if not genuine or abs(time.time() - int(stamp)) > 300:
        refuse with 401  # it is sent again when the key has been mended; any other 4xx gives this result up

Results come at least once: drop an X-Ecgedge-Id that you have.
"""

import hmac
import json
import time
from collections.abc import Sequence

from ecgedge import NOTICE
from ecgedge.errors import SettingsError
from ecgedge_device.report_settings import WebhookSettings
from ecgedge_device.reporters import ReportError
from ecgedge_device.reporters.http_receiver import HttpReceiver
from ecgedge_device.results import Result, as_plain


class WebhookReporter:
    """Posts results one after the other.

    Parameters
    ----------
    device : name of this device

    Raises
    ------
    ReportError
        The address is none, or the certificate authority cannot be read.
    """

    def __init__(self, settings: WebhookSettings, *, device: str) -> None:
        self._settings, self._device = settings, device
        self._receiver = HttpReceiver(settings.url, timeout_s=settings.timeout_s, ca_file=settings.ca_file)

    def send(self, results: Sequence[Result]) -> None:
        """Post each; the secret is read anew for every batch, so that it can be changed.

        Raises
        ------
        ReportError
            One is not taken now; those before it are not posted again.
        Refused
            One is never taken.
        """
        try:
            secret = self._settings.secret.read().encode()
        except SettingsError as error:
            raise ReportError(f"{self._receiver}: {error}") from None
        self._receiver.send_each(results, lambda result: self._post(result, secret))

    def close(self) -> None:
        """Let go of the connection."""
        self._receiver.close()

    def _post(self, result: Result, secret: bytes) -> None:
        entry = {**as_plain(result), "device": self._device, "notice": NOTICE}
        body = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode()
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": result.id,
            "X-Ecgedge-Id": result.id,
            "X-Ecgedge-Timestamp": stamp,
        }
        if secret:
            headers["X-Ecgedge-Signature"] = f"sha256={sign(secret, stamp, body)}"
        self._receiver.send("POST", "", body, id=result.id, headers=headers)


def sign(secret: bytes, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 of time, a full stop and body, in hexadecimal."""
    return hmac.new(secret, stamp.encode() + b"." + body, "sha256").hexdigest()
