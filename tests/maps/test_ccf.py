# SPDX-License-Identifier: MIT
"""XML configurations: claims C14 to C21 of `spec_notes/maps.md`."""

from __future__ import annotations

import pickle
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from builders.ccf import HEAD, SCALE, ccf_of, item, leaf, whole
from depth import searched
from fixture_types import FileOf
from hypothesis import given
from hypothesis import strategies as st
from processes import python

import nevparse as nv
from maps.arrays import Read, Refused
from nevparse.maps import ccf


@pytest.fixture
def read(file_of: FileOf) -> Read:
    return lambda data: nv.read_ccf(file_of(data, "s.ccf"))


@pytest.fixture
def refused(file_of: FileOf) -> Refused:
    def refused_(data: bytes) -> nv.FormatError:
        path = file_of(data, "s.ccf")
        with pytest.raises(nv.FormatError) as caught:
            nv.read_ccf(path)
        assert caught.value.path == path
        assert "\n" not in str(caught.value)
        return caught.value

    return refused_


# ------------------------------------------------------------------------------------------------------- what is read


def test_maps_c14_the_whole_file_is_dictionaries_lists_and_numbers(read: Read) -> None:
    more = (
        "<Sorting><Detect Type='cbPKT_SS_DETECT'><Threshold Type='single'>0.5</Threshold></Detect></Sorting>"
        "<Odd Type='Array'><a Type='int32_t'>-3</a><a Type='Array'><b Type='UINT8'> 4\n</b></a>"
        "<a Type='cstring'>x &amp; y</a></Odd>"
        "<RefChan><item Type='uint32_t'>1</item><item Type='UINT16'>2</item></RefChan>"
        "<Lost Type='UINT32'></Lost><Wide Type='UINT32'>12345678901234567890</Wide><Big Type='double'>many</Big><None/>"
    )
    found = read(ccf_of(item(1), more=more))
    assert found.version == found.settings["Version"] == "12"
    assert found.settings["Sorting"] == {"Detect": {"Threshold": 0.5}}
    assert found.settings["Odd"] == [-3, [4], "x & y"]
    assert found.settings["RefChan"] == {"item": [1, 2]}
    assert [found.settings[name] for name in ("Lost", "Wide", "Big", "None")] == [
        "",
        "12345678901234567890",
        "many",
        "",
    ]
    assert found.settings["ChanInfo"] == [{"label": "chan1", "chan": 1, "bank": 1, "term": 1}]


def test_maps_c14_an_element_with_attributes_keeps_its_text(read: Read) -> None:
    more = "<Gain id='3' Type='UINT32'>25</Gain><Name id='4'>array one</Name><Empty id='5'> \n</Empty>"
    settings = read(ccf_of(item(1), more=more)).settings
    assert settings["Gain"] == {"id": "3", "text": 25}
    assert settings["Name"] == {"id": "4", "text": "array one"}
    assert settings["Empty"] == {"id": "5"}


def test_maps_c15_items_with_a_number_are_channels(read: Read) -> None:
    empty = "<ChanInfo_item Type='cbPKT_CHANINFO' label=''></ChanInfo_item>"
    channels = read(ccf_of(item(33), empty, whole(2), item(130, leaf("label", "ainp2", "cstring")))).channels
    assert channels["channel"].tolist() == [33, 2, 130]
    assert channels["bank"].tolist() == [2, 1, 5]
    assert channels["pin"].tolist() == [1, 2, 2]
    assert channels["label"].tolist() == ["chan33", "elec2", "ainp2"]
    assert {name: array.dtype.kind for name, array in channels.items() if len(array) != 3} == {}


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_maps_c15_channels_that_are_no_array_are_channels(read: Read, n_channels: int) -> None:
    data = ccf_of(*(whole(k) for k in range(1, n_channels + 1)))
    as_array, plain = read(data).channels, read(data.replace(b"<ChanInfo Type='Array'>", b"<ChanInfo>")).channels
    assert plain["channel"].tolist() == list(range(1, n_channels + 1))
    for name, column in as_array.items():
        np.testing.assert_array_equal(plain[name], column)


