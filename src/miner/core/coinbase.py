"""The coinbase transaction of a block, cut open around the extranonce: one that is built here, or one that a node or
pool made.

Sources: BIP 34 (height), BIP 141 and 144 (witness commitment, serialisation), Bitcoin's transaction format.
"""

import struct

from miner.core.errors import UsageError

MAX_SCRIPT_SIZE = 100  # consensus: a coinbase script has 2 to 100 bytes
MAX_MONEY_FIELD = (1 << 63) - 1  # an output's value is an int64
WITNESS_RESERVED_VALUE = bytes(32)

_VERSION = 1
_NULL_OUTPOINT = bytes(32) + b"\xff\xff\xff\xff"
_FINAL_SEQUENCE = b"\xff\xff\xff\xff"
_LOCK_TIME = bytes(4)
_SCRIPT_AT = 4 + 1 + len(_NULL_OUTPOINT) + 1  # where the script starts, after version, count, outpoint and its size


def compact_size(number: int) -> bytes:
    """A count in Bitcoin's variable length, the compactSize: 1, 3, 5 or 9 bytes, the number in them little-endian."""
    if number < 0xFD:
        return struct.pack("<B", number)
    if number <= 0xFFFF:
        return struct.pack("<BH", 0xFD, number)
    if number <= 0xFFFFFFFF:
        return struct.pack("<BI", 0xFE, number)
    return struct.pack("<BQ", 0xFF, number)


def push(data: bytes) -> bytes:
    """Script code that pushes `data`, at most 255 bytes. Raises ValueError for more."""
    return bytes([len(data)]) + data if len(data) < 76 else bytes([76, len(data)]) + data


def push_height(height: int) -> bytes:
    """Script code that pushes a block height as BIP 34 wants it: minimal, 1 to 16 as OP_1 to OP_16."""
    if height <= 16:
        return bytes([0x50 + height]) if height else b"\0"
    return push(height.to_bytes(height.bit_length() // 8 + 1, "little"))  # the top bit is the sign's


def output(value: int, script: bytes) -> bytes:
    """A serialised transaction output that pays `value`, in the coin's smallest unit, to `script`."""
    return struct.pack("<Q", value) + compact_size(len(script)) + script


def split_coinbase(height: int, outputs: list[bytes], extranonce_size: int, text: str = "",
                   aux: bytes = b"") -> tuple[bytes, bytes]:
    """Build a coinbase without witness. Returns coinbase1 and coinbase2: what stands before and after `extranonce_size`
    bytes of extranonce.

    The script is the height, then the extranonce, each as a push (some bare bytes would be counted as signature
    operations), then `aux`, script code that the node wants there, then `text` in UTF-8 as a push. Raises UsageError if
    the script would be longer than the 100 bytes that consensus allows.
    """
    head = struct.pack("<I", _VERSION) + compact_size(1) + _NULL_OUTPOINT
    tail = _FINAL_SEQUENCE + compact_size(len(outputs)) + b"".join(outputs) + _LOCK_TIME
    return _cut_open(head, push_height(height), tail, extranonce_size, text, aux)


def split_given_coinbase(coinbase: bytes, extranonce_size: int, text: str = "",
                         aux: bytes = b"") -> tuple[bytes, bytes]:
    """Make room for an extranonce in a coinbase that somebody else made (BIP 22's coinbasetxn), serialised without
    witness. Returns coinbase1 and coinbase2: what stands before and after `extranonce_size` bytes of extranonce.

    Only the script changes: the extranonce, `aux` and `text` are appended to it, as `split_coinbase` appends them to
    the height. Raises ValueError if `coinbase` is no coinbase without witness or is cut off, and UsageError if its
    script would be longer than the 100 bytes that consensus allows.
    """
    head, size = coinbase[:_SCRIPT_AT - 1], coinbase[_SCRIPT_AT - 1:_SCRIPT_AT]
    script_end = _SCRIPT_AT + int.from_bytes(size)
    if head[4:] != compact_size(1) + _NULL_OUTPOINT or not 2 <= int.from_bytes(size) <= MAX_SCRIPT_SIZE:
        raise ValueError("is no coinbase without witness")
    if len(coinbase) < script_end + len(_FINAL_SEQUENCE) + 1 + len(_LOCK_TIME):
        raise ValueError("is cut off")
    return _cut_open(head, coinbase[_SCRIPT_AT:script_end], coinbase[script_end:], extranonce_size, text, aux)


def _cut_open(head: bytes, script: bytes, tail: bytes, extranonce_size: int, text: str,
              aux: bytes) -> tuple[bytes, bytes]:
    prefix = script + (bytes([extranonce_size]) if extranonce_size else b"")
    suffix = aux + (push(text.encode()) if text else b"")
    size = len(prefix) + extranonce_size + len(suffix)
    if size > MAX_SCRIPT_SIZE:
        excess = size - MAX_SCRIPT_SIZE
        ours = len(text.encode()) >= excess
        raise UsageError(f"the coinbase script would have {size} bytes, {MAX_SCRIPT_SIZE} are allowed: "
                         + (f"shorten `coinbase_sig` by {excess}" if ours else "the node's part is too long"))
    return head + compact_size(size) + prefix, suffix + tail


def with_witness(coinbase: bytes) -> bytes:
    """Add a witness to a coinbase that is serialised without: the reserved value, 32 zero bytes (BIP 141), in the form
    in which a block carries it (BIP 144)."""
    return coinbase[:4] + b"\0\1" + coinbase[4:-4] + b"\1" + push(WITNESS_RESERVED_VALUE) + coinbase[-4:]
