# SPDX-License-Identifier: MIT
"""Every byte layout and version of the NEV and NSx file specifications, as data.

Sources, by the short names used in the tables:

LB-0023   Blackrock "File Formats: NEV, NSx", LB-0023 revision 7.00 (FileSpec 3.0), with the differences
          that its revision history gives for earlier file specifications. All numbers are little-endian
          and packed.
R01838    Ripple "Trellis NEV and NSx file specification", R01838 revision 07 (FileSpec 2.2).
files     Seen in recorded files where the documents are silent or differ; a comment at the row explains.

A version gives its difference from another one, and is looked up by ``(magic, (major, minor))``.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

from .layout import Layout

# Rows stay one to a line:
# fmt: off
MAGIC_BYTES = 8
VERSION_OFFSET = 8
CLOCK_HZ = 30_000  # NSx periods count this clock, whatever the timestamps count (LB-0023 "Period")
EXTENDED_BYTES = 32  # every NEV extended header (LB-0023 "Extended headers")
# --------------------------------------------------------------------------------------------- NSx headers
NSX_BASIC_21 = Layout("NSx 2.1 basic header", "LB-0023 revision history; files", (
    (0, "file_id", "8s"),
    (8, "label", "16s"),
    (24, "period", "I"),  # ticks of the 30 kHz clock between samples
    (28, "n_channels", "I"),
))
# The id has 32 bits here, and 16 everywhere else
NSX_CHANNEL_21 = Layout("NSx 2.1 channel", "LB-0023 revision history; files", ((0, "electrode_id", "I"),))
NSX_BASIC_22 = Layout("NSx basic header", "LB-0023 rev 7.00, NSx basic header", (
    (0, "file_id", "8s"),
    (8, "major", "B"),
    (9, "minor", "B"),
    (10, "header_bytes", "I"),  # 314 + 66 per channel: where the data starts
    (14, "label", "16s"),
    (30, "comment", "256s"),
    (286, "period", "I"),
    (290, "tick_rate", "I"),  # Hz of the timestamps
    (294, "time_origin", "8H"),  # Windows SYSTEMTIME, UTC
    (310, "n_channels", "I"),
))
NSX_BASIC_RIPPLE = NSX_BASIC_22.overlaid("Ripple NSx basic header", "R01838, NSx basic header; files",
    (30, "application", "52s"),  # before the comment: the document and every file agree, some readers do not
    (82, "comment", "200s"),
    (282, "processor_tick", "I"),
)
RIPPLE_APPLICATION = re.compile(rb"(Trellis\.exe|\d+(\.\d+)* Trellis)\[")  # how that of every Ripple file begins
RIPPLE_NEUTRAL_APPLICATION = b"Trellis.exe[]"
NSX_CHANNEL = Layout("CC extended header", "LB-0023 rev 7.00, NSx extended header", (
    (0, "type", "2s"),
    (2, "electrode_id", "H"),
    (4, "label", "16s"),
    (20, "bank", "B"),
    (21, "pin", "B"),
    (22, "min_digital", "h"),
    (24, "max_digital", "h"),
    (26, "min_analog", "h"),
    (28, "max_analog", "h"),
    (30, "units", "16s"),
    # "High" and "low" name the filter's kind, not the larger corner; every file shows it (0.3 Hz "high").
    (46, "high_pass_mhz", "I"),
    (50, "high_pass_order", "I"),
    (54, "high_pass_type", "H"),
    (56, "low_pass_mhz", "I"),
    (60, "low_pass_order", "I"),
    (64, "low_pass_type", "H"),
))
NFX_CHANNEL = NSX_CHANNEL.overlaid("FC extended header", "files (Trellis 1.14); readers that follow R01838 differ",
    (22, "min_analog", "f"),  # two floats stand where CC has four i16
    (26, "max_analog", "f"),
)
NSX_BLOCK = Layout("NSx data block header", "LB-0023 rev 7.00, NSx data packets", (
    (0, "header", "B"),
    (1, "tick", "I"),
    (5, "n_samples", "I"),
))
NSX_BLOCK_30 = NSX_BLOCK.retyped("NSx 3.0 data block header", "tick", "Q")
MAX_CHANNELS = 0x10000  # electrode ids have 16 bits
BLOCK_HEADER = 1  # the only legal value of the header byte


class NsxVersion(NamedTuple):
    """One version of the continuous-data format."""

    name: str
    basic: Layout
    channel: Layout
    channel_type: bytes | None  # what each channel header starts with
    block: Layout | None  # None: samples run from the headers to the end of the file
    sample: str = "<i2"
    origin_at_first: bool = False  # the header's date stands for the first sample, not for tick 0
    may_have_one_sample_packets: bool = False  # as PTP systems write
    vendor: str = "blackrock"
    ripple: NsxVersion | None = None  # the same version in Ripple's layout


NSX_21 = NsxVersion("2.1", NSX_BASIC_21, NSX_CHANNEL_21, None, None)
NSX_22 = NsxVersion("2.2", NSX_BASIC_22, NSX_CHANNEL, b"CC", NSX_BLOCK)
NSX_30 = NSX_22._replace(name="3.0", block=NSX_BLOCK_30, origin_at_first=True, may_have_one_sample_packets=True)
NSX_22_RIPPLE = NSX_22._replace(basic=NSX_BASIC_RIPPLE, vendor="ripple")
NFX_22 = NSX_22_RIPPLE._replace(channel=NFX_CHANNEL, channel_type=b"FC", sample="<f4")
NSX_22 = NSX_22._replace(ripple=NSX_22_RIPPLE)
NSX_23 = NSX_22._replace(name="2.3", ripple=NSX_22_RIPPLE._replace(name="2.3"))
NSX_VERSIONS: dict[tuple[bytes, tuple[int, int]], NsxVersion] = {
    (b"NEURALSG", (2, 1)): NSX_21,
    (b"NEURALCD", (2, 2)): NSX_22,
    (b"NEURALCD", (2, 3)): NSX_23,
    (b"BRSMPGRP", (3, 0)): NSX_30,
    (b"NEUCDFLT", (2, 2)): NFX_22,
}
NSX_WRITABLE = ("2.3", "3.0")  # versions that new files are made in
UNVERSIONED = {b"NEURALSG": (2, 1)}  # the magic stands for the version; there are no version bytes
# --------------------------------------------------------------------------------------------- NEV headers
NEV_BASIC = Layout("NEV basic header", "LB-0023 rev 7.00, NEV basic header; the same in 2.0 to 3.0", (
    (0, "file_id", "8s"),
    (8, "major", "B"),
    (9, "minor", "B"),
    (10, "flags", "H"),
    (12, "header_bytes", "I"),  # 336 + 32 per extended header: where the packets start
    (16, "packet_bytes", "I"),
    (20, "tick_rate", "I"),
    (24, "sample_rate", "I"),  # of the waveforms
    (28, "time_origin", "8H"),  # UTC since LB-0023 rev 5; local time before, which nothing in the file says
    (44, "application", "32s"),
    (76, "comment", "256s"),
    (332, "n_extended", "I"),
))
NEV_BASIC_RIPPLE = NEV_BASIC.overlaid("Ripple NEV basic header", "R01838, NEV basic header; files",
    (76, "comment", "200s"),
    (276, "", "52x"),
    (328, "processor_tick", "I"),
)
FLAG_ALL_16_BIT = 1
_EXTENDED = "LB-0023 rev 7.00, NEV extended headers"
TEXT = Layout("text", _EXTENDED, ((0, "id", "8s"), (8, "text", "24s")))
NEUEVWAV_20 = Layout("NEUEVWAV 2.0", _EXTENDED + "; 2.0 to 2.2", (
    (0, "id", "8s"),
    (8, "electrode_id", "H"),
    (10, "bank", "B"),
    (11, "pin", "B"),
    (12, "nv_per_bit", "H"),
    (14, "energy_threshold", "H"),
    # The document says µV. Files agree with the ADC counts of their .ccf; Ripple's are µV.
    (16, "high_threshold", "h"),
    (18, "low_threshold", "h"),
    (20, "n_units", "B"),
    (21, "sample_bytes", "B"),
    (22, "", "10x"),
))
NEUEVWAV_23 = NEUEVWAV_20.overlaid("NEUEVWAV 2.3", _EXTENDED + "; 2.3 and 3.0", (22, "n_points", "H"), (24, "", "8x"))
NEUEVWAV_RIPPLE = NEUEVWAV_20.overlaid("NEUEVWAV Ripple", "R01838; files", (22, "stim_v_per_bit", "f"), (26, "", "6x"))
NEUEVLBL = Layout("NEUEVLBL", _EXTENDED, (
    (0, "id", "8s"),
    (8, "electrode_id", "H"),
    (10, "label", "16s"),
    (26, "", "6x"),
))
NEUEVFLT = Layout("NEUEVFLT", _EXTENDED, (
    (0, "id", "8s"),
    (8, "electrode_id", "H"),
    (10, "high_pass_mhz", "I"),
    (14, "high_pass_order", "I"),
    (18, "high_pass_type", "H"),
    (20, "low_pass_mhz", "I"),
    (24, "low_pass_order", "I"),
    (28, "low_pass_type", "H"),
    (30, "", "2x"),
))
DIGLABEL = Layout("DIGLABEL", _EXTENDED, (
    (0, "id", "8s"),
    (8, "label", "16s"),
    (24, "mode", "B"),  # 0 serial, 1 parallel
    (25, "", "7x"),
))
NSASEXEV = Layout("NSASEXEV", _EXTENDED + "; 2.0 to 2.2, older name STIMINFO", (
    (0, "id", "8s"),
    (8, "period_hz", "H"),
    (10, "digital_config", "B"),
    (11, "analog_1_config", "B"),
    (12, "analog_1_level_mv", "h"),  # read as u16 by some; the range is ±5000 mV
    (14, "analog_2_config", "B"),
    (15, "analog_2_level_mv", "h"),
    (17, "analog_3_config", "B"),
    (18, "analog_3_level_mv", "h"),
    (20, "analog_4_config", "B"),
    (21, "analog_4_level_mv", "h"),
    (23, "analog_5_config", "B"),
    (24, "analog_5_level_mv", "h"),
    (26, "", "6x"),
))
VIDEOSYN = Layout("VIDEOSYN", _EXTENDED + "; since 2.3", (
    (0, "id", "8s"),
    (8, "source_id", "H"),
    (10, "name", "16s"),
    (26, "frames_per_second", "f"),
    (30, "", "2x"),
))
TRACKOBJ = Layout("TRACKOBJ", _EXTENDED + "; since 2.3", (
    (0, "id", "8s"),
    (8, "type", "H"),
    (10, "trackable_id", "H"),  # from 1; two u16, which some readers take for one u32
    (12, "max_points", "H"),
    (14, "name", "16s"),
    (30, "", "2x"),
))
# --------------------------------------------------------------------------------------------- NEV packets
# Offsets of 2.x; 3.0 widens the timestamp to 64 bits and moves every later field by four.
_PACKET = "LB-0023 rev 7.00, NEV data packets"
_TICK_AND_ID = ((0, "tick", "I"), (4, "packet_id", "H"))
ANY = Layout("packet", _PACKET, (*_TICK_AND_ID, (6, "payload", "*s")))
SPIKE = Layout("spike", _PACKET, (*_TICK_AND_ID, (6, "unit", "B"), (7, "", "x"), (8, "waveform", "*s")))
DIGITAL_23 = Layout("digital 2.3", _PACKET + "; since 2.3", (
    *_TICK_AND_ID,
    (6, "reason", "B"),
    (7, "", "x"),
    (8, "value", "H"),
    (10, "", "*x"),
))
DIGITAL_20 = DIGITAL_23.overlaid("digital 2.0", _PACKET + "; 2.0 to 2.2", (10, "analog_mv", "5h"), (20, "", "*x"))
DIGITAL_RIPPLE = DIGITAL_23.overlaid("digital Ripple", "R01838; files", (10, "sma", "4h"), (18, "", "*x"))
STIM = SPIKE.overlaid("stim", "R01838; files", (6, "", "2x"))
COMMENT = Layout("comment", _PACKET, (
    *_TICK_AND_ID,
    (6, "charset", "B"),
    (7, "flag", "B"),  # 0: data is a colour; 1: data says when the comment was started
    (8, "data", "I"),
    (12, "text", "*s"),
))
VIDEO_SYNC = Layout("video_sync", _PACKET, (
    *_TICK_AND_ID,
    (6, "file_number", "H"),
    (8, "frame_number", "I"),  # right behind a u16: nothing is aligned
    (12, "elapsed_ms", "I"),
    (16, "source_id", "I"),
    (20, "", "*x"),
))
TRACKING = Layout("tracking", _PACKET, (
    *_TICK_AND_ID,
    (6, "parent_id", "H"),
    (8, "node_id", "H"),  # from 0: the header's trackable id less one
    (10, "node_count", "H"),
    (12, "n_points", "H"),
    (14, "points", "*s"),
))
BUTTON = Layout("button", _PACKET, (*_TICK_AND_ID, (6, "trigger", "H"), (8, "", "*x")))
CONFIG = Layout("config", _PACKET, (*_TICK_AND_ID, (6, "change", "H"), (8, "text", "*s")))
LOG = Layout("log", _PACKET + "; since rev 6", (
    *_TICK_AND_ID,
    (6, "mode", "H"),
    (8, "application", "16s"),
    (24, "text", "*s"),
))
RECORDING = Layout("recording", _PACKET + "; since rev 7", (*_TICK_AND_ID, (6, "reason", "H"), (8, "", "*x")))
# Bytes 16 to 23 are reserved in the document; Central 7.6 writes what changed and why (files, 5210 of 5210).
DIGITAL_30 = DIGITAL_23.retyped("digital 3.0", "tick", "Q").overlaid("digital 3.0", _PACKET + "; files",
    (14, "", "2x"),
    (16, "bits_changed", "I"),
    (20, "event_type", "I"),
    (24, "", "*x"),
)


class NevVersion(NamedTuple):
    """One version of the event format."""

    name: str
    extended: dict[bytes, Layout]  # by the extended header's id without its padding
    packets: dict[str, Layout]  # by event kind; the ids say which of them a file can hold
    system_ids: dict[int, str]  # packet id -> event kind; other ids from 0x8000 on are unknown
    basic: Layout = NEV_BASIC
    spike_ids: tuple[int, int] = (1, 0x7FFF)  # documents stop at 255, 2048 or 10000; files do not
    stim_ids: tuple[int, int] = (0, -1)
    origin_at_first: bool = False  # the date is that of the first recording event or packet, and not of tick 0
    origin_note: str = "taken as UTC: so since Central 6.05, local time before, and nothing in the file says which"
    comment_start: str = "tick"  # a comment's start is a timestamp; "back": it counts back from the packet's own
    thresholds_in_uv: bool = False  # in bits otherwise
    vendor: str = "blackrock"
    ripple: NevVersion | None = None  # the same version in Ripple's layout

    @property
    def any_packet(self) -> Layout:
        """What all packets share: timestamp, id, and the bytes behind them."""
        return self.packets["unknown"]


ANALOG_TRIGGERS = range(1, 6)  # inputs of an NSASEXEV header
REASON_SERIAL = 0x80  # an insertion reason's bit
SERIAL_VALUE_MASK = 0xFF  # of a serial packet only the low byte means something
# A header or packet is read in any version: files carry some that their version's document does not list yet
# (comments in 2.2) or no more (NSASEXEV in 2.3).
_HEADERS = dict.fromkeys((b"ARRAYNME", b"ECOMMENT", b"CCOMMENT", b"MAPFILE"), TEXT) | {
    b"NEUEVWAV": NEUEVWAV_23, b"NEUEVLBL": NEUEVLBL, b"NEUEVFLT": NEUEVFLT, b"DIGLABEL": DIGLABEL,
    b"NSASEXEV": NSASEXEV, b"STIMINFO": NSASEXEV, b"VIDEOSYN": VIDEOSYN, b"TRACKOBJ": TRACKOBJ,
}
_PACKETS = {
    "unknown": ANY, "spike": SPIKE, "stim": STIM, "digital": DIGITAL_23, "comment": COMMENT, "video_sync": VIDEO_SYNC,
    "tracking": TRACKING, "button": BUTTON, "log": LOG, "config": CONFIG, "recording": RECORDING,
}
_PACKETS_30 = {kind: rows.retyped(f"{rows.name} 3.0", "tick", "Q") for kind, rows in _PACKETS.items()}
_PACKETS_30["digital"] = DIGITAL_30
_IDS = {0: "digital", 0xFFFF: "comment", 0xFFFE: "video_sync", 0xFFFD: "tracking", 0xFFFC: "button", 0xFFFB: "config"}
_IDS_30 = _IDS | {0xFFFB: "log", 0xFFFA: "config", 0xFFF9: "recording"}
NEV_23 = NevVersion("2.3", _HEADERS, _PACKETS, _IDS)
NEV_30 = NEV_23._replace(
    name="3.0", packets=_PACKETS_30, system_ids=_IDS_30, origin_at_first=True, origin_note="UTC",
    comment_start="back",  # the document's u32 cannot hold the 64-bit timestamp it speaks of; the maker's reader agrees
)
NEV_22 = NEV_23._replace(
    name="2.2", extended=_HEADERS | {b"NEUEVWAV": NEUEVWAV_20}, packets=_PACKETS | {"digital": DIGITAL_20},
)
NEV_22_RIPPLE = NEV_22._replace(
    basic=NEV_BASIC_RIPPLE, vendor="ripple", origin_note="taken as UTC: the document names no time zone",
    extended=_HEADERS | {b"NEUEVWAV": NEUEVWAV_RIPPLE}, packets=_PACKETS | {"digital": DIGITAL_RIPPLE},
    spike_ids=(1, 5120), stim_ids=(5121, 10240), thresholds_in_uv=True,
)
NEV_22 = NEV_22._replace(ripple=NEV_22_RIPPLE)
NEV_23 = NEV_23._replace(ripple=NEV_22_RIPPLE._replace(name="2.3"))
NEV_VERSIONS: dict[tuple[bytes, tuple[int, int]], NevVersion] = {
    (b"NEURALEV", (2, 0)): NEV_22._replace(name="2.0", ripple=None),
    (b"NEURALEV", (2, 1)): NEV_22._replace(name="2.1", ripple=None),
    (b"NEURALEV", (2, 2)): NEV_22,
    (b"NEURALEV", (2, 3)): NEV_23,
    (b"BREVENTS", (3, 0)): NEV_30,
}
# --------------------------------------------------------------------------------------------- numbers named
NV_PER_BIT_OVERFLOW = 21516  # 152588 modulo 65536: the analog inputs' factor does not fit its 16 bits
NV_PER_BIT_CORRECTED = 5e9 / 32767  # what their CC headers say: ±5000 mV over ±32767
PACKET_BYTES = range(12, 0x10000)  # the documents allow 12 to 256
SAMPLE_CODES = {0: "<i1", 1: "<i1", 2: "<i2", 4: "<i4"}  # waveforms, by NEUEVWAV's bytes per sample
SAMPLE_16_BIT = "<i2"
BANK_LETTERS = range(ord("A"), ord("Z") + 1)  # what some tools write for banks 1 to 26 when they save a file
UNIT_CLASSES = {0: "unclassified", 255: "noise"}
UNITS_SORTED = range(1, 17)
NO_CORNER = 0xFFFFFFFF
FILTER_TYPES = {0: "none", 1: "butterworth", 2: "chebyshev"}
CHARSET_ANSI, CHARSET_UTF16, CHARSET_NEUROMOTIVE = 0, 1, 255
COMMENT_COLOR, COMMENT_START = 0, 1  # what a comment's data is, by its flag
MICROSECOND_CLOCK_HZ = 1_000_000  # on faster clocks than CLOCK_HZ a comment counts back in microseconds
ROI_EVENTS = {1: "enter", 2: "exit"}
DIGITAL_MODES = {0: "serial", 1: "parallel"}
# Numpy code and numbers per point of a tracking packet, by its trackable's type; the default is the 2-D one.
POINT_CODES = {"3d_markers": ("<u2", 3), "marker_size": ("<u4", 1)}
POINT_CODE = ("<u2", 2)
TRACKABLE_TYPES = dict(enumerate(("undefined", "2d_markers", "2d_blob", "3d_markers", "2d_boundary", "marker_size")))
EventKind = Literal[
    "spike", "stim", "digital", "serial", "comment", "video_sync", "tracking", "button", "log", "config", "recording",
    "unknown",
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
# Electrode ids (and banks) of neural and analog channels, where a channel's unit does not decide (LB-0023; R01838;
# files).
NEURAL_IDS = {"blackrock": range(1, 129), "ripple": range(1, 5121)}
ANALOG_IDS = {"blackrock": ((range(129, 145), 5), (range(257, 273), 9)), "ripple": ((range(10241, 0x10000), 13),)}
KIND_BY_UNIT = {"blackrock": {"uV": "neural", "nV": "neural", "mV": "analog", "V": "analog"}, "ripple": {}}
MAX_DIGITAL_OF_INPUTS = 32767  # of analog inputs; of electrodes of a Blackrock front end 32764
CHANNEL_KINDS = ("neural", "analog", "other")
