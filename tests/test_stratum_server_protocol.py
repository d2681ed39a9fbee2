"""The server's end of stratum, without a socket: what a hub is asked, and what miners can't do to it."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.core.errors import ProtocolError
from miner.core.model import MinerReport
from miner.stratum.messages import Notify
from miner.stratum.reject import Reject
from miner.stratum.server_events import Authorizing, Reported, ServerEvent, Submitting, Subscribing, Suggested
from miner.stratum.server_protocol import MAX_LINE, MAX_UNANSWERED, MAX_USERS, PATIENCE, ServerProtocol
from miner.wrong_door import Speech, WrongDoorError
from stratum_samples import EXTRANONCE1, JSON, NOTIFY, REGTEST_JOB, SUBMIT, answer, line, request, sent

SUBSCRIBE = request("mining.subscribe", ["minerd/2.5.1"], 1)
AUTHORIZE = request("mining.authorize", ["slush.miner1", "pw"], 2)
SHARE = request("mining.submit", SUBMIT, 4)  # 4 each time, as minerd does
REPORT = {"kernel": "avx2", "threads": 2, "hashes": 100, "hashrate": 50.5, "host": "h"}


def serve(protocol: ServerProtocol, *data: bytes) -> list[ServerEvent]:
    """Take what came in as a friendly pool would: everybody is let in, every share counts."""
    events = []
    for piece in data:
        for event in protocol.receive_data(piece):
            events.append(event)
            match event:
                case Subscribing():
                    protocol.subscribe(event, EXTRANONCE1, 4, "s")
                case Authorizing() | Submitting():
                    protocol.accept(event)
    return events


def refusals(protocol: ServerProtocol, *data: bytes) -> list[int]:
    """The error codes of the answers to what gives no event."""
    assert [event for piece in data for event in protocol.receive_data(piece)] == []
    return [message["error"][0] for message in sent(protocol.data_to_send())]


def ready() -> ServerProtocol:
    protocol = ServerProtocol()
    serve(protocol, SUBSCRIBE, AUTHORIZE)
    protocol.data_to_send()
    return protocol


def test_minerds_session_word_for_word() -> None:
    protocol = ServerProtocol()
    [subscribing] = protocol.receive_data(SUBSCRIBE)
    assert subscribing == Subscribing(1, 0, "minerd/2.5.1", "")
    assert protocol.data_to_send() == b""
    protocol.subscribe(subscribing, EXTRANONCE1, 4, "s")
    details = [["mining.set_difficulty", "s"], ["mining.notify", "s"]]
    assert sent(protocol.data_to_send()) == [{"id": 1, "result": [details, "08000002", 4], "error": None}]
    [authorizing] = protocol.receive_data(AUTHORIZE)
    assert isinstance(authorizing, Authorizing)
    assert (authorizing.username, authorizing.password) == ("slush.miner1", "pw")
    assert "pw" not in repr(authorizing)
    protocol.accept(authorizing)
    protocol.set_difficulty(16)
    protocol.notify(REGTEST_JOB, clean=False)
    assert sent(protocol.data_to_send()) == [
        {"id": 2, "result": True, "error": None},
        {"id": None, "method": "mining.set_difficulty", "params": [16]},
        {"id": None, "method": "mining.notify", "params": Notify.from_job(REGTEST_JOB, False).params},
    ]
    first, second = protocol.receive_data(SHARE + SHARE)
    assert isinstance(first, Submitting) and isinstance(second, Submitting)
    assert (first.job_id, first.extranonce2, first.ntime, first.nonce) == ("bf", b"\0\0\0\1", 0x504E86ED, 0xB2957C02)
    protocol.refuse(second, Reject.DUPLICATE, "duplicate\nshare")
    protocol.accept(first)
    assert sent(protocol.data_to_send()) == [{"id": 4, "result": None, "error": [22, "duplicate share", None]},
                                             {"id": 4, "result": True, "error": None}]


def test_answers_given_in_the_loop_count_for_the_next_line_of_the_same_packet() -> None:
    kinds = [type(event) for event in serve(ServerProtocol(), SUBSCRIBE + AUTHORIZE + SHARE)]
    assert kinds == [Subscribing, Authorizing, Submitting]


def test_a_notified_job_can_be_read_back() -> None:
    protocol = ready()
    protocol.notify(REGTEST_JOB, clean=True)
    [message] = sent(protocol.data_to_send())
    job = Notify.parse(message["params"]).to_job(REGTEST_JOB.algorithm, REGTEST_JOB.extranonce1, 4, 1.0)
    assert job.work(b"\0\0\0\1").header == REGTEST_JOB.work(b"\0\0\0\1").header


def test_a_session_that_the_miner_would_like_back() -> None:
    [event] = ServerProtocol().receive_data(request("mining.subscribe", ["a/1", "old"], 1))
    assert event == Subscribing(1, 0, "a/1", "old")
    [event] = ServerProtocol().receive_data(request("mining.subscribe", [], 1))
    assert event == Subscribing(1, 0, "", "")
    [event] = ServerProtocol().receive_data(request("mining.subscribe", [None, None, "host", 3333], 1))
    assert event == Subscribing(1, 0, "", "")


# What is refused without asking


def test_shares_before_subscription_and_login() -> None:
    protocol = ServerProtocol()
    assert refusals(protocol, SHARE) == [Reject.NOT_SUBSCRIBED]
    serve(protocol, SUBSCRIBE)
    protocol.data_to_send()
    assert refusals(protocol, SHARE) == [Reject.UNAUTHORIZED]


def test_shares_of_somebody_else_and_after_a_refused_login() -> None:
    protocol = ready()
    assert refusals(protocol, request("mining.submit", ["other", *SUBMIT[1:]], 5)) == [Reject.UNAUTHORIZED]
    [authorizing] = protocol.receive_data(request("mining.authorize", ["other", "x"], 6))
    assert isinstance(authorizing, Authorizing)
    protocol.refuse(authorizing, Reject.UNAUTHORIZED, "wrong token")
    assert sent(protocol.data_to_send()) == [{"id": 6, "result": None, "error": [24, "wrong token", None]}]
    assert refusals(protocol, request("mining.submit", ["other", *SUBMIT[1:]], 5)) == [Reject.UNAUTHORIZED]


def test_a_second_subscription() -> None:
    assert refusals(ready(), SUBSCRIBE) == [Reject.OTHER]
    waiting = ServerProtocol()
    assert len(list(waiting.receive_data(SUBSCRIBE))) == 1
    assert refusals(waiting, SUBSCRIBE) == [Reject.OTHER]


@pytest.mark.parametrize("params", [[], SUBMIT[:4], [*SUBMIT[:4], 5], [*SUBMIT[:2], "0", *SUBMIT[3:]],
                                    ["slush.miner1"] * 5, [*SUBMIT[:2], "00" * 17, *SUBMIT[3:]], [None] * 5])
def test_malformed_shares(params: list[Any]) -> None:
    assert refusals(ready(), request("mining.submit", params, 9)) == [Reject.OTHER]


def test_unknown_methods() -> None:
    assert refusals(ready(), request("mining.get_transactions", ["bf"], 7)) == [Reject.NO_METHOD]
    assert refusals(ready(), request("mining.get_transactions", ["bf"])) == []


def test_too_many_at_once() -> None:
    protocol = ready()
    assert len(list(protocol.receive_data(SHARE * MAX_UNANSWERED))) == MAX_UNANSWERED
    assert refusals(protocol, SHARE) == [Reject.OTHER]


def test_too_many_workers() -> None:
    protocol = ready()
    serve(protocol, *(request("mining.authorize", [f"w{number}", ""], 3) for number in range(MAX_USERS - 1)))
    protocol.data_to_send()
    assert refusals(protocol, request("mining.authorize", ["more", ""], 3)) == [Reject.UNAUTHORIZED]


def test_patience_ends_with_broken_messages_but_not_with_refused_ones() -> None:
    protocol = ready()
    assert len(refusals(protocol, request("odd", [], 1) * PATIENCE * 2)) == PATIENCE * 2
    assert refusals(protocol, b"x\n" * (PATIENCE - 1)) == []
    assert len(serve(protocol, SHARE)) == 1
    with pytest.raises(ProtocolError, match="broken messages in a row"):
        list(protocol.receive_data(b"x\n" * PATIENCE))


def test_a_line_that_never_ends() -> None:
    protocol = ServerProtocol()
    with pytest.raises(ProtocolError, match="longer than"):
        for _ in range(2 * MAX_LINE // 1024):
            list(protocol.receive_data(b"x" * 1024))


def test_answers_to_what_we_said_are_no_events() -> None:
    assert refusals(ready(), answer(None, True), answer(5, "minerd/2.5.1")) == []


# What miners may ask besides


def test_extras_are_answered() -> None:
    protocol = ready()
    assert serve(protocol, request("mining.ping", [], 1), request("mining.extranonce.subscribe", [], 2)) == []
    assert serve(protocol, request("mining.suggest_difficulty", [0.5], 3)) == [Suggested(0.5)]
    assert [message["result"] for message in sent(protocol.data_to_send())] == ["pong", True, True]
    assert refusals(protocol, request("mining.suggest_difficulty", [-1], 3)) == [Reject.OTHER]


def test_a_new_extranonce_only_where_the_miner_can_take_it() -> None:
    protocol = ready()
    with pytest.raises(ProtocolError, match="reconnect"):
        protocol.set_extranonce(b"\1\2", 6)
    assert protocol.data_to_send() == b""
    serve(protocol, request("mining.extranonce.subscribe", [], 2))
    protocol.data_to_send()
    protocol.set_extranonce(b"\1\2", 6)
    assert sent(protocol.data_to_send()) == [{"id": None, "method": "mining.set_extranonce", "params": ["0102", 6]}]
    assert protocol.subscription is not None
    assert (protocol.subscription.extranonce1, protocol.subscription.extranonce2_size) == (b"\1\2", 6)


def test_reconnect_and_show_message() -> None:
    protocol = ready()
    protocol.reconnect()
    protocol.reconnect(wait=2.5)
    protocol.show_message("a\nb")
    assert [message["params"] for message in sent(protocol.data_to_send())] == [[], ["", 0, 2.5], ["a b"]]


# The extension


def test_configure_grants_what_we_know() -> None:
    protocol = ServerProtocol()
    wanted = ["version-rolling", "sparkminer", "subscribe-extranonce"]
    assert serve(protocol, request("mining.configure", [wanted, {"version-rolling.mask": "1fffe000"}], 1)) == []
    granted = {"version-rolling": False, "sparkminer": True, "subscribe-extranonce": True}
    assert sent(protocol.data_to_send()) == [{"id": 1, "result": granted, "error": None}]
    assert protocol.extension and protocol.extranonce_changes


def test_reports_pause_and_stop_of_our_own_miners() -> None:
    protocol = ready()
    assert refusals(protocol, request("sparkminer.report", [REPORT])) == []  # not agreed on
    with pytest.raises(ProtocolError, match="doesn't know"):
        protocol.stop("over")
    with pytest.raises(ProtocolError, match="doesn't know"):
        protocol.pause("away", 5.0)
    assert protocol.data_to_send() == b""
    serve(protocol, request("mining.configure", [["sparkminer"], {}], 1))
    protocol.data_to_send()
    assert serve(protocol, request("sparkminer.report", [REPORT])) == [Reported(MinerReport("avx2", 2, 100, 50.5, "h"))]
    assert serve(protocol, request("sparkminer.report", [REPORT | {"threads": -5}])) == []
    protocol.pause("away", 5.0)
    protocol.stop("over")
    assert sent(protocol.data_to_send()) == [{"id": None, "method": "sparkminer.pause", "params": ["away", 5.0]},
                                             {"id": None, "method": "sparkminer.stop", "params": ["over"]}]


# Illegal moves raise and change nothing


def test_nothing_is_said_to_a_miner_that_has_not_subscribed() -> None:
    protocol = ServerProtocol()
    with pytest.raises(ProtocolError, match="not subscribed"):
        protocol.notify(REGTEST_JOB, clean=True)
    with pytest.raises(ProtocolError, match="not subscribed"):
        protocol.set_difficulty(1)
    assert protocol.data_to_send() == b""


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_difficulties_that_mean_nothing(value: float) -> None:
    protocol = ready()
    with pytest.raises(ProtocolError, match="difficulty"):
        protocol.set_difficulty(value)
    assert protocol.data_to_send() == b""


@pytest.mark.parametrize(("extranonce1", "size"), [(b"\0" * 33, 4), (b"", 17), (b"", -1)])
def test_extranonces_out_of_bounds(extranonce1: bytes, size: int) -> None:
    protocol = ServerProtocol()
    [subscribing] = protocol.receive_data(SUBSCRIBE)
    assert isinstance(subscribing, Subscribing)
    with pytest.raises(ProtocolError):
        protocol.subscribe(subscribing, extranonce1, size)
    assert protocol.data_to_send() == b""
    protocol.subscribe(subscribing, b"", 0)  # the request still waits


def test_a_request_is_answered_once_and_where_it_came_from() -> None:
    protocol, other = ready(), ready()
    [share] = protocol.receive_data(SHARE)
    assert isinstance(share, Submitting)
    with pytest.raises(ProtocolError, match="not of this connection"):
        other.accept(share)
    protocol.accept(share)
    with pytest.raises(ProtocolError, match="answered already"):
        protocol.refuse(share, Reject.STALE, "x")
    assert len(sent(protocol.data_to_send())) == 1
    assert other.data_to_send() == b""


# Anything at all


METHODS = ["mining.configure", "mining.subscribe", "mining.authorize", "mining.submit", "mining.suggest_difficulty",
           "sparkminer.report", "mining.extranonce.subscribe", "mining.ping", "mining.other"]
MESSAGES = st.one_of(
    st.builds(request, st.sampled_from(METHODS), st.lists(JSON, max_size=6) | JSON, st.integers(0, 9) | JSON),
    st.builds(answer, JSON, JSON, JSON),
    st.sampled_from([SUBSCRIBE, AUTHORIZE, SHARE, request("mining.configure", [["sparkminer"], {}], 1),
                     request("sparkminer.report", [REPORT]), line(NOTIFY)]),
    st.binary(max_size=40).map(lambda data: data + b"\n"),
)


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=6), st.integers(1, 200))
def test_any_messages_give_events_or_a_protocol_error(pieces: list[bytes], size: int) -> None:
    protocol = ServerProtocol()
    whole = b"".join(pieces)
    with contextlib.suppress(ProtocolError):
        for at in range(0, len(whole), size):
            serve(protocol, whole[at : at + size])
    for text in protocol.data_to_send().splitlines():
        json.loads(text)


# Another protocol


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"POST / HTTP/1.0\r\n\r\n{}"])
def test_http_is_answered_in_http_and_ends_the_connection(first: bytes) -> None:
    protocol = ServerProtocol()
    with pytest.raises(WrongDoorError) as caught:
        list(protocol.receive_data(first))
    assert caught.value.speech is Speech.HTTP
    head, _, body = protocol.data_to_send().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"stratum+tcp://" in body


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_tls_ends_the_connection_once_it_is_recognised(size: int) -> None:
    protocol, hello = ServerProtocol(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\n" * 50
    with pytest.raises(WrongDoorError) as caught:
        for at in range(0, len(hello), size):
            list(protocol.receive_data(hello[at:at + size]))
    assert caught.value.speech is Speech.TLS
    [said] = sent(protocol.data_to_send())
    assert "without TLS" in said["error"][1]


def test_after_the_first_good_message_it_is_only_nonsense() -> None:
    protocol = ServerProtocol()
    events = list(protocol.receive_data(SUBSCRIBE + b"GET / HTTP/1.1\r\n"))
    assert [type(event) for event in events] == [Subscribing]
