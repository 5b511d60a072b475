# SPDX-License-Identifier: MIT
"""What a NEV is and where things are in it: claims C01 to C07 of `spec_notes/nev.md`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from builders.nev import V2, V3, every_kind, lbl, nev, wav

from nev.files import VERSIONS, Opener
from nevparse.errors import DamagedFile, FormatError, TruncatedFile, UnknownVersion, UnsupportedVersion

# ------------------------------------------------------------------------------------------------ what it is


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["s.nev", "S.NEV", "no_extension"])
def test_nev_c01_magic_and_version_decide_whatever_the_name(opened: Opener, version: Any, name: str) -> None:
    file = opened(nev(version=version), name)
    assert (file.spec, file.vendor) == ("{}.{}".format(*version), "blackrock")


def test_nev_c01_the_nearest_minor_version_stands_in(opened: Opener) -> None:
    with pytest.warns(UnknownVersion, match=r"3\.1 .* 3\.0"):
        assert opened(nev(version=(3, 1))).spec == "3.0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"NEURALEV", "a version"),
        (b"######## Neuralynx Data File Header", "Neuralynx"),
        (b"NEURALCD\x02\x03" + bytes(400), "open_nsx"),
        (b"BREVENTS\x03\x00", "336 bytes"),
    ],
)
def test_nev_c01_other_files_are_refused_in_one_line(opened: Opener, data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as refused:
        opened(data)
    assert "\n" not in str(refused.value)


def test_nev_c01_another_major_version_is_refused(opened: Opener) -> None:
    with pytest.raises(UnsupportedVersion, match=r"expected .*found 1\.5"):
        opened(nev(version=(1, 5)))


def test_nev_c02_the_magic_says_the_width_of_timestamps(opened: Opener) -> None:
    late = 2**62 + 1
    assert opened(nev([V3.spike(late, 1, 0)], version=(3, 0))).spikes()["tick"].tolist() == [late]
    assert opened(nev([V2.spike(2**32 - 2, 1, 0)])).spikes()["tick"].tolist() == [2**32 - 2]


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c03_the_basic_header_says_rates_sizes_and_texts(opened: Opener, version: Any) -> None:
    rates: dict[str, Any] = {"tick_rate": 10**9, "sample_rate": 20_000}
    texts: dict[str, Any] = {"application": b"app", "comment": b"note\0garbage"}
    file = opened(nev(version=version, packet_bytes=128, **rates, **texts))
    assert (file.tick_rate, file.sample_rate, file.packet_bytes) == (10**9, 20_000, 128)
    assert (file.application, file.comment, file.processor_tick) == ("app", "note", None)
    assert repr(file).endswith(f"{file.spec}, 0 electrodes, 0 packets)")


# ------------------------------------------------------------------------------------------------ where things are


def test_nev_c04_packets_start_where_the_header_says(opened: Opener) -> None:
    data = nev([V2.spike(7, 1, 0)], [lbl(1, b"one"), bytes(32)], n_extended=1)
    with pytest.warns(DamagedFile, match="expected 368 bytes of headers for 1 extended ones, found 400"):
        file = opened(data)
    assert file.spikes()["tick"].tolist() == [7]
    assert file.electrodes[1].label == "one"


def test_nev_c04_headers_that_the_header_bytes_do_not_hold_are_not_read(opened: Opener) -> None:
    with pytest.warns(DamagedFile):
        file = opened(nev([V2.spike(7, 1, 0)], [lbl(1, b"one")], n_extended=2**32 - 1))
    assert list(file.electrodes) == [1]
    assert file.kinds() == {"spike": 1}


@pytest.mark.parametrize("header_bytes", [0, 335, 10**6, 2**32 - 1])
def test_nev_c04_impossible_header_bytes_give_way_to_the_count(opened: Opener, header_bytes: int) -> None:
    with pytest.warns(DamagedFile, match="packets read from 368 on"):
        file = opened(nev([V2.spike(7, 1, 0)], [lbl(1, b"one")], header_bytes=header_bytes))
    assert file.spikes()["tick"].tolist() == [7]


def test_nev_c05_a_cut_packet_is_left_out_with_a_warning(opened: Opener) -> None:
    with pytest.warns(TruncatedFile, match="lacks 92 of its 104 bytes"):
        file = opened(nev([V2.spike(7, 1, 0)], tail=bytes(12)))
    assert (file.n_packets, file.missing_bytes, file.damage[0].offset) == (1, 92, 336 + 104)
    assert opened(nev([V2.spike(7, 1, 0)])).missing_bytes == 0
    with pytest.warns(TruncatedFile):
        assert opened(nev([V2.spike(7, 1, 0)], tail=b"x")).missing_bytes == 103


@pytest.mark.parametrize("size", [0, 1, 11, 65_536, 2**32 - 1])
def test_nev_c06_impossible_packet_sizes_are_refused(opened: Opener, size: int) -> None:
    with pytest.raises(FormatError, match=f"byte 16: expected packets of 12 to 65535 bytes, found {size}"):
        opened(nev(packet_bytes=size))


@pytest.mark.parametrize("version", VERSIONS)
def test_nev_c07_a_file_without_packets_is_complete(opened: Opener, version: Any) -> None:
    file = opened(nev(version=version, headers=[wav(1)]))
    assert (file.n_packets, file.kinds(), file.trains(), file.trains(waveforms=True)) == (0, {}, {}, {})
    assert (file.comments(), file.resets, file.tick_span, len(file.packets)) == ((), (), None, 0)
    assert file.spikes([1]).shape == (0,)
    assert file.to_uv(file.spikes()).shape[0] == 0


def test_nev_c07_known_kinds_that_are_absent_have_their_type(opened: Opener) -> None:
    bare = opened(nev(packet_bytes=12))
    whole = opened(every_kind((3, 0)))
    for kind in ("digital", "serial", "video_sync", "button", "recording"):
        assert bare.events(kind).shape == (0,)
        assert set(bare.events(kind).dtype.names or ()) <= set(whole.events(kind).dtype.names or ())
    assert bare.events("log").dtype.names == whole.events("log").dtype.names
    assert bare.events("stim").dtype.names == ("tick", "electrode_id", "waveform")
    with pytest.raises(ValueError, match="spike, stim, digital"):
        bare.events("spikes")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ order and time


def test_nev_c43_a_clock_without_a_rate_counts_30_khz(opened: Opener) -> None:
    with pytest.warns(DamagedFile, match="timestamp resolution, found 0; taken as 30000 Hz"):
        file = opened(nev(tick_rate=0))
    assert file.tick_rate == 30_000
    assert file.datetime(30_000) == file.time_origin + timedelta(seconds=1)
