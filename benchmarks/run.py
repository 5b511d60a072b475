"""Measure nevparse beside a plain copy and beside its peers, on made data or on a recording of your own.

    python benchmarks/run.py
    python benchmarks/run.py --file my.ns5

Each case runs in a process of its own, the repeats of all cases of a job taking turns. What every case gives is
compared before a time is printed. Ratios are what travels: seconds are of one machine on one day.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import cases  # noqa: E402
import data  # noqa: E402
import numpy as np  # noqa: E402
import plot  # noqa: E402

ON_OWN_FILE = ("export_contiguous", "export_all", "export_scattered")
PEERS = {"neo": "neo.rawio", "SpikeInterface": "spikeinterface.extractors", "MNE": "mne"}
_SAMPLE_S = 0.002
_SMALL_GB, _INSTRUMENTS, _APART_PPM = 257e-6, 8, 40


# ------------------------------------------------------------------------------------------- one case, in a process


def run_case(job: str, method: str, inputs: cases.Inputs) -> dict[str, Any]:
    """Do a job by one method; its time, its memory and a digest of its result."""
    function = cases.JOBS[job][method]
    _warm_imports(method, inputs)
    if job in cases.PREPARE:
        cases.PREPARE[job](inputs)
    # As late as possible: a virtual machine soon gives free memory back, and would be slow to have it again
    for former in (inputs.out, Path(f"{inputs.out}.json"), Path(f"{inputs.out}.ticks")):
        former.unlink(missing_ok=True)
    memory = Memory()
    cpu, start = time.process_time() + _children_s(), time.perf_counter()
    try:
        result = function(inputs)
    except ModuleNotFoundError as error:
        return {"absent": f"{error.name} is not installed: python -m pip install {error.name}"}
    except ImportError as error:
        return {"absent": str(error)}
    elapsed, cpu_s = time.perf_counter() - start, time.process_time() + _children_s() - cpu
    peak = memory.stop()
    return {"seconds": elapsed, "cpu_s": cpu_s, **peak, "result": _digest(result, inputs)}


def _warm_imports(method: str, inputs: cases.Inputs) -> None:
    """Import what the case needs before the clock starts: loading it is measured on its own."""
    with suppress(ImportError):
        if method.startswith("nevparse"):
            import nevparse

            _ = nevparse.open_nsx, nevparse.open_nev, nevparse.write_bin, nevparse.check
        elif method.startswith("brpylib"):
            cases.brpylib_module(inputs)
        else:
            importlib.import_module(PEERS.get(method.split()[0].rstrip(","), "numpy"))


class Memory:
    """Peak of anonymous and of all resident memory above the start; 0 where the system has no ``/proc``."""

    def __init__(self) -> None:
        self._statm = Path("/proc/self/statm")
        self._stop, self._start, self._peak = threading.Event(), self._now(), (0, 0)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _now(self) -> tuple[int, int]:
        if not self._statm.exists():
            return 0, 0
        resident, shared = (int(number) * 4096 for number in self._statm.read_text().split()[1:3])
        return resident - shared, resident

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            self._peak = tuple(map(max, self._peak, self._now()))  # type: ignore[assignment]

    def stop(self) -> dict[str, int]:
        """Bytes at the peak."""
        self._stop.set()
        self._thread.join()
        peak = tuple(map(max, self._peak, self._now()))
        return {"anonymous_bytes": peak[0] - self._start[0], "resident_bytes": peak[1] - self._start[1]}


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _digest(result: Any, inputs: cases.Inputs) -> str:
    """A digest of a result: of the file that was written, or of the arrays that were returned."""
    if isinstance(result, str) and result == cases.OTHER_RESULT:
        return cases.OTHER_RESULT
    digest = hashlib.blake2b(digest_size=16)
    if result is None or isinstance(result, str):
        _feed_file(digest, inputs.out)
        if result == cases.WHOLE_FILE:
            original = hashlib.blake2b(digest_size=16)
            _feed_file(original, inputs.nsx)
            assert digest.digest() == original.digest(), "the copy is not the file"
            return cases.OTHER_RESULT
    else:
        _feed(digest, result)
    return digest.hexdigest()


def _feed_file(digest: Any, path: Path) -> None:
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)


def _feed(digest: Any, result: Any) -> None:
    if isinstance(result, dict):
        for key in sorted(result):
            digest.update(repr(key).encode())
            _feed(digest, result[key])
    elif isinstance(result, tuple):
        for part in result:
            _feed(digest, part)
    else:
        values = np.asarray(result)
        wide = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
        digest.update(repr(values.shape).encode() + wide.tobytes())


# ------------------------------------------------------------------------------------------------- all of the cases


def measure(jobs: list[str], inputs: cases.Inputs, repeats: int) -> dict[str, dict[str, Any]]:
    """Measure every method of every job; the repeats of all methods of a job take turns."""
    return {job: _measure_job(job, inputs, repeats) for job in jobs}


def _measure_job(job: str, inputs: cases.Inputs, repeats: int) -> dict[str, Any]:
    repeats_of: dict[str, list[dict[str, Any]]] = {method: [] for method in cases.JOBS[job]}
    for _ in range(repeats):
        for method, done in repeats_of.items():
            if not (done and "absent" in done[0]):
                _show(f"{job}: {method}")
                done.append(_in_process(job, method, inputs))
    _show("")
    return {method: _summary(done) for method, done in _compared(job, repeats_of).items()}


def _compared(job: str, repeats_of: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Mark peers whose result is another as absent; nevparse must give the result of the first method."""
    results = {
        method: {repeat.get("result") for repeat in done} - {cases.OTHER_RESULT, None}
        for method, done in repeats_of.items()
    }
    first = next((result for result in results.values() if result), set())
    for method, result in results.items():
        if result and result != first:
            if method.startswith("nevparse") or len(result) > 1:
                raise SystemExit(f"{job}, {method}: another result than the first method of this job")
            repeats_of[method] = [
                {"absent": "it wrote or gave other values than the first method, so no time is shown"}
            ]
    return repeats_of


