"""The miner's end of stratum, without a socket: the hard things that real pools do."""

import contextlib
import dataclasses
import hmac
import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.model import Job, MinerReport, Share, ShareStatus
from miner.core.target import difficulty_to_target
from miner.stratum.client_events import (
    Answered,
    Authorized,
    ClientEvent,
    Ignored,
    LoginLost,
    LoginRefused,
    NewDifficulty,
    NoHub,
    Shunned,
    Subscribed,
)
from miner.stratum.client_protocol import MAX_LINE, MAX_UNANSWERED, PATIENCE, UNKNOWN_SHARES, ClientProtocol
from miner.stratum.handshake import State
from miner.stratum.messages import EXTRANONCE_SUBSCRIBE, Pause, Reconnect, ShowMessage, Stop
from miner.wrong_door import Speech, WrongDoorError
from stratum_samples import (
    EXTRANONCE1,
    JSON,
    NOTIFY,
    SCRYPT,
    SHA256D,
    SUBMIT,
    SUBSCRIPTION,
    answer,
    line,
    notify,
    request,
    sent,
)

SUBSCRIBED = answer(1, SUBSCRIPTION)
AUTHORIZED = answer(2, True)
JOB = request("mining.notify", NOTIFY)
SESSION = "ae6812eb4cd7735a302a8a9dd95cf71f"
CONFIGURE = "mining.configure"


def fresh(*, unwelcome: Collection[str] = (CONFIGURE,), algorithm: Algorithm = SHA256D,
          **options: Any) -> ClientProtocol:
    protocol = ClientProtocol(algorithm, "slush.miner1", "pass,d=16", user_agent="test/1", unwelcome=unwelcome,
                              **options)
    protocol.start()
    return protocol


def ready(**options: Any) -> ClientProtocol:
    """Subscribed and logged in; nothing said about jobs or difficulty yet."""
    protocol = fresh(unwelcome=(CONFIGURE, EXTRANONCE_SUBSCRIBE), **options)
    receive(protocol, SUBSCRIBED + AUTHORIZED)
    protocol.data_to_send()
    return protocol


def receive(protocol: ClientProtocol, *data: bytes) -> list[ClientEvent]:
    return [event for piece in data for event in protocol.receive_data(piece)]


def jobs(protocol: ClientProtocol, *data: bytes) -> list[Job]:
    return [event for event in receive(protocol, *data) if isinstance(event, Job)]


def difficulty(value: Any) -> bytes:
    return request("mining.set_difficulty", [value])


def share_of(job: Job, number: int = 1) -> Share:
    return job.work(number.to_bytes(job.extranonce2_size, "big")).share(0xB2957C02)


# The handshake


def test_the_documented_session_word_for_word() -> None:
    protocol = fresh()
    assert sent(protocol.data_to_send()) == [{"id": 1, "method": "mining.subscribe", "params": ["test/1"]}]
    assert receive(protocol, SUBSCRIBED) == [Subscribed(EXTRANONCE1, 4, SESSION)]
    assert sent(protocol.data_to_send()) == [
        {"id": 2, "method": "mining.authorize", "params": ["slush.miner1", "pass,d=16"]}]
    assert receive(protocol, AUTHORIZED) == [Authorized()]
    assert sent(protocol.data_to_send()) == [{"id": 3, "method": "mining.extranonce.subscribe", "params": []}]
    assert receive(protocol, answer(3, False, [20, "Not supported.", None]), difficulty(1)) == [NewDifficulty(1.0)]
    [job] = jobs(protocol, JOB)
    share = job.work(bytes.fromhex(SUBMIT[2]), ntime=int(SUBMIT[3], 16)).share(int(SUBMIT[4], 16))
    number = protocol.submit(share)
    assert sent(protocol.data_to_send()) == [{"id": number, "method": "mining.submit", "params": SUBMIT}]
    assert receive(protocol, answer(number, True)) == [Answered(number, ShareStatus.ACCEPTED)]


def test_the_next_step_waits_for_the_answer_to_the_one_before() -> None:
    protocol = fresh()
    protocol.data_to_send()
    receive(protocol, answer(99, True), request("mining.notify", NOTIFY), difficulty(3))
    assert protocol.data_to_send() == b""
    assert protocol.state is State.SUBSCRIBING


def test_difficulty_and_notify_before_the_subscribe_reply() -> None:
    protocol = fresh()
    assert receive(protocol, difficulty(4), JOB) == [NewDifficulty(4.0)]
    assert jobs(protocol, SUBSCRIBED) == []
    [job] = jobs(protocol, AUTHORIZED)
    assert job.extranonce1 == EXTRANONCE1
    assert job.share_target == difficulty_to_target(4, SHA256D)


