# SPDX-License-Identifier: MIT
"""Which epoch each packet of a NEV belongs to: claims C49 to C54 of `spec_notes/timing.md`."""

from __future__ import annotations

import numpy as np
import pytest
from builders import timing as t
from fixture_types import NewFolder, RealFile
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.nev import epochs
from recording.epoch_builders import STRAY, Built, random_recording, two_epochs
from recording.files import Folder, nsx


def opened(folder: Folder, built: Built) -> nv.Recording:
    return folder.write(**built.files).open()


def segments(recording: nv.Recording, built: Built) -> list[int]:
    """The segment of every packet but the strays."""
    packets = [packet for packet, epoch in enumerate(built.epochs) if epoch is not STRAY]
    ticks = [built.ticks[packet] for packet in packets]
    return recording.locate(ticks, 5, packets=packets)[0].tolist()


def test_timing_c49_the_continuous_files_say_where_the_clock_was_set_anew(folder: Folder) -> None:
    rec = opened(folder, two_epochs())
    assert rec.epochs == ((0, 8_000), (116, 200_116))
    assert rec.packet_epochs.epoch.tolist() == two_epochs().epochs


def test_timing_c49_a_file_with_fewer_epochs_is_matched_by_its_times(folder: Folder) -> None:
    """The slow file was started after the clock was set anew, and the fast one before."""
    folder.write(s__nev=t.spike_nev([500, 59_000, 120, 150]), s__ns2=nsx((150, 90), period=30))
    rec = folder.write(s__ns5=nsx((40, 60_000), (116, 3_000))).open()
    assert rec.locate([500, 59_000, 120, 150], 2, packets=range(4))[1].tolist() == [-1, -1, -1, 0]
    assert rec.locate([500, 59_000, 120, 150], 5, packets=range(4))[1].tolist() == [460, 58_960, 4, 34]


def test_timing_c51_strays_do_not_move_the_others(folder: Folder) -> None:
    built = two_epochs()
    for tick in (2, 0):
        built.insert(320, tick, STRAY)
    rec = opened(folder, built)
    assert [reset.packet for reset in rec.nev.resets] == [20]
    assert segments(rec, built) == [0] * 20 + [1] * 500


def test_timing_c51_what_is_in_line_stays_though_only_another_epoch_has_its_ticks(folder: Folder) -> None:
    """The continuous file was cut by a crash: the NEV goes on for longer in the second epoch."""
    built = Built([(0, 60_000), (116, 9_000)])
    for epoch, stop in enumerate((60_000, 58_000)):
        for tick in range(200, stop, 400):
            built.add(tick, epoch)
    rec = opened(folder, built)
    is_behind = [epoch == 1 and tick >= 9_116 for tick, epoch in zip(built.ticks, built.epochs, strict=True)]
    with pytest.warns(nv.AmbiguousEpochs, match=r"\(epoch 1 or 0\)"):
        found = segments(rec, built)
    assert found == [-1 if behind else epoch for behind, epoch in zip(is_behind, built.epochs, strict=True)]
    assert rec.packet_epochs.epoch.tolist() == built.epochs
    far = rec.packet_epochs.alternative[np.array(built.ticks) > 9_416]  # 10 ms behind the second epoch
    assert set(far.tolist()) == {0}


def test_timing_c52_appended_events_do_not_move_the_others(folder: Folder) -> None:
    built = two_epochs()
    for tick in range(500, 198_500, 9_000):
        built.add(tick, 1, is_digital=True)
    rec = opened(folder, built)
    assert [reset.packet for reset in rec.nev.resets] == [20]
    spikes = rec.nev.packets_of("spike")
    segment, sample = rec.locate(rec.nev.spikes(waveforms=False)["tick"], 5, packets=spikes)
    assert segment.tolist() == [0] * 20 + [1] * 500
    assert np.all(sample >= 0)
    with pytest.warns(nv.AmbiguousEpochs, match="1 of 22 packets"):  # both epochs have a tick 500
        rec.locate(rec.nev.events("digital")["tick"], 5, packets=rec.nev.packets_of("digital"))


def test_timing_c52_spikes_may_stand_channel_by_channel(folder: Folder) -> None:
    built = Built([(0, 8_000), (116, 200_000)])
    for electrode in (1, 2, 3, 4):
        for epoch, ticks in enumerate((range(0, 8_000, 400), range(116, 200_116, 400))):
            for tick in ticks:
                built.add(tick, epoch, electrode)
    rec = opened(folder, built)
    assert rec.nev.resets == ()
    assert segments(rec, built) == ([0] * 20 + [1] * 500) * 4