@pytest.mark.parametrize("value", ["1e999", "-1e999", "inf", "nan"])
def test_maps_c16_a_number_that_is_not_finite_is_none(read: Read, value: str) -> None:
    text = whole(1).replace("<anamax Type='INT32'>8191<", f"<anamax Type='DOUBLE'>{value}<".replace("DOUBLE", "double"))
    channels = read(ccf_of(text.replace("<hpfreq Type='UINT32'>300<", f"<hpfreq Type='double'>{value}<"))).channels
    assert value in text
    assert np.isnan([channels["uv_per_bit"][0], channels["uv_offset"][0], channels["high_pass_hz"][0]]).all()


def test_maps_c15_what_the_file_does_not_say_is_missing(read: Read) -> None:
    channels = read(ccf_of(item(7))).channels
    for name, value in channels.items():
        wanted = {"i": [-1], "f": ["nan"], "b": [False], "O": [""]}[value.dtype.kind]
        if name not in ("channel", "bank", "pin", "label"):
            assert [str(one) for one in value] == [str(one) for one in wanted], name
    assert {name: len(array) for name, array in read(ccf_of()).channels.items()} == dict.fromkeys(channels, 0)
    assert len(read(b"<CCF Version='12'/>").channels["channel"]) == 0
    for odd in (b"<ChanInfo Type='INT'>5</ChanInfo>", b"<ChanInfo><chan Type='INT'>5</chan></ChanInfo>"):
        assert len(read(b"<CCF>" + odd + b"</CCF>").channels["channel"]) == 0


def test_maps_c16_scale_filters_and_threshold_are_in_microvolts_and_hertz(read: Read) -> None:
    millivolts = {**SCALE, "digmin": -32767, "digmax": 32767, "anamin": -5000, "anamax": 5000}
    flat, offset = {**SCALE, "digmax": -32764}, {**SCALE, "anamin": 0, "anamax": 16382}
    channels = read(ccf_of(
        whole(1), whole(2, scale=millivolts, units="mV", high=0), whole(3, scale=flat),
        whole(4, units="MPa", high=0xFFFFFFFF), whole(5, scale=offset),
    )).channels  # fmt: skip
    np.testing.assert_allclose(channels["uv_per_bit"], [0.25, 5e6 / 32767, np.nan, np.nan, 0.25], rtol=1e-12)
    np.testing.assert_allclose(channels["uv_offset"], [0, 0, np.nan, np.nan, 8191], atol=1e-9)
    np.testing.assert_allclose(channels["threshold_uv"][[0, 2, 3, 4]], [-63.75, np.nan, np.nan, 8191 - 63.75])
    np.testing.assert_array_equal(channels["threshold"], [-255.0] * 5)
    np.testing.assert_array_equal(channels["high_pass_hz"], [0.3, np.nan, 0.3, np.nan, 0.3])
    np.testing.assert_array_equal(channels["low_pass_hz"], [7500.0] * 5)
    assert channels["units"].tolist() == ["uV", "mV", "uV", "MPa", "uV"]


def test_maps_c17_sample_groups_are_rates_and_options_are_flags(read: Read) -> None:
    off = item(9, f"<options>{leaf('ainpopts', 0x102)}{leaf('spkopts', 0x10100)}</options>")
    channels = read(ccf_of(*[whole(group + 1, group=group) for group in range(8)], off)).channels
    assert channels["sample_group"].tolist() == [*range(8), -1]
    rates = [np.nan, 500, 1000, 2000, 10000, 30000, 30000, np.nan, np.nan]
    np.testing.assert_array_equal(channels["sampling_rate_hz"], rates)
    assert channels["raw_stream"].tolist() == channels["spike_extraction"].tolist() == [True] * 8 + [False]
    assert channels["sample_filter"].tolist() == [6] * 8 + [-1]
    assert channels["spike_filter"].tolist() == [2] * 8 + [-1]


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("data", [b"cbCCF 3.9\0\0\0" + bytes(range(256)), b"cbCCF", b"cbCCF \xff\x1b[31m"])
def test_maps_c18_a_binary_configuration_is_refused_in_one_line(refused: Refused, data) -> None:
    error = refused(data)
    assert "save it with a newer Central" in error.expected
    assert "a binary one (cbCCF" in error.found
    assert str(error).isprintable()


