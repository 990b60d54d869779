"""A spool on a real disk with a problem for each of its alerts."""

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from router.contract.wire import OutgoingRecord
from router.edge.spool.leftovers import slot_folder
from router.edge.spool.storage.codec import RecordAside, SpoolEntry, encode_entry
from router.edge.spool.storage.disk import RealDisk
from router.edge.spool.storage.files import SpoolFiles

DAY_SECONDS: Final = 86400
MOST_BYTES: Final = 16 * 1024 * 1024


def write_troubled_spool(folder: Path) -> Mapping[str, str]:
    """Write an old delivery, a record set aside and a large foreign file; return the settings."""
    root = folder / "troubled-spool"
    own = slot_folder(root, 1)
    own.mkdir(parents=True)
    files = SpoolFiles(RealDisk(), own, partial(os.urandom, 16))
    record = OutgoingRecord("payment", b"key", b"{}", [("ce_type", b"payment.confirmed")])
    old = SpoolEntry(time.time() - 3 * DAY_SECONDS, (record,))
    files.commit([encode_entry(old)])
    files.set_aside(RecordAside(time.time(), "too large", record))
    files.close()
    (own / "000000000009.segment").write_bytes(b"foreign".ljust(MOST_BYTES * 3 // 4, b"."))
    return {"PAYROUTER_SPOOL__PATH": str(root), "PAYROUTER_SPOOL__MAX_BYTES": str(MOST_BYTES)}