def test_difficulty_and_notify_before_the_authorize_reply() -> None:
    protocol = fresh()
    events = receive(protocol, SUBSCRIBED, difficulty(8), JOB)
    assert events == [Subscribed(EXTRANONCE1, 4, SESSION), NewDifficulty(8.0)]
    events = receive(protocol, AUTHORIZED)
    assert events[0] == Authorized()
    assert isinstance(events[1], Job)


def test_of_jobs_before_the_login_the_last_one_counts_and_the_chain_has_moved_if_any_said_so() -> None:
    protocol = fresh()
    early = request("mining.notify", notify(job_id="1", clean=True)) + request("mining.notify", notify(job_id="2"))
    [job] = jobs(protocol, SUBSCRIBED + early + AUTHORIZED)
    assert (job.job_id, job.clean) == ("2", True)


def test_all_in_one_packet_and_byte_by_byte() -> None:
    whole = SUBSCRIBED + difficulty(2) + AUTHORIZED + JOB
    together = receive(fresh(), whole)
    assert together == receive(fresh(), *(bytes([byte]) for byte in whole))
    assert isinstance(together[-1], Job)


@pytest.mark.parametrize("ids", [("1", "2"), (1.0, 2.0)])
def test_reply_ids_as_strings(ids: tuple[Any, Any]) -> None:
    protocol = fresh(unwelcome=(CONFIGURE, EXTRANONCE_SUBSCRIBE))
    receive(protocol, answer(ids[0], SUBSCRIPTION), answer(ids[1], True))
    assert protocol.state is State.READY
    [job] = jobs(protocol, JOB)
    number = protocol.submit(share_of(job))
    assert receive(protocol, answer(str(number), True)) == [Answered(number, ShareStatus.ACCEPTED)]


@pytest.mark.parametrize("reply", [line({"id": 2, "result": True}), answer(2, True, []), answer(2, None),
                                   answer(2, True, [1, "x"]),
                                   line({"id": 2, "method": "", "params": None, "result": True, "error": None})])
def test_logins_that_hold(reply: bytes) -> None:
    protocol = fresh()
    assert receive(protocol, SUBSCRIBED, reply)[-1] == Authorized()


@pytest.mark.parametrize(("reply", "reason"), [
    (answer(2, False), ""), (answer(2, None, [24, "Unauthorized worker", None]), "Unauthorized worker"),
    (answer(2, False, "banned"), "banned"), (answer(2, None, [24, "", None]), "code 24"),
    (line({"id": 2, "result": False, "error": None, "reject-reason": "no such\nuser"}), "no such user"),
])
def test_logins_that_are_refused(reply: bytes, reason: str) -> None:
    protocol = fresh()
    assert receive(protocol, SUBSCRIBED, reply)[-1] == LoginRefused(reason)
    assert protocol.state is State.REFUSED
    assert jobs(protocol, JOB) == []


@pytest.mark.parametrize("reply", [
    answer(1, None, [20, "full house", None]), answer(1, None), answer(1, True), answer(1, [[], "08000002"]),
    answer(1, [[], "zz", 4]), answer(1, [[], "08000002", -1]), answer(1, [[], "08000002", 1000]),
])
def test_a_subscription_without_an_extranonce_ends_the_connection(reply: bytes) -> None:
    with pytest.raises(ProtocolError):
        receive(fresh(), reply)


@pytest.mark.parametrize("size", [0, 1, 2, 8])
def test_every_extranonce2_size_from_the_pool_to_the_share(size: int) -> None:
    protocol = fresh(unwelcome=(CONFIGURE, EXTRANONCE_SUBSCRIBE))
    [job] = jobs(protocol, answer(1, [[], "08000002", size]) + AUTHORIZED + JOB)
    protocol.data_to_send()
    protocol.submit(job.work(bytes(size)).share(0))
    assert sent(protocol.data_to_send())[0]["params"][2] == "00" * size


# Difficulty


@pytest.mark.parametrize(("value", "expected"), [(0.001, 0.001), ("512", 512.0), (1e-6, 1e-6), (2**40, 2.0**40)])
def test_difficulty_fractional_and_as_a_string(value: Any, expected: float) -> None:
    protocol = ready()
    [job] = jobs(protocol, difficulty(value) + request("mining.notify", notify(nbits="170001ff")))
    assert job.share_target == difficulty_to_target(expected, SHA256D)


@pytest.mark.parametrize("raw", [b"0", b"-1", b"1e999", b"NaN", b"Infinity", b'"nan"', b"null", b"[]", b"1" * 5000])
def test_a_senseless_difficulty_is_ignored_and_the_old_one_stays(raw: bytes) -> None:
    protocol = ready()
    receive(protocol, difficulty(4))
    [ignored] = receive(protocol, b'{"id":null,"method":"mining.set_difficulty","params":[' + raw + b"]}\n")
    assert isinstance(ignored, Ignored)
    [job] = jobs(protocol, JOB)
    assert job.share_target == difficulty_to_target(4, SHA256D)