LAUGHS = "".join(f"<!ENTITY l{k} '{f'&l{k - 1};' * 10}'>" for k in range(1, 12))
DECLARATIONS = {
    "laughs": f"<!DOCTYPE CCF [<!ENTITY l0 'ha'>{LAUGHS}]>",
    "file": "<!DOCTYPE CCF [<!ENTITY l11 SYSTEM 'file:///etc/hostname'>]>",
    "net": "<!DOCTYPE CCF SYSTEM 'http://localhost:9/x.dtd'>",
    "parameter": "<!DOCTYPE CCF [<!ENTITY % l11 SYSTEM 'http://localhost:9/x'> %l11;]>",
    "bare": "<!DOCTYPE CCF>",
}


@pytest.mark.parametrize("kind", list(DECLARATIONS))
def test_maps_c19_declarations_are_refused_and_nothing_is_expanded(refused: Refused, kind: str) -> None:
    data = ccf_of(item(1, leaf("label", "&l11;", "cstring")), head=HEAD + DECLARATIONS[kind])
    tracemalloc.start()
    error = refused(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.expected == "XML without declarations of types or entities"
    assert error.offset == len(HEAD)
    assert peak < 2**20


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7", "cp037"])
def test_maps_c19_no_encoding_hides_a_declaration(refused: Refused, encoding) -> None:
    head = f"<?xml version='1.0' encoding='{encoding}'?>" + DECLARATIONS["laughs"]
    error = refused(f"{head}<CCF>&l11;</CCF>".encode(encoding))
    assert error.expected in ("well-formed XML", "XML without declarations of types or entities")


def test_maps_c19_an_entity_that_is_not_declared_is_refused(refused: Refused) -> None:
    assert refused(b"<CCF>&l11;</CCF>").found == "undefined entity"


def test_maps_c19_size_number_and_depth_are_bounded(
    refused: Refused, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = b"<CCF>" + b"<a>" * 31 + b"</a>" * 31 + b"</CCF>"
    assert read(deep).settings
    error = refused(b"<CCF>" + b"<a>" * 32 + b"</a>" * 32 + b"</CCF>")
    assert (error.expected, error.offset) == ("at most 2000000 elements, 32 deep", 5 + 31 * 3)
    monkeypatch.setattr(ccf, "_MAX_ELEMENTS", 100)
    assert refused(b"<CCF>" + b"<a/>" * 100 + b"</CCF>").offset == 5 + 99 * 4
    assert len(read(b"<CCF>" + b"<a/>" * 99 + b"</CCF>").settings["a"]) == 99
    monkeypatch.setattr(ccf, "_MAX_BYTES", 100)
    error = refused(ccf_of(item(1)))
    assert (error.expected, error.offset) == ("a configuration of at most 100 bytes", 100)


@pytest.mark.parametrize(
    ("data", "found", "offset"),
    [
        (b"", "no element found", 0),
        (b"<CCF>\n<a></b></CCF>", "mismatched tag", 11),
        (b"<CCF><a>\xb5\xe9</a><b>\x01</b></CCF>", "not well-formed (invalid token)", 17),
        (b"<CCF></CCF>x", "junk after document element", 11),
        (b"<html></html>", "an element html", 0),
        (b"<CCF>12</CCF>", "nothing in it", 0),
        (b"<CCF Type='Array'></CCF>", "nothing in it", 0),
    ],
)
def test_maps_c14_what_is_no_configuration_is_refused_with_its_place(refused: Refused, data, found, offset) -> None:
    error = refused(data)
    assert (error.found, error.offset) == (found, offset)


@pytest.mark.parametrize(
    ("raw", "text"), [(b"\xb5V", "µV"), (b"\x80", "€"), (b"\x81\x80", "\x81\x80"), ("µ".encode(), "µ")]
)
def test_maps_c20_labels_that_are_no_utf8_are_those_of_windows(read: Read, raw, text) -> None:
    data = ccf_of(item(1, leaf("label", "LABEL", "cstring"))).replace(b"LABEL", raw)
    assert read(data).channels["label"].tolist() == [text]
    assert read(b"\xef\xbb\xbf" + ccf_of(item(1))).channels["channel"].tolist() == [1]


# ---------------------------------------------------------------------------------------------------------- any bytes


def read_or_refuse(path):
    try:
        found = nv.read_ccf(path)
    except nv.FormatError as refusal:
        error = refusal
    else:
        assert len({len(column) for column in found.channels.values()}) == 1
        return
    assert error.path == path
    assert 0 <= error.offset <= Path(path).stat().st_size


PIECES = [
    b"<CCF>", b"</CCF>", b"<ChanInfo Type='Array'>", b"</ChanInfo>", b"<i>", b"</i>", b"<chan Type='INT'>", b"9", b"-1",
    b"</chan>", b"<i a='", b"'/>", b"\xb5", b"&lt;", b"<![CDATA[", b"]]>", b"<!--", b"-->",
]  # fmt: skip


@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
def test_maps_c21_any_bytes_are_a_configuration_or_an_error(file_of: FileOf, data) -> None:
    read_or_refuse(file_of(data, "any.ccf"))


VALUES = st.integers() | st.floats() | st.text("0123456789eE+-._ x", max_size=30)


@given(st.lists(VALUES, min_size=8, max_size=8), st.sampled_from(["INT32", "double", "cstring", ""]))
def test_maps_c21_any_values_are_a_configuration(read: Read, values, kind: str) -> None:
    level, high, group, *scale = values
    ends = dict(zip(("digmin", "digmax", "anamin", "anamax"), scale, strict=False))
    data = whole(1, level=level, high=high, group=group, scale=ends).replace("INT32", kind).replace("UINT32", kind)
    assert len(read(ccf_of(data.replace("<chan Type=''", "<chan Type='INT'"))).channels["uv_per_bit"]) <= 1


@searched("n_flips", 50, 2000)
def test_maps_c21_cut_and_flipped_configurations_are_ones_or_errors(file_of: FileOf, n_flips) -> None:
    data = ccf_of(whole(1), item(2))
    for stop in range(0, len(data), 1 + 500 // n_flips):
        read_or_refuse(file_of(data[:stop], "cut.ccf"))
    choice = random.Random(11)
    for _ in range(n_flips):
        flipped = bytearray(data)
        for _ in range(choice.randint(1, 3)):
            flipped[choice.randrange(len(data))] = choice.randrange(256)
        read_or_refuse(file_of(bytes(flipped), "flipped.ccf"))


def test_maps_c21_xml_is_imported_by_reading_only(file_of: FileOf) -> None:
    code = (
        "import sys; import nevparse.maps.ccf; assert 'pyexpat' not in sys.modules; "
        "nevparse.read_ccf(sys.argv[1]); assert 'pyexpat' in sys.modules"
    )
    assert python("-c", code, file_of(ccf_of(item(1)))).returncode == 0


def test_configurations_travel_to_workers(read: Read) -> None:
    found = read(ccf_of(whole(1)))
    again = pickle.loads(pickle.dumps(found))
    assert again.settings == found.settings
    assert again.channels["uv_per_bit"].tolist() == [0.25]
