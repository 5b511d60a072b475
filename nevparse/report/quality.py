# SPDX-License-Identifier: MIT
"""How good each channel is: noise, mains hum, clipping, frozen values, and a verdict (``spec_notes/quality.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import Progress
from ..export.paths import takes_paths
from ..format.channel import Channel
from ..format.notebook import summary_html
from ..format.text import counted, counts_text, duration_text, percent_text, printable
from ..nsx.file import NsxFile, open_nsx
from ..traces.plan import SampleRows
from ..traces.traces import Continuous, Traces

WINDOW_S = 1.0
LFP_HZ = (1.0, 300.0)
BANDS = {"lfp_noise": "LFP", "spike_noise": "spike"}
SPIKE_LOW_HZ, HIGHEST = 300.0, 0.4  # the spike band's lower end, and the upper end of all in sampling rates
_LEAST_SPIKE_HZ = 1000.0  # below that the rate is too low for spikes
_LEAST_SAMPLES = 32
_MOST_WINDOWS = 1000  # of recordings in many pieces, unless all is read
_GROUP = 64  # channels at a time: bounds the memory
_GAUSSIAN_MEDIAN = 0.6745  # median of |x| of a normal distribution, in standard deviations
_INT16_LIMITS = -32764, 32764  # where a file does not say: ±8191 µV in steps of 0.25 µV
_RUN = 8  # steps without a change on end: a value that is frozen

MAINS_HZ = (50.0, 60.0)
_MAINS_FROM_HZ, _HARMONICS_TO_HZ = 30.0, 1000.0
_LINE_HZ, _BESIDE_HZ, _COARSEST_HZ = 1.5, 10.0, 2.5

FAULTLESS = ("good", "not judged")
VERDICTS = ("good", "dead", "clipped", "hum", "noisy", "unlike its neighbours", "unknown", "not judged")
_CLIPPED_SHARE, _REPEATED_SHARE, _MAINS_SHARE = 0.001, 0.25, 0.5
_DEAD_UV, _NOISY_UV = 1.0, 50.0
_LEAST_ELECTRODES = 4  # fewer are no array to compare with
_DEVIATION, _SPIKE_TIMES, _LFP_TIMES, _QUIET_PART = 5.0, 2.0, 3.0, 1 / 3
_UNLIKE_CORRELATION, _ARRAY_CORRELATION = 0.4, 0.7

_Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Quality:
    """What `channel_quality` found.

    Parameters
    ----------
    channels : numpy.ndarray
        Structured, ``(n_channels,)``, one row for each column:

        - ``column``, ``electrode_id``, ``label``, ``kind``; ``unit`` is ``uV``, or ``raw`` without a scale.
        - ``offset``, ``lfp_noise``, ``spike_noise`` in that unit; NaN where the sampling rate, or the recording, is
          too low or short for the band.
        - ``mains_hz`` (50 or 60) and ``mains_share``, of the power above 30 Hz.
        - ``clipped_share``, ``repeated_share``: of the samples, 0 to 1.
        - ``correlation`` with the median of all electrodes, in the LFP band.
        - ``verdict``: ``good``, ``dead``, ``clipped``, ``hum``, ``noisy``, ``unlike its neighbours``, ``unknown`` (too
          short to say) or ``not judged`` (no electrode); ``reason`` in words.
    n_windows, window_s : int and float
        Windows that were examined, and the length of each, in seconds.
    duration_s : float
        All that was recorded, in seconds.
    """

    channels: NDArray[np.void]
    n_windows: int
    window_s: float
    duration_s: float

    @property
    def not_good(self) -> NDArray[np.void]:
        """The rows of electrodes that are not good, in the order of the channels."""
        rows: NDArray[np.void] = self.channels[are_faulty(self.channels)]
        return rows

    @property
    def counts(self) -> dict[str, int]:
        """Number of channels of each verdict that occurs, in the order of the verdicts."""
        found = self.channels["verdict"].tolist()
        return {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}

    @property
    def basis(self) -> str:
        """What was examined, in words."""
        windows = f"{counted(self.n_windows, 'window')} of {duration_text(self.window_s)}"
        return f"{windows}, spread over {duration_text(self.duration_s)}"

    def lines(self) -> list[str]:
        """Lines for a person: the verdicts counted, then every channel that is not good, with the reason."""
        rows = [
            f"  column {row['column']}, electrode {row['electrode_id']} {printable(str(row['label']))}: "
            f"{row['verdict']}: {row['reason']}"
            for row in self.not_good
        ]
        return [f"{counts_text(self.counts) or 'no channels'} ({self.basis})", *rows]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"Quality({self.lines()[0]})"

    def _repr_html_(self) -> str:
        rows = [(f"electrode {row['electrode_id']}", f"{row['verdict']}: {row['reason']}") for row in self.not_good]
        return summary_html(self.lines()[0], rows)


def are_faulty(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which rows are of electrodes that are not good."""
    return ~np.isin(rows["verdict"], FAULTLESS)


