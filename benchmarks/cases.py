"""What is measured: one function for each method of each job.

A function does its job on the data of a folder. What it returns, or the file it wrote, is compared with the result of
every other method of the same job. Peers are imported inside, so that each runs where only it is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import data
import numpy as np

WHOLE_FILE = "the whole file"  # what was written is the input, byte for byte
OTHER_RESULT = "another result"  # it is only timed: what it gives is compared elsewhere
WINDOW_SAMPLES = 300_000  # ten seconds
ROWS = 4096


@dataclass
class Inputs:
    """The data, and which part of it a job takes."""

    folder: Path
    nsx: Path
    n_columns: int
    brpylib: str | None = None
    extents: list[tuple[int, int]] = field(default_factory=list)  # byte offset and samples of each block
    n_channels: int = data.N_CHANNELS

    @property
    def scattered(self) -> list[int]:
        """Two thirds of the columns, shuffled."""
        order = np.random.default_rng(3).permutation(self.n_channels)
        return [int(column) for column in order[: max(1, self.n_channels * 2 // 3)]]

    @property
    def out(self) -> Path:
        """The file that an export writes."""
        return self.folder / "out.bin"


Case = Callable[[Inputs], Any]
JOBS: dict[str, dict[str, Case]] = {}
PREPARE: dict[str, Callable[[Inputs], None]] = {}  # what a job needs, made once before it is timed


def case(job: str, method: str) -> Callable[[Case], Case]:
    """Register a function as one method of a job."""

    def register(function: Case) -> Case:
        JOBS.setdefault(job, {})[method] = function
        return function

    return register


# ------------------------------------------------------------------------------------ export of contiguous columns


@case("export_contiguous", "plain numpy: readinto, slice, write")
def _floor(inputs: Inputs) -> None:
    _plain_copy(inputs, slice(0, inputs.n_columns))


def _plain_copy(inputs: Inputs, columns: Any) -> None:
    with inputs.nsx.open("rb", buffering=0) as source, inputs.out.open("wb", buffering=0) as target:
        rows = np.empty((ROWS, inputs.n_channels), np.int16)
        for offset, n_samples in inputs.extents:
            source.seek(offset)
            for start in range(0, n_samples, ROWS):
                n_rows = min(ROWS, n_samples - start)
                source.readinto(rows[:n_rows].data.cast("B"))
                target.write(np.ascontiguousarray(rows[:n_rows, columns]).data.cast("B"))


@case("export_contiguous", "nevparse")
def _ours(inputs: Inputs) -> None:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        nevparse.write_bin(ns, inputs.out, channels=slice(0, inputs.n_columns), gaps="join")


@case("export_contiguous", "numpy.memmap, slice, write")
def _memmap(inputs: Inputs) -> None:
    with inputs.out.open("wb", buffering=0) as target:
        for offset, n_samples in inputs.extents:
            rows = np.memmap(inputs.nsx, np.int16, "r", offset, (n_samples, inputs.n_channels))
            for start in range(0, n_samples, ROWS):
                target.write(np.ascontiguousarray(rows[start : start + ROWS, : inputs.n_columns]).data.cast("B"))


def _neo(inputs: Inputs, path: Path | None = None, **more: Any) -> Any:
    from neo.rawio import BlackrockRawIO

    path = path or inputs.nsx
    reader = BlackrockRawIO(str(path.with_suffix("")), nsx_to_load=int(path.suffix[-1]), load_nev=False, **more)
    reader.parse_header()
    return reader


def _neo_chunks(inputs: Inputs, columns: Any, path: Path | None = None, **more: Any) -> None:
    reader = _neo(inputs, path, **more)
    with inputs.out.open("wb", buffering=0) as target:
        for segment in range(reader.segment_count(0)):
            n_samples = reader.get_signal_size(0, segment, 0)
            for start in range(0, n_samples, ROWS):
                stop = min(start + ROWS, n_samples)
                rows = reader.get_analogsignal_chunk(0, segment, start, stop, 0, channel_indexes=columns)
                target.write(np.ascontiguousarray(rows).data.cast("B"))


@case("export_contiguous", "neo in chunks, with a slice")
def _neo_best(inputs: Inputs) -> None:
    _neo_chunks(inputs, slice(0, inputs.n_columns))


@case("export_contiguous", "neo in chunks, with a list of channels")
def _neo_list(inputs: Inputs) -> None:
    _neo_chunks(inputs, list(range(inputs.n_columns)))


@case("export_contiguous", "neo, all, slice, tofile (the common recipe)")
def _neo_recipe(inputs: Inputs) -> None:
    reader = _neo(inputs)
    with inputs.out.open("wb") as target:
        for segment in range(reader.segment_count(0)):
            reader.get_analogsignal_chunk(0, segment, None, None, 0)[:, : inputs.n_columns].tofile(target)


@case("export_contiguous", "SpikeInterface write_binary_recording, one job")
def _spikeinterface(inputs: Inputs, n_jobs: int = 1) -> None:
    import spikeinterface.core as si
    from spikeinterface.extractors import read_blackrock

    recording = read_blackrock(str(inputs.nsx), stream_id=inputs.nsx.suffix[-1])
    recording = recording.select_channels(recording.channel_ids[: inputs.n_columns])
    si.write_binary_recording(recording, file_paths=[inputs.out], n_jobs=n_jobs, progress_bar=False, verbose=False)


@case("export_contiguous", "SpikeInterface write_binary_recording, a job for each core")
def _spikeinterface_jobs(inputs: Inputs) -> None:
    _spikeinterface(inputs, os.cpu_count() or 1)


def brpylib_module(inputs: Inputs) -> Any:
    """The vendor's reader, from the folder of ``--brpylib``."""
    if not inputs.brpylib:
        raise ImportError("brpylib is in no package index: give the folder of its checkout with --brpylib")
    sys.path.insert(0, inputs.brpylib)
    from brpylib import brpylib

    return brpylib


