"""A share's line, read at once where it is written as most miners write it. A hub reads thousands of them a second."""

import re
from binascii import unhexlify
from typing import NamedTuple

from miner.core.model import MAX_EXTRANONCE2
from miner.stratum.fields import MAX_NAME

_TEXT = rb'"([ !#-\[\]-~]{0,%d})"'  # printable ASCII in which JSON escapes nothing
_HEX_U32 = rb'"([0-9a-fA-F]{1,8})"'
_ID = rb'"id" ?: ?(0|[1-9][0-9]{0,14})'
_LINE = re.compile(  # our own order of keys and cpuminer's: the id before the others, or after them
    rb'\{(?:' + _ID + rb', ?)?"method" ?: ?"mining\.submit", ?"params" ?: ?\[ ?' + b", ?".join(
        [_TEXT % MAX_NAME, _TEXT % 128, rb'"((?:[0-9a-fA-F]{2}){0,%d})"' % MAX_EXTRANONCE2, _HEX_U32, _HEX_U32])
    + rb'(?:, ?' + _HEX_U32 + rb')? ?\](?:, ?' + _ID + rb')?\}')


class SubmitLine(NamedTuple):
    """A mining.submit: the request's id, and the fields of `from_miner.Submit`."""

    id: int
    username: str
    job_id: str
    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int | None


def read_submit(line: bytes) -> SubmitLine | None:
    """What `wire.decode` and `Submit.parse` make of a line, without JSON; None where it is no mining.submit, or written
    in another way: ask those two then."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    before, username, job_id, extranonce2, ntime, nonce, bits, behind = match.groups()
    if (before is None) is (behind is None):
        return None
    return SubmitLine(int(before or behind), username.decode(), job_id.decode(), unhexlify(extranonce2),
                      int(ntime, 16), int(nonce, 16), None if bits is None else int(bits, 16))
