"""getwork: the words turned round, the headers around an answer, and what makes no sense."""

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.config import SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.node.getwork import EXTENSIONS, Offers, parse_getwork, parse_offers, why_not_followed

SHA256D = Algorithm.parse("sha256d")
URL = "http://pool.example:8332/"

# Bitcoin's block 125552 as getwork would have given it out: the header as big-endian words, then SHA-256's padding.
HEADER = bytes.fromhex("0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2"
                       "fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695")
DATA = ("00000001ab02cd818b9e567ee21793cddef299feb29ad444a41b85b8000008a300000000c2b620e3758dfcff8bdb2304"
        "ae42b91e1e950e71aff797d7b09288fc2b12fcf14dd7f5c71a44b9f29546a142"
        "000000800000000000000000000000000000000000000000000000000000000000000000000000000000000080020000")
WORK: dict[str, Any] = {"data": DATA, "target": "ffff" * 13 + "00" * 6, "midstate": "00" * 32, "hash1": "00" * 64}


def test_words_are_turned_round() -> None:
    work = parse_getwork(WORK)
    assert work.header == HEADER
    assert work.target == (1 << 208) - 1
    assert work.prev_hash[::-1].hex() == "00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81"


def test_job_without_a_coinbase_makes_the_header_and_its_share_the_data() -> None:
    work = parse_getwork(WORK)
    job = work.job("1", SHA256D, clean=True, max_roll=0)
    assert (job.extranonce2_size, job.nbits, job.ntime, job.max_roll) == (0, 0x1A44B9F2, 0x4DD7F5C7, 0)
    share = job.work(b"").share(struct.unpack("<I", HEADER[76:])[0])
    assert share.header == HEADER
    assert SHA256D.hash(share.header)[::-1].hex() == "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d"
    assert work.submission(share) == DATA
    later = job.work(b"", ntime=job.ntime + 1).share(7)
    assert work.submission(later) == DATA[:136] + "4dd7f5c8" + DATA[144:152] + "00000007" + DATA[160:]


@pytest.mark.parametrize(("change", "complaint"), [
    ({"data": "00" * 127}, "data has 127 bytes"), ({"data": "zz" * 128}, "data is not hexadecimal"),
    ({"data": None}, "data is not hexadecimal"), ({"target": "00" * 31}, "target has 31 bytes"),
    ({"target": "00" * 32}, "target is 0"), ({"data": "00" * 128}, "bits are wrong"),
])
def test_names_the_field_that_is_wrong(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=f"the work's {complaint}"):
        parse_getwork(WORK | change)


@pytest.mark.parametrize("answer", [None, True, [], "", {}])
def test_refuses_what_is_no_work(answer: object) -> None:
    with pytest.raises(ProtocolError, match="the work"):
        parse_getwork(answer)


@pytest.mark.parametrize(("offered", "url"), [
    ("/LP", "http://pool.example:8332/LP"), ("LP?x=1", "http://pool.example:8332/LP?x=1"),
    ("http://pool.example:8341/lp", "http://pool.example:8341/lp"), ("", ""),
    ("http://other.example/LP", ""), ("//other.example/LP", ""), ("https://pool.example/LP", ""),
    ("http://x:y@pool.example/LP", ""), ("http://[::1", ""), ("/" + "x" * 999, ""), ("file:///etc/passwd", ""),
    ("/LP#x", ""), ("/a b", ""), ("/é", ""), ("/LP\n", "http://pool.example:8332/LP"),
])
def test_long_poll_stays_with_the_host_that_has_our_credentials(offered: str, url: str) -> None:
    assert parse_offers({"x-long-polling": offered}, URL).long_poll == url


@pytest.mark.parametrize(("offered", "seconds"), [
    ("", 0), ("N", 0), ("no", 0), ("0", 0), ("Y", 60), ("true", 60), ("expire=10", 10), ("expire=999999", 7200),
    ("expire=-5", 60), ("expire=0", 0),
])
def test_how_far_time_may_roll(offered: str, seconds: int) -> None:
    assert parse_offers({"x-roll-ntime": offered}, URL).max_roll == seconds


def test_other_headers() -> None:
    offers = parse_offers({"x-stratum": "stratum+tcp://h:1\x1b[31m", "x-reject-reason": "stale\n"}, URL)
    assert offers == Offers(stratum="stratum+tcp://h:1 [31m", reject_reason="stale")
    assert parse_offers({}, URL) == Offers()
    assert EXTENSIONS.split() == ["longpoll", "reject-reason", "rollntime"]


@pytest.mark.parametrize(("offered", "settings", "reason"), [
    ("stratum+tcp://pool.example:3333", {}, ""), ("stratum+ssl://Pool.Example:3333/", {}, ""),
    ("stratum+tcps://pool.example:3333", {"url": "https://pool.example/"}, ""),
    ("stratum+tcp://eu.other.example:3333", {"redirect_to": ("other.example",)}, ""),
    ("stratum+tcp://other.example:3333", {}, "another host"),
    ("stratum+tcp://pool.example:3333", {"url": "https://pool.example/"}, "no TLS"),
    ("stratum+tcp://pool.example:3333", {"stratum": False}, "`stratum=False`"),
    ("stratum+tcp://pool.example:3333", {"username": ""}, "`username`"),
    ("stratum+tcp://pool.example", {}, "HOST:PORT"), ("http://pool.example:3333", {}, "HOST:PORT"),
    ("stratum+tcp://eve@pool.example:3333", {}, "HOST:PORT"), ("stratum+tcp://[::1:1", {}, "parse"),
    ("stratum+tcp://pool.example:99999", {}, "parse"), ("stratum+tcp://a..b:1", {}, "parse"),
])
def test_which_offers_of_stratum_are_followed(offered: str, settings: dict[str, Any], reason: str) -> None:
    config = SourceConfig(**({"url": URL, "username": "u", "gbt": False} | settings))
    assert reason in why_not_followed(offered, config)
    assert bool(reason) == bool(why_not_followed(offered, config))


def test_time_never_rolls_over_the_end_of_its_field() -> None:
    data = bytearray.fromhex(DATA)
    data[68:72] = b"\xff\xff\xff\xfe"
    job = parse_getwork(WORK | {"data": data.hex()}).job("1", SHA256D, clean=True, max_roll=600)
    assert job.last_ntime == 0xFFFFFFFF


@given(st.dictionaries(st.sampled_from(["x-long-polling", "x-roll-ntime", "x-stratum", "x-reject-reason"]), st.text()))
def test_any_headers_are_understood_or_passed_over(headers: dict[str, str]) -> None:
    offers = parse_offers(headers, URL)
    assert offers.max_roll >= 0 and offers.stratum.isprintable() and offers.reject_reason.isprintable()
    assert not offers.long_poll or offers.long_poll.startswith("http://pool.example")


@given(st.dictionaries(st.sampled_from(["data", "target"]), st.none() | st.integers() | st.binary().map(bytes.hex)
                       | st.binary(min_size=128, max_size=128).map(bytes.hex)))
def test_any_answer_is_a_work_or_refused(changes: dict[str, object]) -> None:
    with contextlib.suppress(ProtocolError):
        work = parse_getwork(WORK | changes)
        work.job("1", SHA256D, clean=True, max_roll=9)