@case("export_contiguous", "brpylib getdata, slice, tofile")
def _brpylib(inputs: Inputs) -> None:
    reader = brpylib_module(inputs).NsxFile(str(inputs.nsx))
    with inputs.out.open("wb") as target:
        for rows in reader.getdata(full_timestamps=False)["data"]:
            # It gives channels by samples; tofile of an array that is not contiguous would write item by item.
            np.ascontiguousarray(rows[: inputs.n_columns].T).tofile(target)
    reader.close()


@case("export_contiguous", "brpylib savesubsetnsx (an NSx, its samples not compared)")
def _brpylib_subset(inputs: Inputs) -> str:
    brpylib = brpylib_module(inputs)
    if inputs.nsx.parent != inputs.folder:
        raise ImportError("it can only write beside the recording, where nothing of yours is touched")
    written = inputs.folder / f"{inputs.nsx.stem}_subset_000{inputs.nsx.suffix}"
    written.unlink(missing_ok=True)  # else it asks
    reader = brpylib.NsxFile(str(inputs.nsx))
    electrodes = [channel["ElectrodeID"] for channel in reader.extended_headers[: inputs.n_columns]]
    assert reader.savesubsetnsx(electrodes) == "SUCCESS"
    reader.close()
    return OTHER_RESULT


@case("export_contiguous", "MNE in chunks")
def _mne(inputs: Inputs) -> None:
    import mne

    raw = mne.io.read_raw_nsx(inputs.nsx, verbose="error")
    volts_per_bit = np.array([channel["cal"] * channel["range"] for channel in raw.info["chs"]])[: inputs.n_columns]
    with inputs.out.open("wb", buffering=0) as target:
        for start in range(0, raw.n_times, ROWS):
            volts = raw.get_data(list(range(inputs.n_columns)), start, min(start + ROWS, raw.n_times))
            target.write(np.ascontiguousarray(np.rint(volts.T / volts_per_bit).astype(np.int16)).data.cast("B"))


def _cp(inputs: Inputs) -> str:
    program = shutil.which("cp")
    if program is None:
        raise ImportError("this system has no program cp")
    subprocess.run([program, inputs.nsx, inputs.out], check=True)
    return WHOLE_FILE


case("export_contiguous", "cp of the whole file")(_cp)

# --------------------------------------------------------------------------------------------------- other exports

case("export_all", "cp of the whole file")(_cp)


@case("export_all", "nevparse")
def _ours_all(inputs: Inputs) -> None:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        nevparse.write_bin(ns, inputs.out, gaps="join")


@case("export_all", "plain numpy: readinto, write")
def _plain_all(inputs: Inputs) -> None:
    _plain_copy(inputs, slice(None))


@case("export_scattered", "nevparse, contiguous (for the ratio)")
def _ours_contiguous(inputs: Inputs) -> str:
    _ours(inputs)
    return OTHER_RESULT


