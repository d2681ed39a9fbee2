"""Lines of JSON: cut, bounded, decoded, whatever a pool does to them."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.core.errors import ProtocolError
from miner.core.text import one_line
from miner.stratum.wire import LineBuffer, Request, Response, RpcError, decode, encode_request, encode_response
from stratum_samples import JSON


def lines_of(buffer: LineBuffer) -> list[bytes]:
    return list(iter(buffer.next_line, None))


def test_lines_come_out_however_the_bytes_are_cut() -> None:
    whole = b'{"a": 1}\n\r\n  \n{"b": 2}\r\n{"c"'
    for size in range(1, len(whole) + 1):
        buffer, lines = LineBuffer(100), []
        for at in range(0, len(whole), size):
            buffer.feed(whole[at : at + size])
            lines += lines_of(buffer)
        assert lines == [b'{"a": 1}', b'{"b": 2}']
        buffer.feed(b": 3}\n")
        assert lines_of(buffer) == [b'{"c": 3}']


def test_a_thousand_lines_in_a_packet() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"".join(b"%d\n" % number for number in range(1000)))
    assert lines_of(buffer) == [b"%d" % number for number in range(1000)]


def test_a_line_may_have_the_limit_and_not_a_byte_more() -> None:
    buffer = LineBuffer(10)
    buffer.feed(b"0123456789\n")
    assert lines_of(buffer) == [b"0123456789"]
    buffer.feed(b"0123456789A\n")
    with pytest.raises(ProtocolError, match="longer than 10 bytes"):
        buffer.next_line()


def test_a_line_that_never_ends_is_given_up_and_its_bytes_are_dropped() -> None:
    buffer = LineBuffer(1000)
    for _ in range(1000):
        buffer.feed(b"x")
        assert buffer.next_line() is None
    buffer.feed(b"x")
    with pytest.raises(ProtocolError, match="longer"):
        buffer.next_line()
    buffer.feed(b"\n{}\n")
    assert lines_of(buffer) == [b"{}"]


def test_good_lines_before_a_long_one_are_not_lost() -> None:
    buffer = LineBuffer(10)
    buffer.feed(b"good\n" + b"x" * 20)
    assert buffer.next_line() == b"good"
    with pytest.raises(ProtocolError):
        buffer.next_line()


@pytest.mark.parametrize("bad", [
    b"\xff\xfe{}", b"hello", b"HTTP/1.1 400 Bad Request", b"[]", b"1", b"null", b'"text"', b"{", b'{"id": 1}', b"{}",
    b"[" * 100_000, b'{"id": 1, "result": ' + b"[" * 1000 + b"]" * 1000 + b"}", b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"id": ' + b"9" * 10_000 + b', "result": true}', b'{"id": [1], "result": true}', b'{"id": 1e999, "result": 1}',
    b'{"id": 1, "method": 5}', b'{"id": 1, "method": ["x"], "params": []}', b'{"id": 1, "method": "x", "params": "y"}',
    b'{"id": 1, "method": "x", "params": {"a": 1}}', b'{"id": "' + b"x" * 200 + b'", "method": "x"}',
])
def test_what_is_no_message_is_a_protocol_error(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(bad)


def test_requests_with_and_without_parameters() -> None:
    assert decode(b'{"id":null,"method":"m","params":[1,"a",null]}') == Request(None, "m", (1, "a", None))
    for none in (b'', b',"params":null', b',"params":[]', b',"params":{}'):
        assert decode(b'{"id":5,"method":"m"' + none + b'}') == Request(5, "m", ())
    # Found in the wild: a result on a notification, a method on an answer.
    assert decode(b'{"id":0,"method":"m","params":[8192],"result":null,"error":null}') == Request(0, "m", (8192,))
    assert decode(b'{"id":1,"method":"","params":null,"result":true,"error":null}') == Response(1, True, None)


@pytest.mark.parametrize(("text", "number"),
                         [("7", 7), ('"7"', 7), ("7.0", 7), ("null", None), ('"x"', "x"), ("7.5", 7.5)])
def test_ids_that_a_pool_made_strings_of(text: str, number: Any) -> None:
    assert decode(f'{{"id": {text}, "result": true}}'.encode()) == Response(number, True, None)


@pytest.mark.parametrize(("error", "expected"), [
    ([21, "Job not found", None], RpcError(21, "Job not found")),
    ([21, "Job not found"], RpcError(21, "Job not found")),
    (["Job not found"], RpcError(0, "Job not found")),
    ([21, None, None], RpcError(21, "")),
    ([[1], "x"], RpcError(0, "")),
    ({"code": 23, "message": "Low difficulty share"}, RpcError(23, "Low difficulty share")),
    ({"code": 23}, RpcError(23, "")),
    ({"message": "no code"}, RpcError(0, "no code")),
    ({"code": "x", "message": 5}, RpcError(0, "5")),
    ("bare words", RpcError(0, "bare words")),
    (22, RpcError(22, "")),
    (10**30, RpcError(0, "")),
    (True, RpcError(0, "")),
    ([20, "two\nlines\x1b[31m\x00", None], RpcError(20, "two lines [31m")),
    (None, None), (False, None), (0, None), ("", None), ([], None), ({}, None),
])
def test_errors_in_every_shape(error: Any, expected: RpcError | None) -> None:
    message = decode(json.dumps({"id": 1, "result": None, "error": error}).encode())
    assert message == Response(1, None, expected)


def test_reject_reason_beside_a_null_error() -> None:
    message = decode(b'{"id":1,"result":false,"error":null,"reject-reason":"stale"}')
    assert message == Response(1, False, RpcError(0, "stale"))


def test_a_missing_error_is_none() -> None:
    assert decode(b'{"id":1,"result":true}') == Response(1, True, None)


def test_what_is_encoded_is_decoded() -> None:
    assert decode(encode_request(3, "m", ["ä\n\"", 1.5, None])) == Request(3, "m", ('ä\n"', 1.5, None))
    assert decode(encode_response(3, [1], None)) == Response(3, [1], None)
    assert decode(encode_response("x", None, RpcError(20, "no"))) == Response("x", None, RpcError(20, "no"))
    assert encode_request(None, "m", ["\n"]).count(b"\n") == 1


def test_shown_text_is_one_bounded_printable_line() -> None:
    assert one_line("a\r\n\tb\x00\x1b[0m  c") == "a b [0m c"
    assert one_line("x" * 300) == "x" * 199 + "…"
    assert [one_line(value) for value in (5, 1.5, None, ["x"], 10**400)] == ["5", "1.5", "", "", ""]


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode(data), Request | Response)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["id", "method", "params", "result", "error", "reject-reason"]), JSON))
def test_any_object_is_a_message_or_a_protocol_error(message: dict[str, Any]) -> None:
    try:
        read = decode(json.dumps(message).encode())
    except ProtocolError:
        return
    if isinstance(read, Response) and read.error:
        assert len(read.error.text) <= 200 and read.error.text.isprintable()
    encode_response(read.id, None)  # an id that was let in can be sent back


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50)), st.integers(1, 64))
def test_the_buffer_never_holds_more_than_a_line_and_a_packet(packets: list[bytes], limit: int) -> None:
    buffer = LineBuffer(limit)
    for packet in packets:
        buffer.feed(packet)
        with contextlib.suppress(ProtocolError):
            assert all(len(line) <= limit for line in lines_of(buffer))
        assert len(buffer._buffer) <= limit + 50