def test_without_a_difficulty_it_is_one() -> None:
    [job] = jobs(ready(), JOB)
    assert job.share_target == difficulty_to_target(1, SHA256D)


def test_difficulty_is_kept_per_job() -> None:
    protocol = ready()
    [old] = jobs(protocol, difficulty(2) + JOB)
    assert jobs(protocol, difficulty(4)) == []
    [new] = jobs(protocol, request("mining.notify", notify(job_id="next")))
    assert old.share_target == difficulty_to_target(2, SHA256D)
    assert new.share_target == difficulty_to_target(4, SHA256D)
    assert protocol.submit(share_of(old)) != protocol.submit(share_of(new))  # both can be handed in


def test_a_new_difficulty_and_the_same_job_again() -> None:
    protocol = ready()
    [old] = jobs(protocol, difficulty(2) + JOB)
    [new] = jobs(protocol, difficulty(4) + JOB)
    assert new == dataclasses.replace(old, share_target=difficulty_to_target(4, SHA256D))


# Jobs


def test_the_same_id_with_a_new_time_is_new_work() -> None:
    protocol = ready()
    [first, second] = jobs(protocol, JOB + request("mining.notify", notify(ntime="504e86ba")))
    assert (first.job_id, first.ntime + 1) == (second.job_id, second.ntime)


def test_a_true_duplicate_is_nothing_new() -> None:
    protocol = ready()
    assert len(jobs(protocol, JOB + JOB + request("mining.notify", notify(clean=True)))) == 1


def test_two_notifies_in_one_packet_are_two_jobs() -> None:
    both = request("mining.notify", notify(job_id="1")) + request("mining.notify", notify(job_id="2"))
    assert [job.job_id for job in jobs(ready(), both)] == ["1", "2"]


def test_clean_jobs_always_true() -> None:
    protocol = ready()
    pair = [request("mining.notify", notify(job_id=name, clean=True)) for name in "ab"]
    first, second = jobs(protocol, *pair)
    assert first.clean and second.clean
    protocol.submit(share_of(first))  # whether it still counts is the pool's to say


@pytest.mark.parametrize("params", [NOTIFY[:8], [*NOTIFY, "more"], [*NOTIFY, "more", None]])
def test_notify_with_eight_ten_and_eleven_parameters(params: list[Any]) -> None:
    assert len(jobs(ready(), request("mining.notify", params))) == 1


@pytest.mark.parametrize("params", [[], NOTIFY[:7], notify(prev_hash=5), notify(branch="x"), notify(nbits="00000000"),
                                    notify(job_id=None), {"job": 1}, "text"])
def test_a_senseless_notify_is_ignored(params: Any) -> None:
    protocol = ready()
    receive(protocol, JOB)
    [event] = receive(protocol, request("mining.notify", params))
    assert isinstance(event, Ignored)
    assert "mining.notify" in event.reason


def test_numeric_job_ids_go_back_as_numbers() -> None:
    protocol = ready()
    [number, text] = jobs(protocol, request("mining.notify", notify(job_id=17)) + JOB)
    protocol.submit(share_of(number))
    protocol.submit(share_of(text))
    assert [message["params"][1] for message in sent(protocol.data_to_send())] == [17, "bf"]


def test_notifications_may_carry_ids() -> None:
    protocol = ready()
    assert len(jobs(protocol, request("mining.notify", NOTIFY, 1) + request("mining.notify", notify(job_id=2), 0))) == 2
    assert protocol.data_to_send() == b""


# The extranonce


def test_set_extranonce_is_effective_with_the_next_notify() -> None:
    protocol = ready()
    [old] = jobs(protocol, JOB)
    assert receive(protocol, request("mining.set_extranonce", ["0a0b", 8])) == []
    protocol.submit(share_of(old))  # still that of the job in hand
    [new] = jobs(protocol, JOB)  # the same job again is new work
    assert (new.extranonce1, new.extranonce2_size) == (b"\x0a\x0b", 8)
    assert new.clean
    with pytest.raises(ProtocolError, match="extranonce"):
        protocol.submit(share_of(old))


@pytest.mark.parametrize("params", [[], ["0a"], ["0a", -1], ["0a", 17], ["zz", 4], [None, 4], ["0a", None]])
def test_a_senseless_extranonce_changes_nothing(params: list[Any]) -> None:
    protocol = ready()
    [event] = receive(protocol, request("mining.set_extranonce", params))
    assert isinstance(event, Ignored)
    [job] = jobs(protocol, JOB)
    assert job.extranonce1 == EXTRANONCE1


# Verdicts


def verdict(result: Any, error: Any = None, **more: Any) -> Answered:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    number = protocol.submit(share_of(job))
    [event] = receive(protocol, line({"id": number, "result": result, "error": error, **more}))
    assert isinstance(event, Answered)
    assert event.request_id == number
    return event