@case("export_scattered", "nevparse")
def _ours_scattered(inputs: Inputs) -> None:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        nevparse.write_bin(ns, inputs.out, channels=inputs.scattered, gaps="join")


@case("export_scattered", "neo in chunks, with a list of channels")
def _neo_scattered(inputs: Inputs) -> None:
    _neo_chunks(inputs, inputs.scattered)


@case("export_ptp", "nevparse, blocks (for the ratio)")
def _ours_blocks(inputs: Inputs) -> str:
    _ours(inputs)
    return OTHER_RESULT


@case("export_ptp", "nevparse")
def _ours_ptp(inputs: Inputs) -> None:
    _export(inputs, inputs.folder / "ptp.ns6", "join")


@case("export_ptp", "neo in chunks, with a slice")
def _neo_ptp(inputs: Inputs) -> None:
    _neo_chunks(inputs, slice(0, inputs.n_columns), inputs.folder / "ptp.ns6", gap_tolerance_ms=0)


@case("export_resampled", "nevparse, PTP (for the ratio)")
def _ours_not_resampled(inputs: Inputs) -> str:
    _ours_ptp(inputs)
    return OTHER_RESULT


@case("export_resampled", "nevparse, PTP at the nominal rate")
def _ours_resampled(inputs: Inputs) -> str:
    _export(inputs, inputs.folder / "ptp.ns6", "join", resample="nominal")
    return OTHER_RESULT


def _instruments(inputs: Inputs, kind: str) -> list[Path]:
    return sorted((inputs.folder / "instruments").glob(f"*.{kind}"))


@case("export_instruments", "nevparse, one instrument of as many bytes (for the ratio)")
def _ours_one_instrument(inputs: Inputs) -> str:
    _ours(inputs)
    return OTHER_RESULT


@case("export_instruments", "plain numpy: memmaps, np.hstack, write")
def _stacked(inputs: Inputs) -> None:
    offset = inputs.extents[0][0]
    maps = [
        np.memmap(path, np.int16, "r", offset).reshape(-1, inputs.n_channels)[:, : inputs.n_columns]
        for path in _instruments(inputs, "ns5")
    ]
    with inputs.out.open("wb", buffering=0) as target:
        for start in range(0, len(maps[0]), ROWS):
            target.write(np.hstack([rows[start : start + ROWS] for rows in maps]).data.cast("B"))


@case("export_instruments", "nevparse, 8 instruments side by side")
def _ours_instruments(inputs: Inputs) -> None:
    _export_instruments(inputs, "ns5")


@case("export_instruments", "nevparse, one PTP instrument of as many bytes (for the ratio)")
def _ours_one_ptp(inputs: Inputs) -> str:
    _ours_ptp(inputs)
    return OTHER_RESULT


@case("export_instruments", "nevparse, 8 PTP instruments, clocks up to 40 ppm apart")
def _ours_drifting_instruments(inputs: Inputs) -> str:
    _export_instruments(inputs, "ns6")
    return OTHER_RESULT


def _export_instruments(inputs: Inputs, kind: str) -> None:
    import nevparse

    with ExitStack() as stack:
        files = [stack.enter_context(nevparse.open_nsx(path)) for path in _instruments(inputs, kind)]
        nevparse.write_bin(files, inputs.out, channels=slice(0, inputs.n_columns))


@case("export_small", "plain numpy: readinto, slice, write")
def _plain_small(inputs: Inputs) -> None:
    _plain_copy(_small(inputs), slice(0, inputs.n_columns))


@case("export_small", "nevparse")
def _ours_small(inputs: Inputs) -> None:
    _ours(_small(inputs))


@case("export_small", "neo, all, slice, tofile (the common recipe)")
def _neo_small(inputs: Inputs) -> None:
    _neo_recipe(_small(inputs))


