# SPDX-License-Identifier: MIT
"""With the real thing: SpikeInterface, probeinterface, Phy's ``params.py``, Dask's cluster, fsspec's files, Qt.

Collected where the `interop` extra is installed; `.ci/run` installs it.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import fsspec
import numpy as np
import probeinterface
import pytest
import spikeinterface as si
from builders import nev as nb
from builders import nsx as b
from builders import sorting as sb
from builders import timing as t
from builders.handles import open_files
from dask.distributed import Client, LocalCluster
from fixture_types import FileOf, Opened
from processes import PATIENCE_S
from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

import nevparse as nv

ROOT = Path(nv.__file__).resolve().parents[1]
NOTE = (ROOT / "spec_notes" / "clusters.md").read_text(encoding="utf-8")
EXPORTS = (ROOT / "spec_notes" / "exports.md").read_text(encoding="utf-8")
ARRAYS = (ROOT / "spec_notes" / "arrays.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.filterwarnings("default")  # of others


@pytest.fixture(autouse=True)
def strict_floating_point() -> None:
    """Others' arithmetic is their own affair."""


@pytest.fixture(autouse=True)
def no_file_left_open() -> Iterator[None]:
    """As everywhere, but a cluster lets go when it comes to it."""
    before, deadline = set(open_files()), time.monotonic() + PATIENCE_S
    yield
    while (left := set(open_files()) - before) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.05)
    assert not left


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two processes of Dask's."""
    with (
        dask.config.set({"temporary-directory": None, "distributed.worker.memory.terminate": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def recording(file_of: FileOf) -> str:
    """32 electrodes in a map that starts with the last one, and an analog input."""
    heads = [b.channel(k + 1, pin=k + 1, label=f"chan {k + 1}", analog=(-100 * k - 50, 8191)) for k in range(32)]
    path = file_of(b.nsx([(1000, b.ramp(500, 33)), (1500, b.ramp(80, 33))], channels=[*heads, b.analog_input(1)]))
    Path(path).with_suffix(".cmp").write_bytes(sb.array_map(32, 6, reverse=True))
    return path


@pytest.fixture
def folder(recording: str, tmp_path: Path) -> Path:
    with nv.open_nsx(recording) as ns:
        nv.write_sorter(ns, tmp_path / "here", cmp=Path(recording).with_suffix(".cmp"))
    shutil.move(tmp_path / "here", tmp_path / "moved")
    return tmp_path / "moved"


# -------------------------------------------------------------------------------------------------- sorters' folders


def test_sorters_c08_and_c10_spikeinterface_loads_what_we_read(recording: str, folder: Path) -> None:
    loaded = si.load(folder)
    with nv.open_nsx(recording) as ns:
        neural, volts = ns.read(channels=slice(0, 32)), ns.read(channels=slice(0, 32), unit="uV")
        positions = nv.read_cmp(Path(recording).with_suffix(".cmp")).positions_of(ns.channels[:32]).um
        channels = ns.channels[:32]
    np.testing.assert_array_equal(loaded.get_traces(), neural)
    np.testing.assert_allclose(loaded.get_traces(return_in_uV=True), volts, rtol=1e-5, atol=1e-3)
    assert loaded.get_sampling_frequency() == 30000
    assert loaded.get_channel_ids().tolist() == [channel.electrode_id for channel in channels]
    assert loaded.get_channel_gains().tolist() == [channel.uv_per_bit for channel in channels]
    assert loaded.get_channel_offsets().tolist() == [channel.uv_offset for channel in channels]
    assert loaded.get_property("channel_name").tolist() == [channel.label for channel in channels]
    np.testing.assert_array_equal(loaded.get_channel_locations(), positions)
    assert loaded.get_annotation("electrodes").startswith("positions from s.cmp")
    assert loaded.get_channel_groups().tolist() == [0] * 32


def test_sorters_c08_and_c10_what_spikeinterface_makes_of_it_can_be_handed_on(folder: Path, tmp_path: Path) -> None:
    loaded = si.load(folder)
    part = loaded.select_channels([7, 3]).frame_slice(10, 50)
    again = si.load(pickle.loads(pickle.dumps(part.to_dict())))
    np.testing.assert_array_equal(again.get_traces(), loaded.get_traces(channel_ids=[7, 3])[10:50])
    np.testing.assert_array_equal(again.get_channel_locations(), loaded.get_channel_locations([7, 3]))


def test_sorters_c13_spikeinterface_has_a_segment_for_each_of_ours(opened: Opened, tmp_path: Path) -> None:
    ns = opened(t.blocks([1000, 31000, 76000], [50, 40, 30]))
    nv.write_sorter(ns, tmp_path / "split", gaps="split")
    loaded = si.load(tmp_path / "split")
    assert [loaded.get_num_samples(k) for k in range(3)] == [50, 40, 30]
    for k, segment in enumerate(ns.segments):
        np.testing.assert_array_equal(loaded.get_traces(segment_index=k), segment[:])
        assert loaded.get_times(segment_index=k)[0] == pytest.approx((segment.start_tick - 1000) / 30000)


@pytest.mark.parametrize("kind", b.KINDS)
def test_sorters_c08_and_c09_every_kind_of_file_loads(opened: Opened, tmp_path: Path, kind: str) -> None:
    data, samples = b.plausible(kind, 3, (60,))
    ns = opened(data)
    with pytest.warns(nv.UnknownScale) if kind == "2.1" else nullcontext():
        nv.write_sorter(ns, tmp_path / "out")
    loaded = si.load(tmp_path / "out")
    np.testing.assert_array_equal(loaded.get_traces(), samples)
    assert loaded.get_dtype() == samples.dtype
    if kind == "2.1":
        assert loaded.get_channel_gains() is None
    else:
        np.testing.assert_allclose(loaded.get_traces(return_in_uV=True), ns.read(unit="uV"), rtol=1e-6)


def test_sorters_c05_probeinterface_reads_the_probe(folder: Path) -> None:
    (probe,) = probeinterface.read_probeinterface(folder / "probe.json").probes
    kilosort = json.loads((folder / "kilosort_probe.json").read_text())
    assert probe.get_contact_count() == 32
    assert probe.contact_positions.T.tolist() == [kilosort["xc"], kilosort["yc"]]
    assert probe.device_channel_indices.tolist() == list(range(32))
    assert probe.contact_ids.tolist() == [str(k + 1) for k in range(32)]
    assert probe.contact_annotations["label"].tolist() == [f"chan {k + 1}" for k in range(32)]
    probeinterface.write_probeinterface(folder / "again.json", probe)
    assert probeinterface.read_probeinterface(folder / "again.json").probes[0] == probe


def test_sorters_c06_params_are_read_as_phy_reads_them(recording: str, folder: Path) -> None:
    params: dict[str, Any] = {}
    exec((folder / "params.py").read_text(), {}, params)
    (path,) = params["dat_path"]
    data: Any = np.memmap(folder / path, str(params["dtype"]), "r", offset=params["offset"])
    with nv.open_nsx(recording) as ns:
        np.testing.assert_array_equal(data.reshape(-1, params["n_channels_dat"]), ns.read(channels=slice(0, 32)))


# ------------------------------------------------------------------------------------------------------------- Dask


@pytest.mark.parametrize("two_blocks", [False, True])
def test_clusters_c04_and_c06_dask_takes_a_segment_without_its_samples(
    opened: Opened, client: Client, monkeypatch: pytest.MonkeyPatch, two_blocks
) -> None:
    samples = np.random.default_rng(1).integers(-3000, 3000, (20_000, 16)).astype("<i2")
    blocks = [(0, samples[:9_999]), (9_999, samples[9_999:])] if two_blocks else [(0, samples)]
    ns = opened(b.nsx(blocks))
    (segment,) = ns.segments

    def touched(*_):
        raise AssertionError("a sample was touched")

    with monkeypatch.context() as forbidden:
        forbidden.setattr(ns._recorded, "view", touched)
        lazy = da.from_array(segment, chunks=(4000, 6))
        assert (lazy.shape, lazy.dtype, lazy.npartitions) == ((20_000, 16), np.dtype("<i2"), 15)
        assert lazy.name == da.from_array(pickle.loads(pickle.dumps(segment)), chunks=(4000, 6)).name
        assert len(pickle.dumps(dict(lazy.dask))) < 20_000
    wanted = lazy[5:19_000:3, [9, 2]].astype("int64").sum(axis=0), lazy.std(axis=0), lazy[[3, 12_000, 7]][:, 4:6]
    for scheduler in (client, "threads"):
        sums, deviations, rows = dask.compute(*wanted, scheduler=scheduler)
        np.testing.assert_array_equal(sums, samples[5:19_000:3, [9, 2]].sum(axis=0, dtype=np.int64))
        np.testing.assert_allclose(deviations, samples.std(axis=0))
        np.testing.assert_array_equal(rows, samples[[3, 12_000, 7]][:, 4:6])


def test_arrays_c12_dask_xarray_and_pandas_take_traces_spikes_and_events(
    opened: Opened, file_of: FileOf, client: Client
) -> None:
    samples = np.random.default_rng(1).integers(-3000, 3000, (70_000, 4)).astype("<i2")
    ns = opened(b.nsx([(0, samples[:40_000]), (40_500, samples[40_000:])]))
    x = ns.traces(gaps="fill", fill=7, channels=[3, 0])
    whole = np.asarray(x)
    packets = [nb.V2.spike(tick, 1 + tick % 3, tick % 2, [tick] * 8) for tick in range(5, 95, 5)]
    events = [nb.V2.digital(tick, 1, tick % 7) for tick in (100, 160)]
    with nv.open_nev(file_of(nb.nev(packets + events, [nb.wav(k + 1) for k in range(3)]), "s.nev")) as nev:
        names: dict[str, Any] = {"x": x, "nev": nev}
        code = re.findall(r"^```python\n(import dask.*?)^```", ARRAYS, re.DOTALL | re.MULTILINE)[0]
        exec(compile(code, "arrays.md", "exec"), names)
        np.testing.assert_allclose(names["deviations"], whole.std(axis=0))
        assert len(pickle.dumps(dict(names["lazy"].dask))) < 20_000
        labelled = names["labelled"].sel(channel="elec1")
        np.testing.assert_allclose(labelled, whole[30_000:60_000, 1] * 0.25, rtol=1e-6)
        np.testing.assert_allclose(labelled.time[:2], [1.0, 1 + 1 / 30_000])
        assert names["rates"].sum() == len(packets)
        assert names["events"]["value"].tolist() == [2, 6]
        assert names["spikes"]["seconds"].iloc[1] == pytest.approx(5 / 30_000)
    lazy = da.from_array(x, chunks=(9_000, 2))
    assert lazy.name == da.from_array(pickle.loads(pickle.dumps(x)), chunks=(9_000, 2)).name
    assert lazy.name != da.from_array(x.rows(0, 9), chunks=(9_000, 2)).name
    np.testing.assert_array_equal(lazy[39_990:40_510:7].compute(scheduler=client), whole[39_990:40_510:7])


def test_sorters_c18_spikeinterface_loads_a_recording_where_it_is(recording: str, tmp_path: Path) -> None:
    path = tmp_path / "one.ns5"
    path.write_bytes(b.nsx([(1000, b.ramp(500, 5))]))
    with nv.open_nsx(path) as ns:
        nv.write_sorter(ns, tmp_path / "here", copy=False)
        loaded = si.load(tmp_path / "here")
        np.testing.assert_array_equal(loaded.get_traces(), ns.segments[0].samples)
        np.testing.assert_allclose(loaded.get_traces(return_in_uV=True), ns.read(unit="uV"), rtol=1e-6)
    assert loaded.get_channel_ids().tolist() == [1, 2, 3, 4, 5]


def handles_of(path):
    gc.collect()
    fds = Path("/proc/self/fd")
    there = os.listdir(fds) if fds.is_dir() else []
    return [fd for fd in there if (fds / fd).is_symlink() and os.readlink(fds / fd) == path]


def test_clusters_c05_workers_let_go_of_the_file(opened: Opened, client: Client) -> None:
    ns = opened(b.nsx([(0, b.ramp(6000, 4))]))
    lazy = da.from_array(ns.segments[0], chunks=(500, 4), inline_array=True)
    assert int(lazy.astype("int64").sum().compute(scheduler=client)) == int(b.ramp(6000, 4).sum(dtype=np.int64))
    parts = client.gather(client.map(lambda a, s: s[a : a + 100].sum(), range(0, 6000, 100), s=ns.segments[0]))
    assert sum(map(int, parts)) == int(b.ramp(6000, 4).sum(dtype=np.int64))
    held = client.run(handles_of, ns.path).values()
    assert max(map(len, held)) <= 2, "one handle and one map, for however many tasks"
    del lazy
    deadline = time.monotonic() + PATIENCE_S
    while any(held) and time.monotonic() < deadline:  # until the cluster has forgotten its tasks
        held = client.run(handles_of, ns.path).values()
    assert not any(held)


def test_clusters_c07_a_hundred_recordings_one_of_them_no_recording(client: Client, tmp_path: Path) -> None:
    raw, bins = tmp_path / "raw", tmp_path / "bins"
    raw.mkdir()
    bins.mkdir()
    for k in range(100):
        (raw / f"r{k:03d}.ns5").write_bytes(b.plausible("2.3", 2, (50 + k, 30))[0])
    (raw / "r042.ns5").write_bytes(b"no recording")
    sources = sorted(raw.iterdir())
    names = {"__name__": "__main__"}  # as in a script: functions travel by value
    (code,) = re.findall(r"^```python\n(.*?)^```", NOTE, re.DOTALL | re.MULTILINE)
    exec(compile(code, "clusters.md", "exec"), names)

    def run():
        outcomes = names["export_all"](client, sources, bins)
        failed = {source.stem: error for source, error in outcomes.items() if isinstance(error, Exception)}
        made = [source.stem for source, text in outcomes.items() if text != "done before" and source.stem not in failed]
        return failed, made

    failed, made = run()
    assert list(failed) == ["r042"]
    assert isinstance(failed["r042"], nv.FormatError)
    assert len(made) == 99
    assert len(list(bins.iterdir())) == 2 * 99, "a .bin and a .json each, and nothing half done"
    for k in (0, 41, 99):
        samples = np.fromfile(bins / f"r{k:03d}.bin", "<i2").reshape(-1, 2)
        np.testing.assert_array_equal(samples, b.plausible("2.3", 2, (50 + k, 30))[1])

    before = {path: path.stat().st_mtime_ns for path in bins.iterdir()}
    (bins / "r007.bin").write_bytes(b"cut")
    (bins / "r008.bin").unlink()
    (bins / "r009.bin.json").unlink()
    (raw / "r042.ns5").write_bytes(b.plausible("2.3", 2, (5, 5))[0])
    (raw / "r010.ns5").write_bytes(b.plausible("2.3", 2, (333,))[0])  # recorded anew
    failed, made = run()
    assert failed == {}
    assert made == ["r007", "r008", "r009", "r010", "r042"]
    redone = {path.name.partition(".")[0] for path in bins.iterdir() if before.get(path) != path.stat().st_mtime_ns}
    assert redone == set(made)
    assert run() == ({}, [])


# ----------------------------------------------------------------------------------------------------------- fsspec


@pytest.fixture(params=["memory", "local", "zip"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, np.ndarray]]:
    """One recording behind several of fsspec's file systems, and its samples."""
    data, samples = b.plausible("2.3", 3, (300, 200))
    (tmp_path / "s.ns5").write_bytes(data)
    if request.param == "memory":
        fsspec.filesystem("memory").pipe("/nevparse/s.ns5", data)
        url = "memory://nevparse/s.ns5"
    elif request.param == "local":
        url = (tmp_path / "s.ns5").as_uri()
    else:
        archive = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path, "s.ns5")
        url = f"zip://s.ns5::{Path(archive).as_uri()}"
    with fsspec.open(url, "rb") as file:
        yield file, samples


def test_files_of_fsspec_are_read_like_any(remote: tuple[Any, np.ndarray], tmp_path: Path) -> None:
    file, samples = remote
    with nv.open_nsx(file) as ns:
        np.testing.assert_array_equal(np.concatenate([np.asarray(segment) for segment in ns.segments]), samples)
        np.testing.assert_array_equal(ns.segments[1][10:20, [2, 0]], samples[310:320, [2, 0]])
        report = nv.write_sorter(ns, tmp_path / "out", gaps="join")
        np.testing.assert_array_equal(np.fromfile(report.export.path, "<i2").reshape(-1, 3), samples)
    assert not file.closed


def test_a_segment_of_a_remote_file_goes_to_a_worker(client: Client, tmp_path: Path) -> None:
    data, samples = b.plausible("2.3", 3, (300,))
    (tmp_path / "s.ns5").write_bytes(data)
    with fsspec.open((tmp_path / "s.ns5").as_uri(), "rb") as file, nv.open_nsx(file) as ns:
        lazy = da.from_array(ns.segments[0], chunks=(100, 3))
        np.testing.assert_array_equal(lazy.compute(scheduler=client), samples)


# --------------------------------------------------------------------------------------------------------------- Qt


@pytest.fixture(scope="module")
def application() -> QCoreApplication:
    """Qt's loop of events, without a screen."""
    return QCoreApplication([])


class Widget(QObject):
    """A button and a progress bar, in the thread of the application."""

    clicked = Signal()

    def __init__(self, click_at: int | None) -> None:
        super().__init__()
        self.click_at, self.shown, self.threads = click_at, list[int](), set[int]()

    @Slot(int)
    def setValue(self, percent: int) -> None:  # as QProgressBar has it
        self.shown.append(percent)
        self.threads.add(threading.get_ident())

    @Slot(int)
    def click(self, percent: int) -> None:
        """Somebody clicks while the bar shows this, once the export runs."""
        if self.click_at is not None and percent >= self.click_at:
            self.clicked.emit()


@pytest.mark.parametrize("click_at", [None, 0, 50])
def test_exports_c17_a_button_of_qt_cancels(
    application: QCoreApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, click_at: int | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("session.ns5").write_bytes(b.nsx([(0, np.ones((800_000, 4), "<i2"))]))
    widget = Widget(click_at)
    (code,) = re.findall(r"^```python\n(from PySide6.*?)^```", EXPORTS, re.DOTALL | re.MULTILINE)
    assert code.count("\nexport.start()") == 1
    names: dict[str, Any] = {"nv": nv, "bar": widget, "button": widget}
    made, started = code.split("\nexport.start()")
    exec(compile(made, "exports.md", "exec"), names)
    export = names["export"]
    export.percent.connect(widget.click, Qt.ConnectionType.BlockingQueuedConnection)  # so that the click is in time
    export.finished.connect(application.quit)
    exec(compile("export.start()" + started, "exports.md", "exec"), names)
    application.exec()
    assert export.wait(1000 * PATIENCE_S)
    assert widget.threads == {threading.get_ident()}, "the bar is called in the thread of the window"
    if click_at is None:
        assert widget.shown[-1] == 100
        assert export.report.n_samples == 800_000
        assert sorted(os.listdir()) == ["session.bin", "session.bin.json", "session.ns5"]
    else:
        assert widget.shown[-1] < 100
        assert export.report is None
        assert os.listdir() == ["session.ns5"]