@pytest.mark.parametrize(("result", "error", "status", "reason"), [
    (True, None, ShareStatus.ACCEPTED, ""),
    (True, [], ShareStatus.ACCEPTED, ""),
    (False, None, ShareStatus.REJECTED, ""),
    (None, None, ShareStatus.REJECTED, ""),
    (None, [21, "Job not found", None], ShareStatus.STALE, "Job not found"),
    (None, [21, "Job not found"], ShareStatus.STALE, "Job not found"),
    (False, {"code": 21, "message": "stale"}, ShareStatus.STALE, "stale"),
    (None, "stale share", ShareStatus.STALE, "stale share"),
    (None, [22, "Duplicate share", None], ShareStatus.REJECTED, "Duplicate share"),
    (None, [23, "Low difficulty share", None], ShareStatus.REJECTED, "Low difficulty share"),
    (None, [21, "", None], ShareStatus.STALE, "code 21"),
    (None, [20, "Ntime\x1b[2J out of range" + "!" * 999, None], ShareStatus.REJECTED, None),
    ("odd", None, ShareStatus.REJECTED, "odd"),
    ([1, [2]], None, ShareStatus.REJECTED, ""),
])
def test_answers_in_every_shape(result: Any, error: Any, status: ShareStatus, reason: str | None) -> None:
    answered = verdict(result, error)
    assert answered.status is status
    assert answered.reason.isprintable() and len(answered.reason) <= 200
    if reason is not None:
        assert answered.reason == reason


def test_reject_reason_beside_a_null_error() -> None:
    assert verdict(False, None, **{"reject-reason": "stale-prevblk"}).status is ShareStatus.STALE


def test_answers_are_told_apart_in_any_order() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    first, second, third = (protocol.submit(share_of(job, number)) for number in (1, 2, 3))
    events = receive(protocol, answer(third, True), answer(first, None, [21, "x", None]), answer(second, True))
    assert events == [Answered(third, ShareStatus.ACCEPTED), Answered(first, ShareStatus.STALE, "x"),
                      Answered(second, ShareStatus.ACCEPTED)]
    assert receive(protocol, answer(first, True), answer(77, True), answer("x", True), answer(None, True)) == []


def test_an_answer_that_is_not_waited_for_any_more_is_dropped() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    number = protocol.submit(share_of(job))
    protocol.forget(number)
    protocol.forget(number)
    assert receive(protocol, answer(number, True)) == []


def test_an_error_without_an_id_is_not_taken_for_anyones_answer() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    number = protocol.submit(share_of(job))
    events = receive(protocol, answer(None, None, [20, "parse error", None]))
    assert events == [Ignored("an error without an id: parse error")]
    assert receive(protocol, answer(number, True)) == [Answered(number, ShareStatus.ACCEPTED)]


# Illegal moves raise and change nothing


def test_submit_before_the_login() -> None:
    [job] = jobs(ready(), JOB)
    for protocol in (fresh(), ClientProtocol(SHA256D, "u", "p", user_agent="t")):
        protocol.data_to_send()
        with pytest.raises(ProtocolError, match="not logged in"):
            protocol.submit(share_of(job))
        assert protocol.data_to_send() == b""


def test_submit_of_a_strangers_job() -> None:
    [job] = jobs(ready(), request("mining.notify", notify(job_id="elsewhere")))
    protocol = ready()
    for _ in range(2):  # before and after the first job
        with pytest.raises(ProtocolError, match="not issued"):
            protocol.submit(share_of(job))
        receive(protocol, JOB)
    assert protocol.data_to_send() == b""


def test_no_more_than_so_many_shares_wait() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    numbers = [protocol.submit(share_of(job, number)) for number in range(MAX_UNANSWERED)]
    with pytest.raises(ProtocolError, match="without an answer"):
        protocol.submit(share_of(job))
    receive(protocol, answer(numbers[5], True))
    protocol.submit(share_of(job))


def test_start_twice() -> None:
    with pytest.raises(ProtocolError, match="begun"):
        fresh().start()


# What else pools say


def test_reconnect_in_its_forms() -> None:
    events = receive(ready(), request("client.reconnect", []), request("client.reconnect", ["h", "3334", 5]))
    assert events == [Reconnect(), Reconnect("h", 3334, 5.0)]


def test_show_message() -> None:
    assert receive(ready(), request("client.show_message", ["Maintenance\nat 5"])) == [ShowMessage("Maintenance at 5")]


def test_get_version_and_ping_are_answered() -> None:
    protocol = ready()
    assert receive(protocol, request("client.get_version", [], 9), request("mining.ping", [], "x")) == []
    assert sent(protocol.data_to_send()) == [{"id": 9, "result": "test/1", "error": None},
                                             {"id": "x", "result": "pong", "error": None}]
    receive(protocol, request("mining.ping", []))
    assert protocol.data_to_send() == b""