def _small(inputs: Inputs) -> Inputs:
    path, offset = inputs.folder / "small.ns5", inputs.extents[0][0]
    return replace(inputs, nsx=path, extents=[(offset, (path.stat().st_size - offset) // (2 * inputs.n_channels))])


def _make_cold(inputs: Inputs) -> None:
    """Have the system forget the file, so that it is read from the disk."""
    if hasattr(os, "posix_fadvise"):
        with inputs.nsx.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _cold(method: Case) -> Case:
    def from_disk(inputs: Inputs) -> Any:
        if not hasattr(os, "posix_fadvise"):
            raise ImportError("this system cannot be asked to forget a file")
        return method(inputs)

    return from_disk


PREPARE["export_cold"] = _make_cold
case("export_cold", "cp of the whole file")(_cold(_cp))
case("export_cold", "plain numpy: readinto, slice, write")(_cold(lambda inputs: _other(_floor, inputs)))
case("export_cold", "nevparse")(_cold(lambda inputs: _other(_ours, inputs)))


def _other(method: Case, inputs: Inputs) -> str:
    method(inputs)
    return OTHER_RESULT


@case("export_policies", "nevparse, error")
def _ours_error(inputs: Inputs) -> None:
    _export(inputs, inputs.nsx, "error")


@case("export_policies", "nevparse, join")
def _ours_join(inputs: Inputs) -> None:
    _export(inputs, inputs.nsx, "join")


@case("export_policies", "nevparse, fill")
def _ours_fill(inputs: Inputs) -> None:
    _export(inputs, inputs.nsx, "fill")


def _export(inputs: Inputs, path: Path, gaps: str, **more: Any) -> None:
    import nevparse

    with nevparse.open_nsx(path) as ns:
        nevparse.write_bin(ns, inputs.out, channels=slice(0, inputs.n_columns), gaps=gaps, **more)


# ---------------------------------------------------------------------------------------------- traces as an array

SECOND, BATCH, OVERLAP = 30_000, 60_000, 61  # samples; Kilosort4 reads batches of 2 s with 61 samples more on each side


def _finished(inputs: Inputs, ptp: bool = False) -> Path:
    return inputs.folder / ("finished_ptp.bin" if ptp else "finished.bin")


def _make_finished(inputs: Inputs) -> None:
    """The ``.bin`` files that the arrays are compared with."""
    import nevparse

    for ptp, source in ((False, inputs.nsx), (True, inputs.folder / "ptp.ns6")):
        if source.exists() and not _finished(inputs, ptp).exists():
            with nevparse.open_nsx(source) as ns:
                nevparse.write_bin(ns, _finished(inputs, ptp), channels=slice(0, inputs.n_columns), gaps="join")


for _job in ("traces_slices", "traces_scattered", "traces_batches", "traces_batches_ptp", "traces_first_batch"):
    PREPARE[_job] = _make_finished


def _memmap_of(inputs: Inputs, ptp: bool = False) -> Any:
    return np.memmap(_finished(inputs, ptp), np.int16, "r").reshape(-1, inputs.n_columns)


def _in_first_block(inputs: Inputs) -> Iterable[int]:
    """Where windows of a second begin, none of them across a gap."""
    return range(0, inputs.extents[0][1] - SECOND, SECOND // 4)


def _slices_of(array: Any, inputs: Inputs) -> Any:
    return sum(int(array[a : a + SECOND][7, 1]) for _ in range(200) for a in _in_first_block(inputs))


@case("traces_slices", "numpy.memmap of the .bin: slices of a second")
def _memmap_slices(inputs: Inputs) -> Any:
    return _slices_of(_memmap_of(inputs), inputs)


@case("traces_slices", "nevparse: the same slices of traces")
def _traces_slices(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        return _slices_of(ns.traces(channels=slice(0, inputs.n_columns), gaps="join"), inputs)


@case("traces_scattered", "np.take of the mapped file, a second at a time")
def _take_scattered(inputs: Inputs) -> Any:
    offset, n_samples = inputs.extents[0]
    rows = np.memmap(inputs.nsx, np.int16, "r", offset, (n_samples, inputs.n_channels))
    taken = (np.take(rows[a : a + SECOND], inputs.scattered, axis=1) for a in _in_first_block(inputs))
    return sum(int(part[-1].sum()) for part in taken)


@case("traces_scattered", "nevparse: traces of these columns")
def _traces_scattered(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        x = ns.traces(channels=inputs.scattered, gaps="join")
        return sum(int(x[a : a + SECOND][-1].sum()) for a in _in_first_block(inputs))


def _batches_of(array: Any) -> Any:
    """As Kilosort4 reads: each batch is turned, and made float32."""
    total = 0
    for start in range(0, len(array), BATCH):
        batch = array[max(0, start - OVERLAP) : start + BATCH + OVERLAP].T.astype(np.float32)
        total += int(batch[:, 0].sum())
    return total


@case("traces_batches", "numpy.memmap of the .bin: all batches")
def _memmap_batches(inputs: Inputs) -> Any:
    return _batches_of(_memmap_of(inputs))


@case("traces_batches", "nevparse: all batches of traces")
def _traces_batches(inputs: Inputs) -> Any:
    return _batches_of_file(inputs, inputs.nsx)


@case("traces_batches_ptp", "numpy.memmap of the .bin: all batches")
def _memmap_batches_ptp(inputs: Inputs) -> Any:
    return _batches_of(_memmap_of(inputs, ptp=True))


@case("traces_batches_ptp", "nevparse: all batches of traces")
def _traces_batches_ptp(inputs: Inputs) -> Any:
    return _batches_of_file(inputs, inputs.folder / "ptp.ns6")


def _batches_of_file(inputs: Inputs, path: Path) -> Any:
    import nevparse

    with nevparse.open_nsx(path) as ns:
        return _batches_of(ns.traces(channels=slice(0, inputs.n_columns), gaps="join"))


@case("traces_first_batch", "nevparse: export, then the first batch of the .bin")
def _export_first_batch(inputs: Inputs) -> Any:
    _ours(inputs)
    return np.memmap(inputs.out, np.int16, "r").reshape(-1, inputs.n_columns)[:BATCH]


@case("traces_first_batch", "nevparse: the first batch of traces")
def _traces_first_batch(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        return ns.traces(channels=slice(0, inputs.n_columns), gaps="join")[:BATCH]


@case("traces_first_batch", "nevparse: the same, copied into memory")
def _copied_first_batch(inputs: Inputs) -> Any:
    return np.array(_traces_first_batch(inputs))


@case("traces_first_batch", "numpy.memmap of a .bin that is there already: its first batch, copied into memory")
def _memmap_first_batch(inputs: Inputs) -> Any:
    return np.array(_memmap_of(inputs)[:BATCH])


# --------------------------------------------------------------------------------------------------------- reading


@case("read_uv", "np.multiply of the same array into float32")
def _multiply(inputs: Inputs) -> Any:
    offset, n_samples = inputs.extents[0]
    rows = np.memmap(inputs.nsx, np.int16, "r", offset, (n_samples, inputs.n_channels))
    window = rows[:WINDOW_SAMPLES, : inputs.n_columns]
    return np.multiply(window, np.full(inputs.n_columns, 0.25, np.float32))


@case("read_uv", "nevparse")
def _read_uv(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nsx(inputs.nsx) as ns:
        return ns.read(0, WINDOW_SAMPLES, channels=slice(0, inputs.n_columns), unit="uV")


@case("ptp_gaps", "every timestamp: np.diff of a mapped column")
def _scan_gaps(inputs: Inputs) -> Any:
    header = 314 + 66 * data.N_CHANNELS
    packet = np.dtype([("header", "u1"), ("tick", "<u8"), ("n", "<u4"), ("samples", "<i2", (data.N_CHANNELS,))])
    packets = np.memmap(inputs.folder / "ptp.ns6", packet, "r", header)
    steps = np.diff(packets["tick"].astype(np.int64))
    return np.flatnonzero(steps * data.TICK_RATE >= data.NANOSECONDS * 3 // 2)


@case("ptp_gaps", "nevparse")
def _find_gaps(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nsx(inputs.folder / "ptp.ns6") as ns:
        assert len(ns.gaps) == len(ns.segments) - 1
        return np.cumsum([segment.n_samples for segment in ns.segments[:-1]]) - 1


@case("open_blocks", "neo")
def _neo_blocks(inputs: Inputs) -> Any:
    reader = _neo(inputs, inputs.folder / "blocks.ns5")
    return np.array([reader.get_signal_size(0, k, 0) for k in range(reader.segment_count(0))])


@case("open_blocks", "nevparse")
def _ours_open_blocks(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nsx(inputs.folder / "blocks.ns5") as ns:
        return np.array([segment.n_samples for segment in ns.segments])


# ---------------------------------------------------------------------------------------------------------- events


def _neo_nev(inputs: Inputs) -> Any:
    from neo.rawio import BlackrockRawIO

    reader = BlackrockRawIO(str(inputs.folder / "events"), nsx_to_load=[])
    reader.parse_header()
    return reader


def _neo_units(reader: Any) -> Iterable[tuple[tuple[int, int], int]]:
    for index, channel in enumerate(reader.header["spike_channels"]):
        electrode, unit = channel["name"][2:].split("#")
        yield (int(electrode), int(unit)), index


@case("nev_trains", "neo")
def _neo_trains(inputs: Inputs) -> Any:
    reader = _neo_nev(inputs)
    return {key: reader.get_spike_timestamps(0, 0, index) for key, index in _neo_units(reader)}


@case("nev_trains", "brpylib getdata without waveforms, sorted into trains")
def _brpylib_trains(inputs: Inputs) -> Any:
    reader = brpylib_module(inputs).NevFile(str(inputs.folder / "events.nev"))
    spikes = reader.getdata(wave_read="no_read")["spike_events"]
    reader.close()
    keys = np.array(spikes["Channel"], np.int64) * 256 + np.array(spikes["Unit"])
    order = np.argsort(keys, kind="stable")
    units, starts = np.unique(keys[order], return_index=True)
    trains = np.split(np.array(spikes["TimeStamps"])[order], starts[1:])
    return {divmod(int(key), 256): ticks for key, ticks in zip(units, trains, strict=True)}


@case("nev_trains", "nevparse")
def _trains(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nev(inputs.folder / "events.nev") as nev:
        return nev.trains()


@case("nev_waveforms", "neo")
def _neo_waveforms(inputs: Inputs) -> Any:
    reader = _neo_nev(inputs)
    return {
        key: (reader.get_spike_timestamps(0, 0, index), reader.get_spike_raw_waveforms(0, 0, index)[:, 0])
        for key, index in _neo_units(reader)
    }


@case("nev_waveforms", "nevparse")
def _waveforms(inputs: Inputs) -> Any:
    import nevparse

    with nevparse.open_nev(inputs.folder / "events.nev") as nev:
        trains = nev.trains(waveforms=True)
    return {key: (spikes["tick"], spikes["waveform"]) for key, spikes in trains.items()}


@case("events_files", "np.save of nevparse's spikes (for the ratio)")
def _save_spikes(inputs: Inputs) -> None:
    import nevparse

    with nevparse.open_nev(inputs.folder / "events.nev") as nev, inputs.out.open("wb") as target:
        np.save(target, nev.spikes())


@case("events_files", "nevparse events --npy")
def _events_npy(inputs: Inputs) -> None:
    _command("events", "--kind", "spike", "--npy", inputs.out, inputs.folder / "events.nev")


@case("events_files", "nevparse events --csv, without waveforms")
def _events_csv(inputs: Inputs) -> str:
    _command("events", "--kind", "spike", "--csv", inputs.folder / "events.nev")
    return OTHER_RESULT


def _command(*arguments: Any) -> None:
    """Run a command in this process, so that its memory is seen; what it prints goes to a file."""
    from nevparse.cli.commands import main

    with tempfile.TemporaryFile("w", encoding="utf-8") as printed, redirect_stdout(printed):
        assert main([str(argument) for argument in arguments]) == 0


@case("check_ptp", "one read of the file, a megabyte at a time")
def _read_once(inputs: Inputs) -> str:
    buffer = bytearray(1 << 20)
    with (inputs.folder / "ptp.ns6").open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return OTHER_RESULT


@case("check_ptp", "nevparse check")
def _check(inputs: Inputs) -> str:
    import nevparse

    assert nevparse.check(inputs.folder / "ptp.ns6")  # a sample is lost
    return OTHER_RESULT


# ---------------------------------------------------------------------------------------------------------- import


def _import(statement: str) -> str:
    checkout = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    subprocess.run([sys.executable, "-c", statement], check=True, env=os.environ | checkout)
    return OTHER_RESULT


@case("import", "python (for the difference)")
def _import_nothing(_: Inputs) -> str:
    return _import("pass")


@case("import", "numpy")
def _import_numpy(_: Inputs) -> str:
    return _import("import numpy")


@case("import", "nevparse")
def _import_names(_: Inputs) -> str:
    return _import("import nevparse")


@case("import", "nevparse, and its readers")
def _import_ours(_: Inputs) -> str:
    return _import("from nevparse import open_nsx, open_nev, write_bin")


@case("import", "nevparse info of a file, from start to end")
def _info(inputs: Inputs) -> str:
    checkout = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, "-m", "nevparse", "info", inputs.nsx]
    subprocess.run(command, check=True, env=os.environ | checkout, stdout=subprocess.DEVNULL)
    return OTHER_RESULT


@case("import", "neo")
def _import_neo(_: Inputs) -> str:
    import neo  # noqa: F401 - where it is absent nothing is timed

    return _import("from neo.rawio import BlackrockRawIO")
