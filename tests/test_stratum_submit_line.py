"""A share's line is read in two ways, at once or as JSON: both must make the same of it."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from miner.core.errors import ProtocolError
from miner.stratum.from_miner import Submit
from miner.stratum.submit_line import SubmitLine, read_submit
from miner.stratum.wire import Request, decode

LINE = b'{"id": 7, "method": "mining.submit", "params": ["w.1", "1f", "00aa", "5f5e1000", "deadbeef"]}'
FIELDS = SubmitLine(7, "w.1", "1f", b"\x00\xaa", 0x5F5E1000, 0xDEADBEEF, None)

words = st.text(st.characters(max_codepoint=0x17F), max_size=8) | st.text("w.1é\\\"\n\0", max_size=600)
digits = st.text("0123456789abcdefABCDEF", max_size=34) | st.text("0x_ g", max_size=9)
params = (st.tuples(words, words, digits, digits, digits) | st.tuples(words, words, digits, digits, digits, digits)
          | st.lists(words | st.integers() | st.none(), max_size=7))
ids = st.integers(-1, 1 << 70) | st.none() | st.text(max_size=3) | st.booleans() | st.floats(allow_nan=False)


def by_json(line: bytes) -> SubmitLine | None:
    """What the general reader makes of a line; None where it is no share."""
    try:
        request = decode(line)
        if not isinstance(request, Request) or request.method != Submit.METHOD:
            return None
        share = Submit.parse(request.params)
    except ProtocolError:
        return None
    return SubmitLine(request.id, share.username, share.job_id, share.extranonce2,  # type: ignore[arg-type]
                      share.ntime, share.nonce, share.version_bits)


@given(ids, params, st.permutations(["id", "method", "params"]), st.sampled_from([(", ", ": "), (",", ":")]))
def test_whatever_is_read_at_once_means_what_its_json_means(number: Any, values: Any, keys: list[str],
                                                            marks: tuple[str, str]) -> None:
    message = {"id": number, "method": "mining.submit", "params": values}
    line = json.dumps({key: message[key] for key in keys}, separators=marks).encode()
    assert read_submit(line) in (None, by_json(line))


@given(st.integers(0, len(LINE) - 1), st.binary(max_size=3), st.integers(0, 3))
@example(LINE.index(b"7"), b"07", 1)
@example(LINE.index(b"7"), b"7.0", 1)
@example(len(LINE) - 1, b', "id": 8', 0)
@example(LINE.index(b"00aa"), b"0", 1)
@example(LINE.index(b"w.1"), b"\xc3\xa9", 1)
@example(LINE.index(b"w.1"), b"\\", 1)
def test_nor_does_a_line_with_a_fault_in_it(at: int, other: bytes, cut: int) -> None:
    line = LINE[:at] + other + LINE[at + cut:]
    assert read_submit(line) in (None, by_json(line))


def test_miners_own_lines_are_read_at_once() -> None:
    assert read_submit(LINE) == by_json(LINE) == FIELDS
    cpuminer = LINE.replace(b'"id": 7, ', b"").replace(b"]}", b'], "id":7}')
    assert read_submit(cpuminer) == by_json(cpuminer) == FIELDS
    rolled = LINE.replace(b'"]}', b'", "00002000"]}').replace(b", ", b",").replace(b": ", b":")
    assert read_submit(rolled) == by_json(rolled) == FIELDS._replace(version_bits=0x2000)