def noise_band(rows: NDArray[np.void]) -> str:
    """The noise to show of these rows: in the spike band, if any channel is sampled fast enough for it."""
    return "spike_noise" if np.isfinite(rows["spike_noise"]).any() else "lfp_noise"


def unit_text(rows: NDArray[np.void]) -> str:
    """The unit, or units, of the noise and offset of these rows."""
    units = {"uV": "µV", "raw": "raw units"}
    return " or ".join(text for unit, text in units.items() if (rows["unit"] == unit).any())


class Measurement(NamedTuple):
    """The quality of the channels, and what else the same pass over the samples gives.

    Parameters
    ----------
    quality : Quality
        What `channel_quality` returns.
    frequencies_hz : numpy.ndarray
        float64 ``(n,)``, up to 0.4 of the sampling rate.
    power : numpy.ndarray
        float32 ``(n_channels, n)``: mean power spectral density of the windows, in squared units per Hz.
    """

    quality: Quality
    frequencies_hz: NDArray[np.float64]
    power: _Floats


@takes_paths(open_nsx)
def channel_quality(
    recording: NsxFile | Continuous | Traces, seconds: float | None = 10.0, *, progress: Progress | None = None
) -> Quality:
    """Measure and judge every channel, from short windows spread evenly over the recording.

    Parameters
    ----------
    recording : NsxFile, CombinedInstruments, Traces or path
        A file, several side by side, or chosen channels and times (`NsxFile.traces`). Filled rows are left out.
    seconds : float, optional
        How much to read, in windows of 1 s (shorter where the recording has no unbroken second). None reads all.
    progress : callable, optional
        Called with (windows done, windows in all). What it raises cancels.

    Returns
    -------
    Quality
        A row for each channel, with a verdict and its reason, and what was examined.

    Raises
    ------
    ValueError
        Where `seconds` is no time above 0.

    Notes
    -----
    Formulas and thresholds with their sources are in ``spec_notes/quality.md``.

    Examples
    --------
    >>> import nevparse as nv
    >>> nv.channel_quality("session.ns5")
    Quality(83 good, 45 noisy, 16 not judged (1 window of 100 ms, spread over 100 ms))
    """
    return measure(recording, seconds, progress=progress).quality


def measure(
    recording: NsxFile | Continuous | Traces, seconds: float | None = 10.0, *, progress: Progress | None = None
) -> Measurement:
    """The same, with the power spectra."""
    if not isinstance(recording, NsxFile | Continuous | Traces):
        found = f"{type(recording).__name__}; recording.nsx has the continuous files of a recording"
        raise TypeError(f"expected a continuous file or traces, found {found}")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"expected seconds above 0, or None for the whole recording, found {seconds!r}")
    channels, rate = tuple(recording.channels), float(recording.sampling_rate)
    parts = _unbroken_parts(recording)
    lengths = np.array([n_samples for _, _, n_samples in parts], np.int64)
    n = _window_samples(lengths, rate)
    windows = list(_windows(lengths, n, _n_wanted(seconds, n / rate)))
    tally = _Tally(channels, rate, n, len(windows))
    for number, (part, start) in enumerate(windows):
        rows, first, _ = parts[part]
        tally.add(number, rows[first + start : first + start + n])
        if progress is not None:
            progress(number + 1, len(windows))
    quality = Quality(tally.rows(), len(windows), n / rate, int(lengths.sum()) / rate)
    return Measurement(quality, tally.frequencies_hz, tally.power)


