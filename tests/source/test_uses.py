# SPDX-License-Identifier: MIT
"""What bytes and objects are good for: pickling, exports and judging, C09 to C12 of `spec_notes/sources.md`."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import FileOf

import nevparse as nv
from nevparse.source.objects import open_source
from source.kinds import NEV, NSX, Remote, every_kind, given, nev_surface, nsx_surface, refused

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "BytesIO", "remote", "subclass"])
@pytest.mark.parametrize("which", ["2.3", "ptp"])
def test_sources_c09_bytes_and_objects_that_can_be_pickled_are(tmp_path: Path, kind: str, which: str) -> None:
    data, samples = b.plausible(which, 3, (9,))
    with given(kind, data, tmp_path) as what, nv.open_nsx(what, nev={1: 3.0}) as ns:
        again = pickle.loads(pickle.dumps(ns))
        np.testing.assert_array_equal(again.read(), samples)
        assert nsx_surface(again)[:3] == nsx_surface(ns)[:3]
    with given(kind, NEV["(2, 3)"], tmp_path) as what, nv.open_nev(what) as nev:
        assert nev_surface(pickle.loads(pickle.dumps(nev))) == nev_surface(nev)


def test_sources_c09_other_headers_are_refused() -> None:
    remote = Remote(b.plausible("2.3")[0])
    with nv.open_nsx(remote) as ns:
        remote._data = b.nsx([(0, b.ramp(5, 3))], label="another")
        pickled = pickle.dumps(ns)
    with pytest.raises(nv.FormatError, match=r"<Remote>.*the headers of the file that was pickled"):
        pickle.loads(pickled)


@pytest.mark.parametrize("kind", ["file", "unbuffered", "update", "temporary", "zip", "gzip"])
def test_sources_c09_what_cannot_be_pickled_says_so(tmp_path: Path, kind: str) -> None:
    with given(kind, b.plausible("2.3")[0], tmp_path) as what, nv.open_nsx(what) as ns:
        for attempt_ in (pickle.dumps, copy.copy):
            with pytest.raises(
                TypeError, match=rf"{type(what).__name__} cannot be pickled .*open it by its path, or give"
            ):
                attempt_(ns)


Exported = tuple[dict[str, Any], bytes, dict[str, Any]]  # the source in the sidecar, the .bin, the sidecar


def exports_of(ns: nv.NsxFile, folder: Path) -> list[Exported]:
    """What exports of all channels, and of some, leave."""
    outputs = []
    for k, channels in enumerate((None, [1, 0])):
        out = folder / f"{k}.bin"
        report = nv.write_bin(ns, out, channels=channels, gaps="join")
        assert report.n_samples == ns.fully_scanned().n_samples
        sidecar = json.loads(Path(report.sidecar_path).read_text())
        outputs.append((sidecar.pop("source"), out.read_bytes(), sidecar))
    return outputs


@pytest.fixture(scope="module", params=["2.3", "ptp", "many blocks", "hidden"])
def of_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Exported]]:
    """A file's bytes, and what exports of it leave."""
    data, folder = NSX[request.param], tmp_path_factory.mktemp("exports")
    (folder / "s.ns5").write_bytes(data)
    with nv.open_nsx(folder / "s.ns5") as ns:
        return data, exports_of(ns, folder)


@every_kind
def test_sources_c10_exports_are_the_same(
    of_file: tuple[bytes, list[Exported]], tmp_path: Path, out: Path, kind: str
) -> None:
    data, wanted = of_file
    with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
        outputs, name = exports_of(ns, out.parent), os.path.basename(ns.path)
    for (source, *got), (source_wanted, *got_wanted) in zip(outputs, wanted, strict=True):
        assert got == got_wanted
        assert source_wanted["name"] == "s.ns5"
        assert source == {**source_wanted, "name": name}


def test_sources_c10_instruments_side_by_side_are_exported_as_files_are(file_of: FileOf, tmp_path: Path) -> None:
    data = [b.nsx([(0, b.ramp(30, 4, first=k))]) for k in range(2)]
    with nv.open_nsx(data[0]) as one, nv.open_nsx(Remote(data[1])) as two:
        nv.write_bin([one, two], tmp_path / "a.bin")
    with nv.open_nsx(file_of(data[0], "1.ns5")) as one, nv.open_nsx(file_of(data[1], "2.ns5")) as two:
        nv.write_bin([one, two], tmp_path / "b.bin")
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_sources_c10_a_name_that_is_no_path_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = b.plausible("2.3", 3, (9,))[0]
    name = "<bytes>.bin" if os.name == "posix" else "bytes.bin"  # Windows has no such names
    with nv.open_nsx(data) as ns:
        for overwrite in (False, True):
            assert nv.write_bin(ns, name, overwrite=overwrite).n_samples == 9
    (tmp_path / "in").mkdir()
    with given("zip", data, tmp_path) as what, nv.open_nsx(what) as ns:
        assert nv.write_bin(ns, "o.bin").n_samples == 9


@pytest.mark.parametrize("kind", ["file", "update", "temporary"])
def test_sources_c10_an_open_file_is_not_overwritten(tmp_path: Path, kind: str) -> None:
    data = b.plausible("2.3", 3, (9,))[0]
    with given(kind, data, tmp_path) as what, nv.open_nsx(what) as ns:
        refused(lambda path: nv.write_bin(ns, path, overwrite=True), what.name, nv.ExportError, "the recording itself")


@every_kind
def test_sources_c11_check_takes_them_all(file_of: FileOf, tmp_path: Path, kind: str) -> None:
    for name, data in (("s.ns5", NSX["hidden"]), ("s.ns5", NSX["2.3"][:-3]), ("s.nev", NEV["(2, 3)"] + b"tail")):
        with given(kind, data, tmp_path) as what:
            found = [finding._replace(path="") for finding in nv.check(what)]
        assert found == [finding._replace(path="") for finding in nv.check(file_of(data, name))]
        assert found


@every_kind
def test_sources_c11_a_recording_is_a_path(tmp_path: Path, kind: str) -> None:
    with given(kind, NSX["2.3"], tmp_path) as what:
        refused(nv.open_recording, what, TypeError, "expected the path of a member, found", "open_nsx and open_nev")


@every_kind
def test_sources_c12_only_a_path_may_grow(file_of: FileOf, tmp_path: Path, kind: str) -> None:
    with given(kind, NSX["2.3"], tmp_path) as what:
        source = open_source(what)
        refused(lambda it: it.update_size(), source, ValueError, source.path, "opened by its path")
        source.close()
    source = open_source(file_of(NSX["2.3"]))
    assert source.update_size() == 0
    source.close()
