# SPDX-License-Identifier: MIT
"""Fuzz by hand: ``python tests/fuzz/run.py TARGET CORPUS [libFuzzer options]``, with atheris (``pip install .[fuzz]``).

``python tests/fuzz/run.py keep CORPUS...`` then puts what reached new lines into the stored corpus, which the suite
replays; folders are named as their targets. A finding is a file ``crash-...``: make it a named test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]


def fuzz(target: str, arguments: list[str]) -> None:
    """Run one target until it fails or its time is over."""
    import atheris

    with atheris.instrument_imports(include=["nevparse"]):
        from fuzz import corpus, properties

    folder = Path(tempfile.mkdtemp(prefix="nevparse-fuzz-"))
    inputs = Path(arguments[0])
    inputs.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus.starting_points()[target]):
        (inputs / f"start-{number:04d}").write_bytes(data)
    atheris.Setup([sys.argv[0], *arguments], lambda data: properties.judge(target, data, folder) and None)
    atheris.Fuzz()


def keep(folders: list[Path]) -> None:
    """Store of every folder the inputs that reach what no smaller one does."""
    from fuzz import corpus

    found = {folder.name: [path.read_bytes() for path in sorted(folder.iterdir())] for folder in folders}
    kept = corpus.load() | corpus.minimised(found)
    corpus.store(kept)
    for target, inputs in sorted(kept.items()):
        print(f"{target}: {len(inputs)} inputs, {sum(map(len, inputs))} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == "keep":
        keep([Path(name) for name in sys.argv[2:]])
    else:
        fuzz(sys.argv[1], sys.argv[2:])