def _show(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<100}", end="" if text else "\r", file=sys.stderr, flush=True)


def _in_process(job: str, method: str, inputs: cases.Inputs) -> dict[str, Any]:
    request = json.dumps({"job": job, "method": method, "inputs": asdict(inputs)}, default=str)
    command = [sys.executable, str(HERE / "run.py"), "--case", request]
    # Everyone's modules are compiled once, whatever the environment says: it is not what is measured.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(inputs.folder / "compiled")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        if method.startswith("nevparse"):
            raise SystemExit(f"{job}, {method} failed:\n{done.stderr}")
        return {"absent": "it failed: " + done.stderr.strip().splitlines()[-1][:80]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _summary(repeats: list[dict[str, Any]]) -> dict[str, Any]:
    if "absent" in repeats[0]:
        return {"absent": repeats[0]["absent"]}
    seconds = [repeat["seconds"] for repeat in repeats]
    return {
        "median_s": statistics.median(seconds),
        "least_s": min(seconds),
        "most_s": max(seconds),
        "cpu_s": statistics.median(repeat["cpu_s"] for repeat in repeats),
        "anonymous_bytes": max(repeat["anonymous_bytes"] for repeat in repeats),
        "resident_bytes": max(repeat["resident_bytes"] for repeat in repeats),
        "repeats": len(repeats),
    }


# --------------------------------------------------------------------------------------------------------- reports


def table(measured: dict[str, dict[str, Any]]) -> str:
    """For each job its methods, each with its ratio to the first."""
    lines = []
    for job, methods in measured.items():
        first = next((method["median_s"] for method in methods.values() if "median_s" in method), 1.0)
        lines += [
            "",
            f"time_{job}",
            f"  {'':<56}{'ratio':>8}{'median':>11}{'spread':>20}{'cpu':>10}{'anon':>9}{'rss':>9}",
        ]
        for name, method in methods.items():
            if "absent" in method:
                lines.append(f"  {name:<56}{'absent':>8}   ({method['absent']})")
                continue
            spread = f"{method['least_s']:.3g} .. {method['most_s']:.3g}"
            memory = "".join(f"{method[kind] / 1e6:7.0f}MB" for kind in ("anonymous_bytes", "resident_bytes"))
            ratio = method["median_s"] / first
            lines.append(
                f"  {name:<56}{ratio:8.3g}{method['median_s']:10.4g}s{spread:>20}{method['cpu_s']:9.3g}s{memory}"
            )
    return "\n".join(lines)


def markdown(measured: dict[str, dict[str, Any]]) -> str:
    """The same as tables of Markdown, with fewer columns; what is absent is left out."""
    lines = []
    for job, methods in measured.items():
        timed = {name: method for name, method in methods.items() if "median_s" in method}
        first = next((method["median_s"] for method in timed.values()), 1.0)
        lines += [f"`time_{job}`", "", "| way | ratio | median, s | least to most, s | anonymous, MB |"]
        lines += ["|---|---:|---:|---:|---:|"]
        for name, method in timed.items():
            spread = f"{method['least_s']:.3g} to {method['most_s']:.3g}"
            numbers = f"{method['median_s'] / first:.3g} | {method['median_s']:.3g} | {spread}"
            lines.append(f"| {name} | {numbers} | {method['anonymous_bytes'] / 1e6:.0f} |")
        lines.append("")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """The machine and versions that the numbers are of."""
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


NOISE = (
    "ratio: to the first line of each job, by medians. spread: least and most of all repeats; where it is wide, the "
    "machine had other work, and a ratio nearer to 1 than the spread means nothing. anon, rss: peak above the start of "
    "the case. Input in the page cache; output removed just before each run."
)


def prepared(arguments: argparse.Namespace, folder: Path) -> tuple[cases.Inputs, list[str]]:
    """The data, made or the user's own, read once into the page cache; and the jobs that can be done on it."""
    if arguments.file:
        inputs, jobs = _own_file(arguments, folder), [*ON_OWN_FILE]
    else:
        inputs, jobs = _made_data(arguments, folder), list(cases.JOBS)
    for path in {inputs.nsx, *folder.rglob("*.n*")}:
        _feed_file(hashlib.blake2b(), path)
    chosen = arguments.only.split(",") if arguments.only else jobs
    if unknown := [job for job in chosen if job not in jobs]:
        raise SystemExit(f"expected jobs among {', '.join(jobs)}, found {', '.join(unknown)}")
    return inputs, [job for job in jobs if job in chosen]


def _own_file(arguments: argparse.Namespace, folder: Path) -> cases.Inputs:
    import nevparse

    try:
        ns = nevparse.open_nsx(arguments.file)
        extents = [(p.offset, p.n_rows) for s in ns.segments for p in s.extents(0, s.n_samples) if p.first_packet < 0]
    except (OSError, nevparse.FormatError) as error:
        raise SystemExit(f"--file {arguments.file}: {error}") from error
    n_columns = max(1, ns.n_channels * data.N_NEURAL // data.N_CHANNELS)
    if ns.dtype != np.int16 or not extents:
        found = f"{ns.dtype.name}" if extents else "a timestamp for each sample" if ns.n_samples else "no samples"
        raise SystemExit(f"--file {arguments.file}: the plain copy reads blocks of int16 samples, found {found}")
    return cases.Inputs(folder, Path(arguments.file).resolve(), n_columns, arguments.brpylib, extents, ns.n_channels)


def _made_data(arguments: argparse.Namespace, folder: Path) -> cases.Inputs:
    nsx, instruments = folder / "block.ns5", folder / "instruments"
    instruments.mkdir()
    data.continuous(nsx, arguments.gb)
    data.continuous(folder / "small.ns5", _SMALL_GB)
    data.ptp(folder / "ptp.ns6", arguments.gb)
    data.blocks(folder / "blocks.ns5", arguments.blocks)
    data.events(folder / "events.nev", arguments.packets)
    for k in range(_INSTRUMENTS):
        data.continuous(instruments / f"NSP{k + 1}.ns5", arguments.gb / _INSTRUMENTS)
        data.ptp(instruments / f"NSP{k + 1}.ns6", arguments.gb / _INSTRUMENTS, _APART_PPM * k / (_INSTRUMENTS - 1), 0)
    start = 314 + 66 * data.N_CHANNELS + 9
    extents = [(start, (nsx.stat().st_size - start) // (2 * data.N_CHANNELS))]
    return cases.Inputs(folder, nsx, data.N_NEURAL, arguments.brpylib, extents)


def main() -> None:
    """Measure, print the table, and write the results as JSON or a drawing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", help="an NSx of your own instead of made data")
    parser.add_argument("--gb", type=float, default=0.1, help="size of the made continuous data (0.1)")
    parser.add_argument("--packets", type=int, default=200_000, help="spikes in the made NEV (200000)")
    parser.add_argument("--blocks", type=int, default=5_000, help="blocks in the file of many (5000)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each case (3; 7 for numbers to quote)")
    parser.add_argument("--only", help="jobs, separated by commas: " + ", ".join(cases.JOBS))
    parser.add_argument("--folder", help="where to put the data and what is exported (a temporary folder)")
    parser.add_argument("--brpylib", metavar="PATH", help="folder of the vendor's Python-Utilities")
    parser.add_argument("--json", metavar="OUT", help="write everything there")
    parser.add_argument("--markdown", action="store_true", help="print tables of Markdown, as in the README here")
    parser.add_argument("--plot", metavar="OUT.svg", help="draw it")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        request = json.loads(arguments.case)
        inputs = cases.Inputs(**request["inputs"] | {key: Path(request["inputs"][key]) for key in ("folder", "nsx")})
        print(json.dumps(run_case(request["job"], request["method"], inputs)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        inputs, jobs = prepared(arguments, Path(folder))
        size = inputs.nsx.stat().st_size
        print(", ".join(f"{key} {value}" for key, value in machine().items()) + f"; {size / 1e9:.3g} GB")
        measured = measure(jobs, inputs, arguments.repeats)
    print(markdown(measured) if arguments.markdown else f"{table(measured)}\n\n{NOISE}")
    if arguments.json:
        results = {"machine": machine(), "size_bytes": size, "measured": measured}
        Path(arguments.json).write_text(json.dumps(results, indent=1), encoding="utf-8")
    if arguments.plot:
        Path(arguments.plot).write_text(plot.svg(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
