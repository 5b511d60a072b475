# SPDX-License-Identifier: MIT
"""What a type checker sees of the package: a user's script passes, and its misspelt names and words are found."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nevparse as nv

CHECKOUT = Path(__file__).resolve().parents[1]

# A line with "# not: ..." is an error that must be found; all others must pass
SCRIPT = """
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Unpack
import nevparse as nv


def loudest(ns: nv.NsxFile, kind: nv.ChannelKind = "neural") -> nv.Channel:
    samples: NDArray[np.float32] = ns.read(0, 1000, segment=0, kind=kind, unit="uV")
    return ns.channels[int(samples.std(axis=0).argmax())]


def after(nev: nv.NevFile, comment: nv.Comment, before_s: float) -> NDArray[np.void]:
    return nev.spikes(labels="elec*", exclude=[3, "elec9"], start_tick=comment.tick, stop_s=before_s)


def export(recording: nv.Recording, gaps: nv.GapPolicy) -> nv.BinReport:
    segment: nv.Segment = recording.fastest.segments[0]
    missing: tuple[nv.Gap, ...] = recording.fastest.gaps
    print(segment.shape, [gap.seconds for gap in missing])
    return nv.write_bin(recording.fastest, "s.bin", channels=0, gaps=gaps, start_s=1.5)


def filled(ns: nv.NsxFile, path: str, **selection: Unpack[nv.TraceSelection]) -> nv.Traces:
    nv.write_bin(ns, path, **selection)
    return ns.traces(**selection)


def findings() -> list[str]:
    found: tuple[nv.Finding, ...] = nv.check("s.ns5")
    return [finding.code for finding in found]


with nv.open_recording("s") as recording:
    print(loudest(recording.nsx[5]), export(recording, "fill"), findings())
    sidecar: nv.Sidecar = nv.read_sidecar("s.bin")
    electrode: nv.Electrode = recording.require_nev().electrodes[1]
    ns = recording.nsx[5]
    ns.read(unit="mV")  # not: the word
    ns.read(electrode=[1])  # not: the name
    ns.chunks(kind="neuronal")  # not: the word
    ns.traces(gap="fill")  # not: the name
    ns.traces(gaps="fill").select(lables="elec*")  # not: the name
    ns.columns(kind="neuronal")  # not: the word
    ns.sampling_rte  # not: the name
    nv.write_bin(ns, "s.bin", gaps="fil")  # not: the word
    nv.write_bin(ns, "s.bin", fill="held")  # not: the word
    nv.write_bin(ns, "s.bin", chanels=[0])  # not: the name
    nv.write_nsx(ns, "t.ns5", start="0")  # not: the name
    nv.write_sorter(ns, "folder", sort="yes")  # not: the word
    nv.open_nxs("s.ns5")  # not: the name
    recording.require_nev().events("spikes")  # not: the word
    export(ns, "join")  # not: the file
    electrode.lable  # not: the name
    sidecar.row_to_ticks([1])  # not: the name
    filled(ns, "s.bin", channels=0, stat_s=1)  # not: the name
"""


@pytest.mark.thorough  # mypy reads numpy's types first, which takes some ten seconds
def test_a_users_script_passes_and_its_mistakes_are_found(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = true\nmypy_path = {CHECKOUT.as_posix()}\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    found = {int(number) for number in re.findall(r"^script\.py:(\d+): error", done.stdout, re.MULTILINE)}
    wrong = {number for number, line in enumerate(SCRIPT.splitlines(), 1) if "# not:" in line}
    assert found == wrong, done.stdout + done.stderr


def test_type_checkers_and_python_see_the_same_names() -> None:
    tree = ast.parse((CHECKOUT / "nevparse" / "__init__.py").read_text(encoding="utf-8"))
    blocks = {ast.unparse(node.test): node.body for node in tree.body if isinstance(node, ast.If)}
    imports = [node for node in blocks["TYPE_CHECKING"] if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname: node.module for node in imports for alias in node.names}
    assert seen == nv._HOME
    hidden = [node.name for node in blocks["not TYPE_CHECKING"] if isinstance(node, ast.FunctionDef)]
    assert hidden == ["__getattr__"], "a checker that sees it takes every misspelt name for Any"


def test_a_misspelt_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'open_nxs'; did you mean open_nsx"):
        _ = nv.open_nxs  # type: ignore[attr-defined]