def test_timing_c53_a_nev_without_the_reset_of_its_file_is_ambiguous(folder: Folder) -> None:
    """Spikes of the first epoch alone, which the second one could hold as well."""
    rec = folder.write(s__nev=t.spike_nev(range(150, 7_000, 50)), s__ns5=nsx((0, 8_000), (116, 9_000))).open()
    numbers, others = rec.packet_epochs
    assert (set(numbers.tolist()), set((numbers != others).tolist())) == ({1}, {True})
    with pytest.warns(nv.AmbiguousEpochs, match=r"1 of 1 packets .* packet 3 \(epoch 1 or 0\)"):
        rec.locate([300], 5, packets=[3])
    findings = {finding.code: finding.message for finding in nv.check(folder.path / "s")}
    assert "137 packets may be of either" in findings["ambiguous-epochs"]
    assert findings["empty-epoch"] == "expected packets of 2 epochs of the clock, found none of 0"


def wrong_and_not_said(rec: nv.Recording, built: Built) -> list[int]:
    """Packets, strays left out, that are in another epoch than theirs and not ambiguous."""
    numbers, others = rec.packet_epochs
    true = np.array([numbers[packet] if epoch is STRAY else epoch for packet, epoch in enumerate(built.epochs)])
    return np.flatnonzero((numbers != true) & (numbers == others)).tolist()


@pytest.mark.parametrize(("margin", "n_wrong"), [(0, 67), (1, 0)])
def test_timing_c53_in_a_regrouped_file_one_packet_more_or_less_decides_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, margin: int, n_wrong: int
) -> None:
    """30 channels of 40 packets each, in four epochs, with strays."""
    built = random_recording(1237)
    monkeypatch.setattr(epochs, "_ONE_DECIDES_NOTHING", margin)
    assert len(wrong_and_not_said(opened(folder, built), built)) == n_wrong


@given(seed=st.integers(0, 10**9))
def test_timing_c50_and_c54_every_packet_is_in_its_epoch_or_said_to_be_ambiguous(
    new_folder: NewFolder, seed: int
) -> None:
    built = random_recording(seed)
    folder = Folder(new_folder()).write(**built.files)
    with nv.open_recording(folder.path / "s") as rec:
        assert wrong_and_not_said(rec, built) == []
        assert rec.nev is not None
        is_sure = np.array([epoch is not STRAY for epoch in built.epochs])
        np.testing.assert_array_equal(rec.nev._packets.heads.tick[is_sure], np.array(built.ticks)[is_sure])


@pytest.mark.parametrize(("name", "n_spikes"), [("reset", [5451, 7628]), ("pause", [5644, 5539])])
def test_timing_c50_real_spikes_are_in_their_blocks(real_file: RealFile, name: str, n_spikes: list[int]) -> None:
    real_file(f"{name}.ns2")
    with nv.open_recording(real_file(f"{name}.nev")) as rec:
        ticks, packets = rec.nev.spikes(waveforms=False)["tick"], rec.nev.packets_of("spike")
        assert np.bincount(rec.locate(ticks, 2, packets=packets)[0]).tolist() == n_spikes


def test_timing_c53_real_spikes_of_one_epoch_are_not_located_in_the_other_silently(
    folder: Folder, real_file: RealFile
) -> None:
    with nv.open_nev(real_file("reset.nev")) as nev:
        head, packet_bytes = nev._headers_end, nev.packet_bytes
    folder.write(s__nev=real_file("reset.nev").read_bytes()[: head + 5451 * packet_bytes])
    folder.write(s__ns2=real_file("reset.ns2").read_bytes())
    rec = folder.open()
    numbers, others = rec.packet_epochs
    assert np.all((numbers == 0) | (others == 0))
    spikes, packets = rec.nev.spikes(waveforms=False)["tick"], rec.nev.packets_of("spike")
    assert np.bincount(rec.locate(spikes, 2, packets=packets)[0]).tolist() == [5451]
    assert "empty-epoch" in [finding.code for finding in nv.check(folder.path / "s")]


@pytest.mark.parametrize(("after", "alternative"), [(0, epochs.BEFORE), (1, 0)])
def test_timing_c53_only_what_stands_before_a_reset_of_the_first_epoch_may_be_from_before_all(
    after: int, alternative: int
) -> None:
    pieces = [(0, 0), (5, after)]
    assert epochs._with_before(pieces, pieces, 5) == [(0, alternative), (5, after)]