def _unbroken_parts(recording: NsxFile | Continuous | Traces) -> list[tuple[Any, int, int]]:
    """Samples without a gap: an array, the first row and the number of rows. Filled rows are left out."""
    if isinstance(recording, NsxFile):
        return [(segment, 0, segment.n_samples) for segment in recording.segments]
    traces = recording if isinstance(recording, Traces) else recording.traces(gaps="join")
    rows = [part for part in traces.planned_rows if isinstance(part, SampleRows)]
    return [(traces, part.row, part.n_rows) for part in rows]


# ------------------------------------------------------------------------------------------------------- windows
def _window_samples(lengths: NDArray[np.int64], rate: float) -> int:
    """Samples in each window: 1 s, or as much as half of what was recorded has without a break."""
    if not lengths.sum():
        return 0
    ascending = np.sort(lengths)
    middle = ascending[np.searchsorted(np.cumsum(ascending), lengths.sum() / 2)]
    return int(min(middle, max(1, round(WINDOW_S * rate))))


def _n_wanted(seconds: float | None, window_s: float) -> int | None:
    """How many windows make so many seconds; None where all are wanted."""
    if seconds is None or not window_s:
        return None
    return int(max(1, min(_MOST_WINDOWS, round(seconds / window_s))))


def _windows(lengths: NDArray[np.int64], n: int, n_wanted: int | None) -> Iterator[tuple[int, int]]:
    """(part, first sample) of windows of `n` samples, evenly spread; all that cover the parts where None is wanted."""
    if n == 0:
        return
    counts = np.where(lengths >= n, -(-lengths // n), 0)
    stops = np.cumsum(counts)
    n_all = int(stops[-1])
    n_each = n_all if n_wanted is None else min(n_wanted, n_all)
    for number in (2 * np.arange(n_each) + 1) * n_all // (2 * n_each):
        part = int(np.searchsorted(stops, number, "right"))
        place, last = int(number - (stops[part] - counts[part])), max(1, int(counts[part]) - 1)
        yield part, place * (int(lengths[part]) - n) // last


# ------------------------------------------------------------------------------------------------------ measuring
class _Tally:
    """What the windows measure, for every channel."""

    def __init__(self, channels: Sequence[Channel], rate: float, n: int, n_windows: int) -> None:
        self._channels, self._rate, self._n, self._n_windows = channels, rate, n, n_windows
        self._is_neural = np.array([channel.kind == "neural" for channel in channels], bool)
        scales = np.array([channel.uv_per_bit for channel in channels], np.float64)
        self._is_raw = ~np.isfinite(scales)
        self._scale = np.where(self._is_raw, 1.0, scales).astype(np.float32)[:, None]
        offsets = np.array([channel.uv_offset for channel in channels], np.float64)
        self._uv_offset = np.where(np.isfinite(offsets) & ~self._is_raw, offsets, 0.0)
        n_bins = int(HIGHEST * rate * n / rate) + 1 if n else 0
        self.frequencies_hz: NDArray[np.float64] = np.arange(n_bins, dtype=np.float64) * (rate / n if n else 0.0)
        self.power = np.zeros((len(channels), n_bins), np.float32)
        self._each = {
            name: np.full((n_windows, len(channels)), np.nan)
            for name in ("offset", "lfp_noise", "spike_noise", "correlation", "clipped_share", "repeated_share")
        }

    def add(self, number: int, raw: NDArray[Any]) -> None:
        """Measure one window."""
        signals = []
        for a in range(0, len(self._channels), _GROUP):
            group = slice(a, a + _GROUP)
            values = np.ascontiguousarray(raw[:, group].T)
            signals.append(self._add_group(number, group, values))
        if signals and signals[0] is not None:
            self._each["correlation"][number] = _correlations(np.concatenate(signals), self._is_neural)  # type: ignore[arg-type]

    def _add_group(self, number: int, group: slice, values: NDArray[Any]) -> _Floats | None:
        """Measure some channels; returns their signals in the LFP band, None where the window is too short."""
        each = {name: found[number] for name, found in self._each.items()}
        is_finite = np.isfinite(values)
        each["clipped_share"][group] = _clipped_share(values, self._channels[group])
        each["repeated_share"][group] = _repeated_share(values, is_finite)
        signal = np.where(is_finite, values, 0).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # a damaged file can have any float
            signal *= self._scale[group]
        signal = np.nan_to_num(np.clip(signal, -1e12, 1e12), copy=False)
        each["offset"][group] = signal.mean(axis=1, dtype=np.float64) + self._uv_offset[group]
        if self._n < _LEAST_SAMPLES:
            return None
        with np.errstate(under="ignore"):
            spectrum = np.fft.rfft(_without_trend(signal), axis=1)
            self.power[group] += _power(spectrum, self._n, self._rate, self.power.shape[1]) / self._n_windows
            lfp = self._band(spectrum, LFP_HZ[0], min(LFP_HZ[1], HIGHEST * self._rate))
            each["lfp_noise"][group] = np.median(np.abs(lfp), axis=1) / _GAUSSIAN_MEDIAN
            if self._rate * HIGHEST >= _LEAST_SPIKE_HZ:
                spikes = self._band(spectrum, SPIKE_LOW_HZ, HIGHEST * self._rate)
                each["spike_noise"][group] = np.median(np.abs(spikes), axis=1) / _GAUSSIAN_MEDIAN
        return lfp

    def _band(self, spectrum: NDArray[Any], low_hz: float, high_hz: float) -> _Floats:
        """The signal of a band of frequencies, at no more samples than it takes."""
        low, high = (int(hz * self._n / self._rate) for hz in (low_hz, high_hz))
        inside = spectrum[:, : high + 1].copy()
        inside[:, : max(1, low)] = 0
        n_out = max(2 * high, 2)
        return (np.fft.irfft(inside, n_out, axis=1) * (n_out / self._n)).astype(np.float32)

    def rows(self) -> NDArray[np.void]:
        """The table, with verdicts."""
        longest = max([1, *(len(channel.label) for channel in self._channels)])
        texts = [("label", f"U{longest}"), ("kind", "U6"), ("unit", "U3")]
        numbers = ("offset", "lfp_noise", "spike_noise", "mains_hz", "mains_share", "clipped_share", "repeated_share")
        floats = [(name, "f4") for name in (*numbers, "correlation")]
        judged = [("verdict", "U21"), ("reason", "U96")]
        rows = np.zeros(len(self._channels), [("column", "i8"), ("electrode_id", "i8"), *texts, *floats, *judged])
        for name in ("electrode_id", "label", "kind"):
            rows[name] = [getattr(channel, name) for channel in self._channels]
        rows["column"] = [channel.index for channel in self._channels]
        rows["unit"] = np.where(self._is_raw, "raw", "uV")
        for name, found in self._each.items():
            if not self._n_windows:
                rows[name] = np.nan
            else:
                rows[name] = found.mean(axis=0) if name.endswith("share") else np.median(found, axis=0)
        rows["mains_hz"], rows["mains_share"] = _mains(self.power, self._rate / self._n if self._n >= 2 else np.inf)
        rows["verdict"], rows["reason"] = _judge(rows)
        return rows


def _clipped_share(values: NDArray[Any], channels: Sequence[Channel]) -> NDArray[np.float64]:
    """Share of samples at, or beyond, the ends of each channel's range."""
    limits = np.array([_limits(channel, values.dtype) for channel in channels], values.dtype).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        is_clipped = (values <= limits[:, :1]) | (values >= limits[:, 1:])
    share: NDArray[np.float64] = is_clipped.mean(axis=1)
    return share


def _limits(channel: Channel, dtype: np.dtype[Any]) -> tuple[float, float]:
    """The ends of the range; where the file has none, those of the usual converter, or of the type."""
    is_integer = dtype.kind == "i"
    low, high = channel.digital_range if is_integer else channel.analog_range
    if not (isfinite(low) and isfinite(high) and low < high):
        return _INT16_LIMITS if is_integer else (-np.inf, np.inf)
    return (max(low, -32768.0), min(high, 32767.0)) if is_integer else (low, high)


def _repeated_share(values: NDArray[Any], is_finite: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of samples that end a run of nine equal ones; what is no number counts as well."""
    if values.shape[1] <= _RUN:
        return np.full(len(values), np.nan)
    run = (values[:, 1:] == values[:, :-1]) | ~is_finite[:, 1:]
    for step in (1, 2, 4):
        run = run[:, step:] & run[:, :-step]
    share: NDArray[np.float64] = run.mean(axis=1)
    return share


def _without_trend(signal: _Floats) -> _Floats:
    """The signal without its mean and its straight slope."""
    n = signal.shape[1]
    ramp = np.linspace(-1, 1, n, dtype=np.float32)
    slope = signal @ ramp / np.float32((ramp * ramp).sum())
    signal -= signal.mean(axis=1, keepdims=True)
    signal -= slope[:, None] * ramp
    return signal


def _power(spectrum: NDArray[Any], n: int, rate: float, n_bins: int) -> _Floats:
    """Power spectral density under a Hann window, which among frequencies is a weighted sum of neighbours."""
    smooth = spectrum[:, :n_bins] * np.float32(0.5)
    smooth[:, 1:] -= spectrum[:, : n_bins - 1] * np.float32(0.25)
    smooth -= spectrum[:, 1 : n_bins + 1] * np.float32(0.25)
    power: _Floats = (smooth.real**2 + smooth.imag**2) * np.float32(2 / (rate * n * 3 / 8))
    return power


def _correlations(signals: _Floats, is_neural: NDArray[np.bool_]) -> _Floats:
    """Pearson's correlation of each signal with the median of the electrodes; NaN where one of them is flat."""
    if np.count_nonzero(is_neural) < _LEAST_ELECTRODES:
        return np.full(len(signals), np.nan, np.float32)
    common = np.median(signals[is_neural], axis=0).astype(np.float64)
    common -= common.mean()
    each = signals - signals.mean(axis=1, keepdims=True)
    size = np.sqrt((each.astype(np.float64) ** 2).sum(axis=1) * (common**2).sum())
    with np.errstate(under="ignore"):
        return np.where(size > 0, each @ common / np.where(size > 0, size, 1), np.nan).astype(np.float32)


def _mains(power: _Floats, step_hz: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """The stronger mains frequency of each channel, and its share with its harmonics of the power above 30 Hz."""
    n_channels, n_bins = power.shape
    if step_hz > _COARSEST_HZ or n_bins * step_hz <= MAINS_HZ[0]:
        return np.full(n_channels, np.nan), np.full(n_channels, np.nan)
    total = power[:, int(_MAINS_FROM_HZ / step_hz) :].sum(axis=1, dtype=np.float64)
    excess = np.stack([_excess(power, hz, step_hz) for hz in MAINS_HZ], axis=1)
    strongest = excess.argmax(axis=1)
    share = excess[np.arange(n_channels), strongest] / np.where(total > 0, total, 1)
    return np.array(MAINS_HZ)[strongest], share


def _excess(power: _Floats, mains_hz: float, step_hz: float) -> NDArray[np.float64]:
    """Power in the lines of a mains frequency, above the median of the frequencies beside each."""
    n_channels, n_bins = power.shape
    excess = np.zeros(n_channels)
    half, reach = max(1, int(_LINE_HZ / step_hz)), max(4, int(_BESIDE_HZ / step_hz))
    for hz in np.arange(mains_hz, min(_HARMONICS_TO_HZ, (n_bins - 1) * step_hz) + 1, mains_hz):
        center = round(hz / step_hz)
        line = power[:, max(0, center - half) : center + half + 1]
        below = power[:, max(0, center - reach) : max(0, center - half - 1)]
        above = power[:, center + half + 2 : center + reach + 1]
        beside = np.median(np.concatenate([below, above], axis=1), axis=1)
        excess += np.maximum(0, line.sum(axis=1) - line.shape[1] * beside)
    return excess


# -------------------------------------------------------------------------------------------------------- judging
def _judge(rows: NDArray[np.void]) -> tuple[list[str], list[str]]:
    """A verdict and its reason for each channel."""
    is_sound = (rows["kind"] == "neural") & ~(rows["clipped_share"] >= _CLIPPED_SHARE)
    is_sound &= ~(rows["repeated_share"] >= _REPEATED_SHARE)
    array = {name: _spread(rows[name][is_sound]) for name in ("lfp_noise", "spike_noise")}
    known = rows["correlation"][is_sound & np.isfinite(rows["correlation"])]
    is_array = np.count_nonzero(is_sound) >= _LEAST_ELECTRODES
    common = float(np.median(known)) if known.size and is_array else 0.0
    verdicts = [_verdict(row, array, common) for row in rows]
    return [verdict for verdict, _ in verdicts], [reason for _, reason in verdicts]


class _Spread(NamedTuple):
    """Median of a kind of noise over the electrodes, and the robust deviation of its logarithm."""

    median: float
    deviation: float

    def times(self, value: float) -> float:
        """How many times the median a value is; 1 where it is not farther from it than others are."""
        times = value / self.median if self.median > 0 and value > 0 else 1.0
        is_usual = not isfinite(times) or abs(np.log(times)) <= _DEVIATION * self.deviation
        return 1.0 if is_usual else times


def _spread(noise: NDArray[Any]) -> _Spread:
    above = noise[np.isfinite(noise) & (noise > 0)].astype(np.float64)
    if above.size < _LEAST_ELECTRODES:
        return _Spread(np.nan, np.inf)
    logarithms = np.log(above)
    middle = float(np.median(logarithms))
    deviation = float(np.median(np.abs(logarithms - middle))) / _GAUSSIAN_MEDIAN
    return _Spread(float(np.exp(middle)), deviation)


def _verdict(row: np.void, array: dict[str, _Spread], common: float) -> tuple[str, str]:
    """The first thing that is wrong with a channel."""
    if row["kind"] != "neural":
        return "not judged", f"{'an analog input' if row['kind'] == 'analog' else 'no electrode'}"
    if not isfinite(row["lfp_noise"]):
        return "unknown", "the recording is too short to say"
    faults = [*_faults_of_samples(row), *_faults_beside_others(row, array, common)]
    return faults[0] if faults else ("good", "")


def _faults_of_samples(row: np.void) -> Iterator[tuple[str, str]]:
    if row["clipped_share"] >= _CLIPPED_SHARE:
        yield "clipped", f"{percent_text(row['clipped_share'])} of the samples are at the limits of the range"
    if row["repeated_share"] >= _REPEATED_SHARE:
        yield "dead", f"the value does not change in {percent_text(row['repeated_share'])} of the samples"
    loudest = np.nanmax([row["lfp_noise"], row["spike_noise"]])
    if row["unit"] == "uV" and loudest < _DEAD_UV:
        yield "dead", f"noise of {loudest:.2g} µV, less than any amplifier's"
    if row["mains_share"] >= _MAINS_SHARE:
        yield "hum", f"{percent_text(row['mains_share'])} of the power above 30 Hz is {row['mains_hz']:.0f} Hz mains"


def _faults_beside_others(row: np.void, array: dict[str, _Spread], common: float) -> Iterator[tuple[str, str]]:
    times = {name: spread.times(float(row[name])) for name, spread in array.items()}
    if row["unit"] == "uV" and row["spike_noise"] > _NOISY_UV:
        yield "noisy", f"{row['spike_noise']:.0f} µV of noise in the spike band"
    for name, limit in (("spike_noise", _SPIKE_TIMES), ("lfp_noise", _LFP_TIMES)):
        if times[name] >= limit:
            yield "noisy", f"{times[name]:.1f} times the array's noise in the {BANDS[name]} band"
    for name, found in times.items():
        if found <= _QUIET_PART:
            yield "unlike its neighbours", f"{found:.2g} of the array's noise in the {BANDS[name]} band"
    if common >= _ARRAY_CORRELATION and row["correlation"] < _UNLIKE_CORRELATION:
        yield "unlike its neighbours", f"correlation {row['correlation']:.2f} with the array, others {common:.2f}"