def test_unknown_methods_are_passed_over_in_silence() -> None:
    protocol = ready()
    assert receive(protocol, request("mining.set_goal", ["x"]), request("new.method", [], 5)) == []
    assert protocol.data_to_send() == b""


# Hostile lines


@pytest.mark.parametrize("bad", [b"hello\n", b"\xff\xfe\n", b"[]\n", b"{}\n", b"[" * 100_000 + b"\n",
                                 b"[" * 1000 + b"]" * 1000 + b"\n",
                                 b'{"id":1,"result":' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}\n"])
def test_one_bad_line_is_ignored_and_the_connection_goes_on(bad: bytes) -> None:
    protocol = ready()
    events = receive(protocol, bad + JOB)
    assert all(isinstance(event, Ignored) for event in events[:-1])
    assert isinstance(events[-1], Job)


def test_patience_ends() -> None:
    protocol = ready()
    assert len(receive(protocol, b"x\n" * (PATIENCE - 1))) == PATIENCE - 1
    with pytest.raises(ProtocolError):
        receive(protocol, b"x\n")


def test_a_sensible_message_restores_patience() -> None:
    protocol = ready()
    for _ in range(3):
        receive(protocol, b"x\n" * (PATIENCE - 1) + request("mining.ping", []))


def test_good_lines_before_the_last_straw_count() -> None:
    protocol = ready()
    events = []
    with pytest.raises(ProtocolError, match="longer than"):
        for event in protocol.receive_data(JOB + b"x" * (MAX_LINE + 1)):
            events.append(event)  # noqa: PERF402
    assert isinstance(events[0], Job)


def test_a_line_of_a_hundred_kilobytes_is_read() -> None:
    [job] = jobs(ready(), request("mining.notify", notify(coinbase2="00" * 50_000)))
    assert len(job.coinbase2) == 50_000


def test_a_line_that_never_ends() -> None:
    protocol = ready()
    with pytest.raises(ProtocolError, match="longer than"):
        for _ in range(2 * MAX_LINE // 4096):
            receive(protocol, b"x" * 4096)


def test_only_whole_messages_count_as_heard() -> None:
    protocol = ready()
    heard = protocol.heard
    receive(protocol, b"{", b'"id"', b"x\n", b"   \n\n")
    assert protocol.heard == heard
    receive(protocol, request("mining.ping", []))
    assert protocol.heard == heard + 1


# Workers behind the user's name


@pytest.mark.parametrize(("reply", "after"), [(True, "slush.rig1"), (False, "slush.miner1"), (None, "slush.miner1")])
def test_a_worker_is_logged_in_with_its_first_share(reply: bool | None, after: str) -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)

    def names(nonce: int) -> dict[str, str]:
        share = dataclasses.replace(job.work(bytes(job.extranonce2_size)).share(nonce), worker="rig1")
        protocol.submit(share)
        return {message["method"]: message["params"][0] for message in sent(protocol.data_to_send())}

    assert names(1) == {"mining.authorize": "slush.rig1", "mining.submit": "slush.miner1"}
    assert names(2) == {"mining.submit": "slush.miner1"}, "not let in yet"
    number = protocol._calls._number - 2  # of the login, which went out before the two shares
    events = receive(protocol, answer(number, reply))
    assert [isinstance(event, Ignored) for event in events] == ([] if reply else [True])
    assert names(3) == {"mining.submit": after}


# The hub's extension


def at_hub(granted: Any) -> ClientProtocol:
    protocol = fresh(hub=True)
    rolling = {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}
    assert sent(protocol.data_to_send()) == [{"id": 1, "method": "mining.configure",
                                              "params": [["sparkminer", "version-rolling"], rolling]}]
    receive(protocol, granted)
    return protocol


def test_the_extension_granted() -> None:
    protocol = at_hub(answer(1, {"sparkminer": True, "sparkminer.nonce": "0f" * 16}))
    assert sent(protocol.data_to_send())[0]["method"] == "mining.subscribe"
    receive(protocol, answer(2, SUBSCRIPTION))
    proof = hmac.new(b"pass,d=16", b"sparkminer login\0" + b"0f" * 16 + b"\0slush.miner1", "sha256").hexdigest()
    assert sent(protocol.data_to_send())[0]["params"] == ["slush.miner1", proof]
    receive(protocol, answer(3, True))
    protocol.data_to_send()
    protocol.report(MinerReport("avx2", 2, 100, 50.5, "host"))
    fields = {"kernel": "avx2", "threads": 2, "hashes": 100, "hashrate": 50.5, "host": "host"}
    assert sent(protocol.data_to_send()) == [{"id": None, "method": "sparkminer.report", "params": [fields]}]
    assert receive(protocol, request("sparkminer.pause", ["no pool", 30])) == [Pause("no pool", 30.0)]
    assert receive(protocol, request("sparkminer.stop", ["the job has ended"])) == [Stop("the job has ended")]


@pytest.mark.parametrize("reply", [answer(1, None, [-3, "Method not found", None]), answer(1, {"sparkminer": False}),
                                   answer(1, {"sparkminer": "no"}), answer(1, {}), answer(1, True), answer(1, None),
                                   answer(1, {"sparkminer": True}),
                                   answer(1, {"sparkminer": True, "sparkminer.nonce": ""}),
                                   answer(1, {"sparkminer": True, "sparkminer.nonce": 7})])
def test_where_no_nonce_is_given_nothing_more_is_said(reply: bytes) -> None:
    """Whoever takes the nonce out of the answer sees no password for it."""
    protocol = fresh(hub=True)
    protocol.data_to_send()
    assert receive(protocol, reply) == [NoHub()]
    receive(protocol, answer(2, SUBSCRIPTION), answer(3, True))
    assert protocol.data_to_send() == b"" and protocol.state is State.REFUSED


def test_plain_pools_see_nothing_of_it() -> None:
    protocol = ready()
    assert receive(protocol, request("sparkminer.stop", ["x"]), request("sparkminer.pause", ["x", 1])) == []


# The session of an earlier connection


def test_the_former_session_is_asked_for_and_the_new_one_kept() -> None:
    protocol = fresh(session="08000002")
    assert sent(protocol.data_to_send())[0]["params"] == ["test/1", "08000002"]
    receive(protocol, SUBSCRIBED)
    assert protocol.session == SESSION


def test_a_pool_without_session_ids_is_asked_for_its_extranonce1() -> None:
    protocol = fresh()
    receive(protocol, answer(1, [[], "08000002", 4]))
    assert protocol.session == "08000002"


@pytest.mark.parametrize("refusal", [answer(1, None, [20, "unknown session", None]), answer(1, False, "no")])
def test_a_pool_that_does_not_know_the_session_is_asked_for_a_new_one(refusal: bytes) -> None:
    protocol = fresh(session="08000002")
    protocol.data_to_send()
    assert receive(protocol, refusal) == []
    assert sent(protocol.data_to_send()) == [{"id": 2, "method": "mining.subscribe", "params": ["test/1"]}]
    assert receive(protocol, answer(2, SUBSCRIPTION)) == [Subscribed(EXTRANONCE1, 4, SESSION)]


def test_without_a_session_a_refused_subscription_is_final() -> None:
    protocol = fresh(session="08000002")
    receive(protocol, answer(1, None, [20, "no", None]))
    with pytest.raises(ProtocolError, match="refused the subscription: not here"):
        receive(protocol, answer(2, None, [20, "not here", None]))


# Version rolling (BIP 310)


def rolling(granted: Any, **options: Any) -> ClientProtocol:
    """Logged in at a pool that answers mining.configure so."""
    protocol = fresh(unwelcome=(EXTRANONCE_SUBSCRIBE,), **options)
    assert [message["method"] for message in sent(protocol.data_to_send())] == [CONFIGURE, "mining.subscribe"]
    receive(protocol, answer(1, granted), answer(2, SUBSCRIPTION), answer(3, True))
    protocol.data_to_send()
    return protocol


def test_rolled_versions_in_the_documents_words() -> None:
    protocol = fresh(unwelcome=())
    assert sent(protocol.data_to_send())[0] == {"id": 1, "method": CONFIGURE, "params": [
        ["version-rolling"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]}
    protocol = rolling({"version-rolling": True, "version-rolling.mask": "18000000"})
    [job] = jobs(protocol, request("mining.notify", notify(version="28000002")))
    assert job.version_mask == 0x18000000
    assert [f"{version:08x}" for version in job.versions()] == ["28000002", "30000002", "38000002", "20000002"]
    protocol.submit(job.work(b"abcd", version=0x30000002).share(7))
    assert sent(protocol.data_to_send())[0]["params"][4:] == ["00000007", "10000000"]


def test_the_version_as_it_came_is_submitted_too() -> None:
    protocol = rolling({"version-rolling": True, "version-rolling.mask": "1fffe000"})
    [job] = jobs(protocol, JOB)
    protocol.submit(job.work(b"abcd").share(7))
    assert sent(protocol.data_to_send())[0]["params"][5] == "00000000"


def test_bits_that_the_pool_set_itself_are_submitted_too() -> None:
    """BIP 310: the pool takes the masked bits from the share alone, also for a job that is older than the mask."""
    protocol = fresh(unwelcome=(EXTRANONCE_SUBSCRIBE,))
    receive(protocol, answer(2, SUBSCRIPTION), answer(3, True))
    [job] = jobs(protocol, request("mining.notify", notify(version="20006002")))
    receive(protocol, answer(1, {"version-rolling": True, "version-rolling.mask": "1fffe000"}))
    protocol.data_to_send()
    protocol.submit(job.work(b"abcd").share(7))
    assert sent(protocol.data_to_send())[0]["params"][5] == "00006000"


@pytest.mark.parametrize("granted", [
    None, {}, False, [], {"version-rolling": False}, {"version-rolling": "no"}, {"version-rolling": True},
    {"version-rolling": True, "version-rolling.mask": 5}, {"version-rolling": 1, "version-rolling.mask": "1fffe000"},
])
def test_pools_that_grant_nothing_get_plain_shares(granted: Any) -> None:
    protocol = rolling(granted)
    [job] = jobs(protocol, JOB)
    assert list(job.versions()) == [job.version]
    protocol.submit(job.work(b"abcd").share(7))
    assert len(sent(protocol.data_to_send())[0]["params"]) == 5
    assert jobs(protocol, request("mining.set_version_mask", ["1fffe000"])) == []


def test_a_pool_that_never_answers_it_is_mined_at_all_the_same() -> None:
    protocol = fresh(unwelcome=(EXTRANONCE_SUBSCRIBE,))
    receive(protocol, answer(2, SUBSCRIPTION), answer(3, True))
    assert len(jobs(protocol, JOB)) == 1
    assert protocol.unanswered_offers == {CONFIGURE}


def test_no_more_bits_than_miners_may_have() -> None:
    [job] = jobs(rolling({"version-rolling": True, "version-rolling.mask": "ffffffff"}), JOB)
    assert job.version_mask == 0x1FFFE000


def test_a_new_mask_holds_for_the_job_that_is_out() -> None:
    protocol = rolling({"version-rolling": True, "version-rolling.mask": "1fffe000"})
    [old] = jobs(protocol, JOB)
    [new] = jobs(protocol, request("mining.set_version_mask", ["00006000"]))
    assert new == dataclasses.replace(old, version_mask=0x6000, clean=True)
    assert jobs(protocol, request("mining.set_version_mask", ["00006000"]), JOB) == []
    [event] = receive(protocol, request("mining.set_version_mask", ["zz"]))
    assert isinstance(event, Ignored)


@pytest.mark.parametrize("hub", [False, True])
def test_scrypt_pools_and_hubs_are_not_asked(hub: bool) -> None:
    protocol = fresh(unwelcome=(), algorithm=SCRYPT, hub=hub)
    assert b"version-rolling" not in protocol.data_to_send()


def test_a_hub_is_asked_and_its_miner_rolls() -> None:
    protocol = at_hub(answer(1, {"sparkminer": True, "sparkminer.nonce": "0f" * 16, "version-rolling": True,
                                 "version-rolling.mask": "0000e000"}))
    assert protocol.jobs.version_mask == 0xE000


# Difficulties


def test_a_difficulty_is_suggested_once_subscribed() -> None:
    protocol = fresh(suggest_difficulty=0.5)
    protocol.data_to_send()
    receive(protocol, SUBSCRIBED)
    assert sent(protocol.data_to_send())[1] == {"id": 3, "method": "mining.suggest_difficulty", "params": [0.5]}
    assert receive(protocol, answer(3, None, [20, "Unknown method", None]), answer(2, True)) == [Authorized()]


def test_difficulties_in_bitcoins_scale() -> None:
    protocol = ready(difficulty_scale=65536, algorithm=SCRYPT)
    [job] = jobs(protocol, difficulty(1 / 4096) + request("mining.notify", notify(nbits="170001ff")))
    assert job.share_target == difficulty_to_target(16, SCRYPT)
    asking = fresh(difficulty_scale=65536, suggest_difficulty=16, algorithm=SCRYPT)
    receive(asking, SUBSCRIBED)
    assert sent(asking.data_to_send())[-1]["params"] == [1 / 4096]


@pytest.mark.parametrize(("scale", "value"), [(1e12, 1e300), (1e-12, 5e-324)])
def test_a_scaled_difficulty_beyond_all_measure_is_ignored(scale: float, value: float) -> None:
    protocol = ready(difficulty_scale=scale)
    [event] = receive(protocol, difficulty(value))
    assert isinstance(event, Ignored)
    assert protocol.jobs.difficulty == 1


# Anything at all


METHODS = ["mining.notify", "mining.set_difficulty", "mining.set_version_mask", "mining.set_extranonce",
           "client.reconnect", "client.show_message", "client.get_version", "mining.ping",
           "sparkminer.stop", "sparkminer.pause", "mining.other"]
MESSAGES = st.one_of(
    st.builds(lambda method, params, number: request(method, params, number),
              st.sampled_from(METHODS), st.lists(JSON, max_size=11) | JSON, st.none() | st.integers(0, 9)),
    st.builds(answer, st.integers(0, 9) | JSON, JSON, JSON),
    st.sampled_from([SUBSCRIBED, AUTHORIZED, JOB, answer(3, True), request("mining.set_difficulty", [0.5])]),
    st.binary(max_size=40).map(lambda data: data + b"\n"),
)


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=6), st.booleans(), st.integers(1, 200))
def test_any_messages_give_events_or_a_protocol_error(pieces: list[bytes], hub: bool, size: int) -> None:
    protocol = fresh(hub=hub, unwelcome=())
    whole = b"".join(pieces)
    with contextlib.suppress(ProtocolError):
        for at in range(0, len(whole), size):
            for event in protocol.receive_data(whole[at : at + size]):
                if isinstance(event, Job):
                    event.work(bytes(event.extranonce2_size), event.last_ntime)
    for text in protocol.data_to_send().splitlines():
        json.loads(text)


