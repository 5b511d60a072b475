# SPDX-License-Identifier: MIT
"""Recorded files: what is known of them must come out (claims of spec_notes/nev.md that files show)."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from fixture_types import RealFile

from nevparse.errors import TruncatedFile
from nevparse.nev.file import open_nev


def test_nev_c17_blackrock_2_1_of_2010(real_file: RealFile) -> None:
    with open_nev(real_file("l101210-001-02.nev")) as file:
        assert (file.spec, file.application, file.packet_bytes) == ("2.1", "File Dialog v4.15.0.0", 104)
        assert file.kinds() == {"spike": 14_210, "digital": 8}
        assert file.tick_span == (5, 109_221)
        assert len(file.electrodes) == 144
        assert file.time_origin == datetime(2010, 12, 10, 10, 50, 10, 156_000, timezone.utc)
        digital = file.events("digital")
        assert digital["value"].tolist() == [65280, 65296, 65280, 65344, 65349, 65344, 65350, 65382]
        seconds = [0.1349, 0.1385, 0.1604, 0.5421, 0.9435, 1.2480, 2.2508, 2.4426]
        assert np.floor(digital["tick"] / 3).tolist() == [round(s * 1e4) for s in seconds]
        trains = file.trains()
        assert len({electrode for electrode, _ in trains}) == 96
        assert sum(map(len, trains.values())) == 14_210
        assert 255 in {unit for _, unit in trains}
        assert set(trains) == set(file.trains(waveforms=True))


def test_nev_c10_blackrock_spikes_cross_their_threshold(real_file: RealFile) -> None:
    with open_nev(real_file("l101210-001-02.nev")) as file:
        for spikes in file.trains(waveforms=True).values():
            threshold = file.electrodes[int(spikes["electrode_id"][0])].low_threshold
            assert threshold is not None
            assert (spikes["waveform"][:, 9:11].min(axis=1) <= threshold).mean() > 0.9


def test_nev_c08_blackrock_2_2_of_2012(real_file: RealFile) -> None:
    with open_nev(real_file("limblab_datafile001.nev")) as file:
        assert (file.spec, file.kinds(), file.tick_span) == ("2.2", {"digital": 39_139}, (5, 293_069))
        assert set(file.events("digital")["reason"].tolist()) == {1}
        assert file.events("digital")[0].tolist()[:3] == (5, 1, 0x37)
        one, last = file.electrodes[1], file.electrodes[144]
        assert (one.label, one.low_threshold_uv) == ("chan1", -63.75)
        assert (last.label, last.high_pass) == ("ainp16", None)
        assert one.high_pass == (250.0, 4, "butterworth")
        assert one.low_pass == (7500.0, 3, "butterworth")
        assert last.uv_per_bit == pytest.approx(152.5925)
        assert [label.mode for label in file.digital_labels] == ["parallel", "serial"]


def test_nev_c25_ripple_of_2015(real_file: RealFile) -> None:
    with open_nev(real_file("ripple_testData.nev")) as file:
        assert (file.spec, file.vendor, file.processor_tick) == ("2.2", "ripple", 410_825_880)
        assert file.kinds() == {"spike": 3432, "stim": 320, "digital": 10_042}
        assert file.tick_span == (13, 300_045)
        reasons = np.bincount(file.events("digital")["reason"])
        assert (reasons[1], reasons[2]) == (10_002, 40)
        assert set(file.events("digital")["sma"][:, 0].tolist()) == {0, 32_767}
        ids = {electrode for electrode, _ in file.trains()}
        assert len(ids) == 32
        stim = file.events("stim")
        assert (stim["electrode_id"].min(), stim["electrode_id"].max()) == (5249, 5280)
        assert file.electrodes[5249].stim_v_per_bit == pytest.approx(5.0863e-4, rel=1e-4)
        assert abs(file.to_uv(stim)).max() <= 16.67e6
        one = file.electrodes[1]
        assert (one.uv_per_bit, one.n_points, one.high_threshold_uv, one.label) == (0.2, 52, 6554, "")


def test_nev_c38_ripples_978_backward_steps_are_no_resets(real_file: RealFile) -> None:
    with open_nev(real_file("ripple_testData.nev")) as file:
        steps = np.diff(file.packets["tick"].astype(np.int64))
        assert ((steps < 0).sum(), steps.min()) == (978, -70)
        assert file.resets == ()
        for kind, count in file.kinds().items():
            ticks = file.events(kind, sort="tick")["tick"]
            assert len(ticks) == count
            assert np.all(ticks[1:] >= ticks[:-1])


def test_nev_c05_a_lab_written_file_with_its_partial_tail(real_file: RealFile) -> None:
    with pytest.warns(TruncatedFile, match="lacks 16 of its 28 bytes"):
        file = open_nev(real_file("labwritten.NEV"))
    with file:
        assert (file.spec, file.packet_bytes, file.missing_bytes) == ("2.3", 28, 16)
        assert file.kinds() == {"spike": 10, "digital": 1}
        assert file.spikes()["tick"].tolist() == list(range(30_000, 300_001, 30_000))
        assert file.spikes()["waveform"].shape == (10, 10)
        assert file.resets == ()  # the digital packet at tick 0 was appended
        assert file.packets["tick"][-1] == 0
