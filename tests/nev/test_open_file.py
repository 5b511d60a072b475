# SPDX-License-Identifier: MIT
"""An open NEV as an object: pickled, closed, shared, and with every kind: C44 to C46 of `spec_notes/nev.md`."""

from __future__ import annotations

import pickle
from threading import Thread
from typing import Any

import numpy as np
import pytest
from builders.handles import replaced
from builders.nev import every_kind, nev, wav

from nev.files import VERSIONS, Opener, some_spikes
from nevparse.errors import FormatError


def test_nev_c44_pickles_as_its_path_and_refuses_other_headers(opened: Opener) -> None:
    file = opened(some_spikes())
    frozen = pickle.dumps(file)
    with pickle.loads(frozen) as copy:
        assert np.array_equal(copy.spikes(), file.spikes())
    file.close()
    replaced(file.path, nev(headers=[wav(9)]))
    with pytest.raises(FormatError, match="headers of the file that was pickled"):
        pickle.loads(frozen)


def test_nev_c45_arrays_outlive_the_file_and_packets_are_read_only(opened: Opener) -> None:
    with opened(some_spikes()) as file:
        packets, spikes = file.packets, file.spikes()
        assert not file.closed
    assert file.closed
    assert packets["packet_id"].tolist()[:3] == spikes["electrode_id"].tolist()[:3]
    assert packets.dtype.names == ("tick", "packet_id", "payload")
    with pytest.raises(ValueError, match="read-only"):
        packets["tick"] = 0
    with pytest.raises(ValueError, match="closed"):
        file.spikes()
    assert file.electrodes[1].electrode_id == 1


def test_nev_c45_packets_are_the_files_own_bytes(opened: Opener) -> None:
    file = opened(some_spikes())
    assert np.shares_memory(file.packets, file.packets)


def test_nev_c45_threads_share_a_file(opened: Opener) -> None:
    file = opened(every_kind((2, 3)))
    found: list[Any] = []
    threads = [Thread(target=lambda: found.append((file.kinds(), len(file.spikes()), file.resets))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(file.kinds(), len(file.spikes()), file.resets)] * 8


@pytest.mark.parametrize(("version", "ripple"), [*((version, False) for version in VERSIONS), ((2, 2), True)])
def test_nev_c46_every_kind_of_event_is_counted_in_every_version(opened: Opener, version: Any, ripple: bool) -> None:
    file = opened(every_kind(version, ripple))
    new = {"log": 1, "config": 1, "recording": 1, "unknown": 1} if version == (3, 0) else {"config": 1, "unknown": 3}
    counts = {"spike": 4, "digital": 1, "serial": 1, "comment": 4, "video_sync": 1, "tracking": 1, "button": 1} | new
    assert file.kinds() == counts | ({"stim": 1} if ripple else {})
    assert sum(file.kinds().values()) == file.n_packets - 1  # the continuation
    order = ["spike", "stim", "digital", "serial", "comment", "video_sync", "tracking", "button", "log", "config"]
    assert list(file.kinds()) == [kind for kind in [*order, "recording", "unknown"] if kind in file.kinds()]
    for kind, count in file.kinds().items():
        for sort in (None, "tick"):
            found = file.events(kind, sort=sort)
            assert len(found) == count
            assert found.dtype["tick"] == np.int64
    assert file.comments()[-1].text.endswith(". and longer")