# Another protocol, and a pool that no longer knows us


@pytest.mark.parametrize(("first", "speech"), [
    (b"HTTP/1.1 400 Bad Request\r\n", Speech.HTTP), (b"<!DOCTYPE HTML>\n<html>", Speech.HTTP),
    (b"\x15\x03\x01\x00\x02\x02\x46", Speech.TLS), (b"HTTP/1.0 400", Speech.HTTP)])
@pytest.mark.parametrize("size", [1, 1000])
def test_another_protocol_is_told_by_its_first_bytes(first: bytes, speech: Speech, size: int) -> None:
    protocol = fresh()
    with pytest.raises(WrongDoorError) as caught:
        receive(protocol, *(first[at:at + size] for at in range(0, len(first), size)))
    assert caught.value.speech is speech


def test_once_the_pool_has_said_something_it_is_only_nonsense() -> None:
    [event] = receive(ready(), b"HTTP/1.1 400 Bad Request\r\n")
    assert isinstance(event, Ignored)


def refusals(protocol: ClientProtocol, job: Job, code: int = 24) -> list[ClientEvent]:
    """As many shares as make us log in again, each refused with this code."""
    return [event for number in range(UNKNOWN_SHARES)
            for event in receive(protocol, answer(protocol.submit(share_of(job, number)), None, [code, "no", None]))
            if not isinstance(event, Answered)]


