"""JSON-RPC over HTTP as bytes: what a node says, what it may not do to us, and what never shows."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recordings
from miner.core.errors import MinerError, ProtocolError
from miner.core.text import one_line
from miner.node.http_answer import AnswerParser
from miner.node.jsonrpc import HttpError, JsonRpcError, Reply, basic_authorization, decode_answer, encode_request


def http(body: bytes | str, status: str = "200 OK", length: int | None = None) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


def decode(data: bytes, request_id: int, step: int = 1 << 16) -> Reply:
    """An answer as it comes in, `step` bytes at a time, on a connection that is closed in the end."""
    parser, answer = AnswerParser(), None
    for start in range(0, len(data), step):
        assert answer is None
        answer = parser.feed(data[start:start + step])
    return decode_answer(answer or parser.end(), request_id)


def test_request() -> None:
    authorization = basic_authorization("u", "p:ä")
    request = encode_request("[::1]:19332", "/wallet/x", authorization, 7, "validateaddress", ("addr",))
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[:2] == ["POST /wallet/x HTTP/1.1", "Host: [::1]:19332"] and "close" not in head.decode()
    assert f"Content-Length: {len(body)}" in lines
    assert "Authorization: Basic " + base64.b64encode("u:p:ä".encode()).decode() in lines
    assert json.loads(body) == {"jsonrpc": "1.0", "id": 7, "method": "validateaddress", "params": ["addr"]}


def test_request_without_credentials_has_no_authorization() -> None:
    assert b"Authorization" not in encode_request("h", "/", "", 1, "m", ())


@pytest.mark.parametrize("size", [0, 1, 4_000_000])
def test_bytes_are_written_as_hexadecimal_digits(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    body = encode_request("h", "/", "", 1, "m", (data, {"data": data, "é": ["x", None, 1.5]})).partition(b"\r\n\r\n")[2]
    assert json.loads(body)["params"] == [data.hex(), {"data": data.hex(), "é": ["x", None, 1.5]}]


def test_result() -> None:
    assert decode(http('{"result":{"a":[1]},"error":null,"id":3}'), 3).result == {"a": [1]}
    assert decode(http('{"result":null,"error":null,"id":3}'), 3).result is None
    assert decode(http('{"jsonrpc":"2.0","result":5,"id":3}'), 3).result == 5


@pytest.mark.parametrize("head", [b"Content-Length: " + b"7" * 30, b"Transfer-Encoding: chunked"])
def test_lengths_beyond_any_memory(head: bytes) -> None:
    with pytest.raises((ProtocolError, ConnectionError)):
        decode(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + b"f" * 30 + b"\r\n{}", 1)


def test_headers_come_along_in_lower_case() -> None:
    answer = b'HTTP/1.1 200 OK\r\nX-Long-Polling: /LP\r\nX-Roll-NTime: expire=12\r\n\r\n{"result":1,"id":3}'
    headers = decode(answer, 3).headers
    assert (headers["x-long-polling"], headers["x-roll-ntime"]) == ("/LP", "expire=12")


def test_extensions_are_said_in_a_header() -> None:
    assert b"\r\nX-Mining-Extensions: longpoll\r\n" in encode_request("h", "/", "", 1, "getwork", (), "longpoll")
    assert b"X-Mining" not in encode_request("h", "/", "", 1, "getwork", ())


def test_chunked_answer_and_one_that_the_connections_end_ends() -> None:
    chunks = b'11\r\n{"result":1,"id":\r\n2\r\n3}\r\n0\r\n\r\n'
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert decode(chunked, 3).result == 1
    assert decode(b'HTTP/1.0 200 OK\r\n\r\n{"result":1,"id":3}', 3).result == 1


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("data", [
    http('{"result":1,"id":3}'), b'HTTP/1.1 100 Continue\r\n\r\n' + http('{"result":1,"id":3}'),
    b'HTTP/1.1 200\n\n{"result":1,"id":3}',
    b'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\nA;x=y\r\n{"result":\r\n9 \r\n1,"id":3}\r\n0\r\nX: y\r\n\r\n',
])
def test_an_answer_may_come_in_any_pieces(data: bytes, step: int) -> None:
    assert decode(data, 3, step).result == 1


@pytest.mark.parametrize(("head", "kept"), [
    ("HTTP/1.1 200 OK\r\nContent-Length: 2", True), ("HTTP/1.1 200 OK\r\nContent-Length: 0", True),
    ("HTTP/1.1 204 OK", True), ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2", True),
    ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2", False),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2", False), ("HTTP/1.1 200 OK\r\nContent-Length: 1", False),
    ("HTTP/1.1 200 OK", False),
])
def test_a_connection_is_kept_where_the_answer_ends_by_itself_and_nothing_follows(head: str, kept: bool) -> None:
    parser = AnswerParser()
    body = b"{}" if "204" not in head and "Length: 0" not in head else b""
    answer = parser.feed(head.encode() + b"\r\n\r\n" + body)
    assert (answer or parser.end()).kept is kept


@pytest.mark.parametrize("data", [
    b"x", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
])
def test_what_is_no_http_is_known_at_once(data: bytes) -> None:
    """And not only once the connection is closed, which may be never."""
    with pytest.raises(ProtocolError, match="no HTTP|longer than"):
        AnswerParser().feed(data)


@pytest.mark.parametrize(("body", "words"), [
    ("Work queue depth exceeded", ": Work queue depth exceeded"), ("", ""),
    ("<html><title>no</title><style>p{}</style><p>the backend<br>is \x1b[31maway</p>", ": the backend is [31maway"),
])
def test_a_status_comes_with_what_the_answer_says(body: str, words: str) -> None:
    with pytest.raises(HttpError) as caught:
        decode(http(body, "503 Service Unavailable"), 1)
    assert str(caught.value) == "HTTP status 503 Service Unavailable" + words


def test_refusal_keeps_the_nodes_code_and_words() -> None:
    answer = json.dumps(recordings.recording("dogecoin/getblocktemplate-no-peers.json"))
    with pytest.raises(JsonRpcError) as caught:
        decode(http(answer, "500 Internal Server Error"), 0)
    assert (caught.value.code, caught.value.message) == (-9, "Dogecoin is not connected!")
    assert str(caught.value) == "Dogecoin is not connected! (error -9)"


@pytest.mark.parametrize(("error", "code", "message"), [
    ("bare text", 0, "bare text"), ({"code": "x"}, 0, "no message"),
    ({"code": 1e300, "message": None}, 0, "no message"),
    ({"code": -8, "message": "a\n\x1b[31mb" + "c" * 9999}, -8, "a [31mb" + "c" * 192 + "…"), ([], 0, "no message"),
    (False, 0, "False"),
])
def test_refusals_of_any_form_are_shown_on_one_line(error: object, code: int, message: str) -> None:
    with pytest.raises(JsonRpcError) as caught:
        decode(http(json.dumps({"result": None, "error": error, "id": 1}), "500 Error"), 1)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize("status", [200, 301, 404, 405, 501])
def test_a_web_page_of_somebody_else(status: int) -> None:
    with pytest.raises(ProtocolError, match=f"a web page .HTTP status {status} Sorry.*really a node's RPC port"):
        decode(http("<html>", f"{status} Sorry"), 1)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_status_without_json(status: int) -> None:
    with pytest.raises(HttpError, match=f"^HTTP status {status} Sorry$") as caught:
        decode(http("<html>", f"{status} Sorry"), 1)
    assert caught.value.status == status


def test_401_counts_whatever_the_body_says() -> None:
    with pytest.raises(HttpError):
        decode(http('{"result":1,"error":null,"id":1}', "401 Unauthorized"), 1)


@pytest.mark.parametrize(("data", "complaint"), [
    (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"), (b"\x16\x03\x01\x02", "speaks TLS"),
    (b'{"id":null,"error":[20,"x",null]}\n', "speaks stratum"), (http("hello"), "no JSON"),
    (http(b"\xff\xfe{"), "no JSON"), (http("[" * 100_000), "no JSON"), (http('{"result":NaN,"id":1}'), "no JSON"),
    (http('{"result":' + "9" * 5000 + ',"id":1}'), "no JSON"), (http("[]"), "no JSON-RPC object"),
    (http('{"result":1,"id":2}'), "another request"), (http('{"id":1}'), "neither a result nor an error"),
])
def test_what_is_no_answer(data: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode(data, 1)


@pytest.mark.parametrize("data", [b"", http('{"result":1,"id":1}', length=50),
                                  b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"])
def test_a_connection_that_ended_early_is_told_from_a_wrong_answer(data: bytes) -> None:
    with pytest.raises(ConnectionError, match="closed"):
        decode(data, 1)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(http)
       | st.binary(max_size=99).map(b"HTTP/1.1 200 OK\r\n".__add__))
def test_any_bytes_are_an_answer_or_a_clear_error(data: bytes) -> None:
    with contextlib.suppress(MinerError, ConnectionError):
        decode(data, 1)


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    line = one_line(text, 20)
    assert len(line) <= 20
    assert line.isprintable()
