"""Stratum's methods: what their parameters mean in the core's words, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.core.errors import ProtocolError
from miner.core.header import display_hash
from miner.core.model import MinerReport
from miner.core.target import difficulty_to_target, hash_value, nbits_to_target
from miner.stratum import messages
from miner.stratum.messages import (
    Authorize,
    Configure,
    Notify,
    Pause,
    Reconnect,
    Report,
    SetDifficulty,
    SetExtranonce,
    ShowMessage,
    Stop,
    Submit,
    Subscribe,
    Subscription,
    SuggestDifficulty,
)
from stratum_samples import EXTRANONCE1, JSON, NOTIFY, REGTEST_JOB, SCRYPT, SHA256D, SUBMIT, SUBSCRIPTION, notify


def test_the_documented_share_has_the_hash_that_it_was_accepted_for() -> None:
    """Every byte order at once: with any field turned round, the hash would be any number."""
    job = Notify.parse(NOTIFY).to_job(SHA256D, EXTRANONCE1, 4, 1.0)
    submit = Submit.parse(SUBMIT)
    share = job.work(submit.extranonce2, ntime=submit.ntime).share(submit.nonce)
    assert hash_value(SHA256D.hash(share.header)) <= job.share_target == difficulty_to_target(1.0, SHA256D)
    assert display_hash(job.prev_hash) == "00000000440b921e1b77c6c0487ae5616de67f788f44ae2a5af6e2194d16b6f8"


def test_a_notify_is_written_as_it_was_read() -> None:
    assert Notify.parse(NOTIFY).params == NOTIFY
    with_branch = notify(branch=["11" * 32, "22" * 32], clean=True)
    assert Notify.parse(with_branch).params == with_branch


def test_a_job_survives_the_wire() -> None:
    message = Notify.from_job(REGTEST_JOB, clean=True)
    wire = json.loads(json.dumps(message.params))
    job = Notify.parse(wire).to_job(SCRYPT, REGTEST_JOB.extranonce1, REGTEST_JOB.extranonce2_size, 65536.0)
    work, original = job.work(b"\1\2\3\4"), REGTEST_JOB.work(b"\1\2\3\4")
    assert work.header == original.header
    assert job.clean


@pytest.mark.parametrize("nbits", ["207fffff", "1c2ac4af"])
def test_the_share_target_is_the_pools_own_also_where_blocks_are_easier(nbits: str) -> None:
    job = Notify.parse(notify(nbits=nbits)).to_job(SCRYPT, b"", 4, 0.5)
    assert job.share_target == difficulty_to_target(0.5, SCRYPT)
    assert job.network_target == nbits_to_target(int(nbits, 16))


def test_notify_with_eight_ten_and_eleven_parameters() -> None:
    assert Notify.parse(NOTIFY[:8]).clean is False
    assert Notify.parse([*notify(clean=True), "extra"]).clean is True
    assert Notify.parse([*notify(clean=True), "extra", {"more": 1}]).clean is True


@pytest.mark.parametrize(("value", "clean"), [(True, True), (1, True), ("true", True), (False, False), (0, False),
                                              ("false", False), (None, False), ("yes", False), ([], False)])
def test_clean_in_other_types(value: Any, clean: bool) -> None:
    assert Notify.parse(notify(clean=value)).clean is clean


def test_a_numeric_job_id_goes_back_as_a_number() -> None:
    message = Notify.parse(notify(job_id=1234))
    assert (message.job_id, message.raw_job_id, message.params[0]) == ("1234", 1234, 1234)
    assert Submit("u", "1234", b"", 0, 0, raw_job_id=1234).params[1] == 1234
    assert Submit("u", "1234", b"", 0, 0).params[1] == "1234"


@pytest.mark.parametrize("changes", [
    {"job_id": None}, {"job_id": "x" * 129}, {"job_id": "a\nb"}, {"job_id": 1.5}, {"job_id": True}, {"job_id": 10**30},
    {"prev_hash": "00" * 31}, {"prev_hash": "00" * 33}, {"prev_hash": "zz" * 32}, {"prev_hash": 5},
    {"prev_hash": " " + "00" * 32}, {"coinbase1": "0"}, {"coinbase1": "0x00"}, {"coinbase1": None},
    {"coinbase2": ["00"]}, {"coinbase2": "é0"}, {"branch": "00" * 32}, {"branch": None}, {"branch": ["00"]},
    {"branch": [5]}, {"branch": ["00" * 32] * 65}, {"version": 2}, {"version": "100000000"}, {"version": ""},
    {"version": "-1"}, {"version": "+1"}, {"nbits": "00000000"}, {"nbits": "1d800001"}, {"nbits": "ff123456"},
    {"nbits": None}, {"ntime": "0x504e86"}, {"ntime": " 04e86b9"}, {"ntime": "5_0"}, {"ntime": True},
])
def test_notify_with_wrong_types(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match=r"mining\.notify: "):
        Notify.parse(notify(**changes))


@pytest.mark.parametrize("count", range(8))
def test_notify_with_too_few_parameters(count: int) -> None:
    with pytest.raises(ProtocolError, match="at least 8"):
        Notify.parse(NOTIFY[:count])


@pytest.mark.parametrize(("sent", "difficulty"), [
    (16, 16.0), (0.001, 0.001), (1e-8, 1e-8), ("512", 512.0), ("0.25", 0.25), ("1e3", 1000.0), (2**70, 2.0**70),
])
def test_difficulty_whole_fractional_and_as_a_string(sent: Any, difficulty: float) -> None:
    assert SetDifficulty.parse([sent]).difficulty == difficulty
    assert SetDifficulty.parse([sent, "extra"]).difficulty == difficulty


@pytest.mark.parametrize("sent", [0, -1, 0.0, -0.0, float("inf"), float("nan"), 10**400, "0", "-1", "nan", "inf",
                                  "1e999", "0x10", "1_0", " 1", "", None, True, [], {}, "1" * 100])
def test_difficulty_that_means_nothing(sent: Any) -> None:
    with pytest.raises(ProtocolError, match="difficulty"):
        SetDifficulty.parse([sent])


def test_whole_difficulties_are_written_without_a_point() -> None:
    assert json.dumps([SetDifficulty(value).params for value in (16.0, 0.5, 1e-5)]) == "[[16], [0.5], [1e-05]]"


@pytest.mark.parametrize(("details", "session"), [
    (SUBSCRIPTION[0], "ae6812eb4cd7735a302a8a9dd95cf71f"),
    (["mining.notify", "flat"], "flat"),
    ([["mining.set_difficulty", "only"]], "only"),
    ([["mining.notify", 5]], "5"),
    ([], ""), (None, ""), ("text", ""), ([[]], ""), ([1, 2], ""),
    ([["mining.notify"]], ""), ([["mining.notify", None]], ""),
])
def test_subscription_details_nested_flat_and_empty(details: Any, session: str) -> None:
    assert Subscription.parse([details, "08000002", 4]) == Subscription(EXTRANONCE1, 4, session)


@pytest.mark.parametrize("size", [0, 1, 2, 8, 16, "4"])
def test_extranonce2_sizes_that_will_do(size: Any) -> None:
    assert Subscription.parse([[], "", size]).extranonce2_size == int(size)
    assert SetExtranonce.parse(["08000002", size]).extranonce2_size == int(size)


@pytest.mark.parametrize("size", [-1, 17, 10**30, 4.5, None, True, "x", "-1", [4]])
def test_extranonce2_sizes_that_will_not(size: Any) -> None:
    with pytest.raises(ProtocolError, match="extranonce2_size: a whole number from 0 to 16"):
        Subscription.parse([[], "08000002", size])
    with pytest.raises(ProtocolError, match="extranonce2_size"):
        SetExtranonce.parse(["08000002", size])


@pytest.mark.parametrize("result", [None, True, [], [[], "00"], {"x": 1}, "text", [[], "0", 4], [[], "00" * 33, 4],
                                    [[], 8, 4]])
def test_subscriptions_that_will_not_do(result: Any) -> None:
    with pytest.raises(ProtocolError):
        Subscription.parse(result)


def test_the_subscription_is_written_as_documented() -> None:
    details = [["mining.set_difficulty", "s"], ["mining.notify", "s"]]
    assert Subscription(EXTRANONCE1, 4, "s").result == [details, "08000002", 4]
    assert Subscription.parse(Subscription(EXTRANONCE1, 4).result).session == "08000002"


@pytest.mark.parametrize(("params", "expected"), [
    ([], Reconnect()), (["pool.example", 3334, 5], Reconnect("pool.example", 3334, 5.0)),
    (["pool.example", "3334"], Reconnect("pool.example", 3334)), (["", 0, 0], Reconnect()),
    ([None, None, None], Reconnect()), (["h", 1, "1e9"], Reconnect("h", 1, 300.0)),
])
def test_reconnect_in_its_forms(params: list[Any], expected: Reconnect) -> None:
    assert Reconnect.parse(params) == expected


@pytest.mark.parametrize("params", [[5], ["a\nb"], ["h", 65536], ["h", -1], ["h", 1, -1], ["h" * 256], ["h", 1, "nan"]])
def test_reconnect_to_nowhere(params: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        Reconnect.parse(params)


def test_messages_are_shown_on_one_line() -> None:
    assert ShowMessage.parse(["hello\nworld\x07" + "!" * 500]).text.startswith("hello world !!!")
    assert len(ShowMessage.parse(["x" * 5000]).text) == 200
    assert Stop.parse([]).reason == ""


def test_the_documented_share_is_written_as_it_was_read() -> None:
    share = Submit.parse(SUBMIT)
    assert share == Submit("slush.miner1", "bf", bytes([0, 0, 0, 1]), 0x504E86ED, 0xB2957C02)
    assert share.params == SUBMIT
    assert Submit("u", "j", b"", 1, 2).params == ["u", "j", "", "00000001", "00000002"]


@pytest.mark.parametrize("params", [
    [], SUBMIT[:4], [5, *SUBMIT[1:]], ["u" * 513, *SUBMIT[1:]],
    ["u", "j", "0", "00", "00"], ["u", "j", "00" * 17, "00", "00"],
    ["u", "j", "00", "100000000", "00"], ["u", "j", "00", "00", 5], ["u", "j", "00", "00", "xyz"],
])
def test_shares_that_are_malformed(params: list[Any]) -> None:
    with pytest.raises(ProtocolError, match=r"mining\.submit"):
        Submit.parse(params)


def test_passwords_are_never_in_a_repr() -> None:
    assert "secret" not in repr(Authorize("user", "secret"))
    assert Authorize.parse(["user", "d=16,secret"]).params == ["user", "d=16,secret"]
    assert Authorize.parse(["user"]).password == Authorize.parse(["user", None]).password == ""


def test_reports_are_bounded() -> None:
    report = MinerReport("avx2", 4, 10**15, 12345.6, "host-1")
    assert Report.parse(json.loads(json.dumps(Report(report).params))).report == report
    good = Report(report).params[0]
    assert isinstance(good, dict)
    bad = {"kernel": [5, None, "x" * 65, "a\x1b"], "threads": [-1, 5000, "x", True], "hashes": [-1, 1 << 63, 1.5],
           "hashrate": [float("nan"), -1, 1e30, "fast"], "host": ["h" * 256, None]}
    for field, values in bad.items():
        for value in values:
            with pytest.raises(ProtocolError, match=field):
                Report.parse([good | {field: value}])
    with pytest.raises(ProtocolError):
        Report.parse(["text"])


def test_configure_lists_its_extensions() -> None:
    both = ["version-rolling", "sparkminer"]
    assert Configure.parse([both, {"version-rolling.mask": "1fffe000"}]).extensions == tuple(both)
    for bad in ([], ["text"], [[5]], [["x"] * 33]):
        with pytest.raises(ProtocolError):
            Configure.parse(bad)


FROM_PARAMS = [Configure, Subscribe, Authorize, Submit, SuggestDifficulty, Report, SetDifficulty, SetExtranonce, Notify,
               Reconnect, ShowMessage, Stop, Pause]


@settings(deadline=None)
@given(st.sampled_from(FROM_PARAMS), st.lists(JSON, max_size=11))
def test_any_parameters_are_a_message_or_a_protocol_error(kind: Any, params: list[Any]) -> None:
    try:
        message = kind.parse(params)
    except ProtocolError:
        return
    json.dumps(message.params, allow_nan=False)  # and what was let in can be written


@settings(deadline=None)
@given(st.tuples(st.text(max_size=5) | st.integers(0, 99),
                 st.binary(min_size=32, max_size=32), st.binary(), st.binary(),
                 st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.integers(0, 0xFFFFFFFF),
                 st.integers(0, 0xFFFFFFFF), st.booleans()))
def test_a_well_formed_notify_is_read_and_written_back(parts: tuple[Any, ...]) -> None:
    job_id, prev_hash, coinbase1, coinbase2, branch, version, ntime, clean = parts
    params = [job_id, prev_hash.hex(), coinbase1.hex(), coinbase2.hex(), [node.hex() for node in branch],
              f"{version:08x}", "1d00ffff", f"{ntime:08x}", clean]
    if isinstance(job_id, str) and not job_id.isprintable():
        with pytest.raises(ProtocolError):
            Notify.parse(params)
    else:
        assert Notify.parse(params).params == params


def test_every_method_has_a_name_of_its_own() -> None:
    names = [kind.METHOD for kind in FROM_PARAMS] + [messages.PING, messages.GET_VERSION, messages.EXTRANONCE_SUBSCRIBE]
    assert len(set(names)) == len(names)