@pytest.mark.parametrize("code", [24, 25])
def test_unknown_share_after_share_we_log_in_again_once(code: int) -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    assert refusals(protocol, job, code) == [LoginLost("no")]
    assert protocol.state is State.AUTHORIZING
    with pytest.raises(ProtocolError, match="not logged in"):
        protocol.submit(share_of(job))
    assert jobs(protocol, request("mining.notify", notify(job_id="meanwhile"))) == []
    login = sent(protocol.data_to_send())[-1]
    assert (login["method"], login["params"]) == ("mining.authorize", ["slush.miner1", "pass,d=16"])
    entered, meanwhile = receive(protocol, answer(login["id"], True))
    assert (entered, meanwhile.job_id) == (Authorized(), "meanwhile")  # type: ignore[union-attr]
    assert refusals(protocol, job, code) == [Shunned("no")]


def test_refusals_of_shares_from_before_the_login_say_nothing_of_it() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    numbers = [protocol.submit(share_of(job, number)) for number in range(3 * UNKNOWN_SHARES)]
    early = receive(protocol, *(answer(number, None, [24, "no", None]) for number in numbers[:UNKNOWN_SHARES]))
    assert early[-1] == LoginLost("no")
    login = sent(protocol.data_to_send())[-1]["id"]
    late = receive(protocol, answer(login, True),
                   *(answer(number, None, [24, "no", None]) for number in numbers[UNKNOWN_SHARES:]))
    assert not any(isinstance(event, LoginLost | Shunned) for event in late)


def test_what_a_hub_passes_on_from_its_pool_is_not_about_us() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    for _ in range(3 * UNKNOWN_SHARES):
        number = protocol.submit(share_of(job))
        [event] = receive(protocol, answer(number, None, [20, "Unauthorized worker", None]))
        assert isinstance(event, Answered)


def test_any_other_verdict_between_means_that_the_pool_knows_us() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    for verdict_ in ([24, "no", None], [24, "no", None], [21, "job not found", None]) * 3:
        events = receive(protocol, answer(protocol.submit(share_of(job)), None, verdict_))
        assert [type(event) for event in events] == [Answered]


def test_a_refused_second_login() -> None:
    protocol = ready()
    [job] = jobs(protocol, JOB)
    refusals(protocol, job)
    login = sent(protocol.data_to_send())[-1]["id"]
    assert receive(protocol, answer(login, False, [24, "banned", None])) == [LoginRefused("banned")]
