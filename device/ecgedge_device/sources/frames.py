"""Binary frames of samples, as a microcontroller sends them over a serial line. Knows nothing of ports.

One frame carries one sample of every lead. All numbers are little-endian; n is the count of leads, 1 to 15.

    byte 0        0xA5
    byte 1        0x5A
    byte 2        0x10 + n: version 1 in the upper four bits, count of leads in the lower four
    byte 3, 4     sequence number, unsigned 16 bits: one more with each frame, 0 after 65535
    byte 5 ...    n signed 32-bit integers, as the converter gave them; -2147483648: not measured (electrode off)
    last 2 bytes  CRC-16/CCITT-FALSE of bytes 2 to 4 + 4 n, unsigned 16 bits: polynomial 0x1021, begins with 0xFFFF,
                  not reflected, not inverted; of the nine characters "123456789" it is 0x29B1

A frame is 7 + 4 n bytes long: 2750 bytes/s for one lead at 250 Hz. `device/arduino/ecg_framed` sends it.
"""

import struct
from binascii import crc_hqx
from collections.abc import Sequence

from ecgedge.errors import InputError
from ecgedge_device.sources.samples import LONGEST_FILL_S, LineCounts, Rows, as_rows

SYNC = b"\xa5\x5a"
VERSION = 1
NOT_MEASURED = -(1 << 31)
MOST_LEADS = 15
_COUNT = 1 << 16  # sequence numbers
_LATE_S = 1.0  # frames wait so long in the buffers of driver and kernel


def pack_frame(sequence: int, values: Sequence[int]) -> bytes:
    """One frame, for programs that send what this module reads."""
    body = struct.pack(f"<BH{len(values)}i", VERSION << 4 | len(values), sequence % _COUNT, *values)
    return SYNC + body + struct.pack("<H", crc_hqx(body, 0xFFFF))


class Frames:
    """Bytes to rows of numbers; keeps a frame whose end has not come.

    A frame with a wrong checksum is never taken: the search goes on one byte behind its beginning.

    Raises
    ------
    InputError
        More leads than a frame can have.
    """

    def __init__(self, n_leads: int, *, fs_hz: float, counts: LineCounts) -> None:
        if not 1 <= n_leads <= MOST_LEADS:
            raise InputError(f"{n_leads} leads; a frame has 1 to {MOST_LEADS}; correct `leads` or take protocol text")
        self._n_leads, self._fs_hz, self._counts = n_leads, fs_hz, counts
        self._head = SYNC + bytes([VERSION << 4 | n_leads])
        self._body = struct.Struct(f"<BH{n_leads}i")
        self._size = len(SYNC) + self._body.size + 2
        self._rest, self._sequence, self._astray = b"", -1, False

    def feed(self, data: bytes, *, elapsed_s: float) -> Rows:
        """The samples of all frames that are complete now, NaN in place of frames that were lost in between.

        Parameters
        ----------
        elapsed_s : time since the call before; more frames than fit into it are not lost, the device has begun anew
        """
        rows: list[list[float]] = []
        rest, at = self._rest + data, 0
        while (found := rest.find(self._head, at)) >= 0:
            self._astray |= found > at
            at = found
            if len(rest) < at + self._size:
                break
            values = self._read(rest[at : at + self._size])
            if values is None:
                self._counts.bad_lines += 1
                self._astray = True
                at += 1
                continue
            rows += [[float("nan")] * self._n_leads] * self._lost(values[0], elapsed_s)
            rows.append([float("nan") if value == NOT_MEASURED else float(value) for value in values[1:]])
            self._take(values[0])
            at += self._size
        if found < 0:
            kept = max(at, len(rest) - len(self._head) + 1)  # a head may have begun
            self._astray |= kept > at
            at = kept
        self._rest = rest[at:]
        return as_rows(rows, self._n_leads)

    def _read(self, frame: bytes) -> tuple[int, ...] | None:
        """Sequence number and samples; None where the checksum is wrong."""
        body, crc = frame[len(SYNC) : -2], frame[-2:]
        if crc_hqx(body, 0xFFFF).to_bytes(2, "little") != crc:
            return None
        values: tuple[int, ...] = self._body.unpack(body)
        return values[1:]

    def _lost(self, sequence: int, elapsed_s: float) -> int:
        """How many frames were lost before this one, where their number can be trusted and is to be filled."""
        if self._sequence < 0:
            return 0
        lost = (sequence - self._sequence - 1) % _COUNT
        if lost > min(elapsed_s + _LATE_S, LONGEST_FILL_S) * self._fs_hz:
            return 0  # the clock tells how many
        self._counts.lost_samples += lost
        return lost

    def _take(self, sequence: int) -> None:
        self._counts.samples += 1
        self._counts.resyncs += self._astray and self._sequence >= 0
        self._sequence, self._astray = sequence, False
