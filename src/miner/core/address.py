"""An address decoded into the output script that pays it, for the rare node whose `validateaddress` doesn't say that
script. The node is asked first: only it knows which chain it is on.

Sources: base58check (Bitcoin), BIP 173 (bech32), BIP 350 (bech32m), BIP 141 (witness programs).
"""

from collections.abc import Iterable

from miner.core.algorithm import sha256d
from miner.core.errors import UsageError

MAX_ADDRESS_SIZE = 90  # BIP 173

# Version bytes of base58 addresses. No two of these coins use one byte for different kinds of script.
_PAY_TO_KEY_HASH = {
    0: "Bitcoin", 111: "Bitcoin and Litecoin test chains", 48: "Litecoin", 30: "Dogecoin", 113: "Dogecoin testnet",
}
_PAY_TO_SCRIPT_HASH = {
    5: "Bitcoin, old Litecoin", 196: "test chains", 50: "Litecoin", 58: "Litecoin test chains", 22: "Dogecoin",
}
_SEGWIT_PREFIXES = frozenset({"bc", "tb", "bcrt", "ltc", "tltc", "rltc"})

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CHECK, _BECH32M_CHECK = 1, 0x2BC830A3


def address_to_script(address: str) -> bytes:
    """The output script that pays `address`. Raises UsageError if it is mistyped, or of an unknown kind."""
    if not 0 < len(address) <= MAX_ADDRESS_SIZE or not address.isascii() or not address.isprintable():
        raise UsageError(f"{address[:MAX_ADDRESS_SIZE]!r} is no address")
    prefix, separator, _ = address.lower().rpartition("1")
    try:
        if separator and prefix in _SEGWIT_PREFIXES:
            return _witness_script(address)
        return _base58_script(address)
    except ValueError as error:
        raise UsageError(f"{address!r} is no address that pays a block: {error}") from None


def _base58_script(address: str) -> bytes:
    payload = base58check_decode(address)
    version, hash160 = payload[0], payload[1:]
    if len(hash160) != 20:
        raise ValueError(f"it holds {len(hash160)} bytes instead of 20")
    if version in _PAY_TO_KEY_HASH:  # OP_DUP OP_HASH160 <hash> OP_EQUALVERIFY OP_CHECKSIG
        return b"\x76\xa9\x14" + hash160 + b"\x88\xac"
    if version in _PAY_TO_SCRIPT_HASH:  # OP_HASH160 <hash> OP_EQUAL
        return b"\xa9\x14" + hash160 + b"\x87"
    raise ValueError(f"version byte {version} belongs to no coin that is known here")


def base58check_decode(text: str) -> bytes:
    """Decode base58check: the version byte and the payload behind it, without the checksum. Raises ValueError for
    characters that base58 hasn't got, a text that is too short, or a wrong checksum."""
    number = 0
    for character in text:
        digit = _BASE58.find(character)
        if digit < 0:
            raise ValueError(f"the character {character!r} does not occur in addresses")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) < 5:
        raise ValueError("it is too short")
    if sha256d(raw[:-4])[:4] != raw[-4:]:
        raise ValueError("its checksum is wrong")
    return raw[:-4]


def _witness_script(address: str) -> bytes:
    version, program = segwit_decode(address)
    if (version, len(program)) not in ((0, 20), (0, 32), (1, 32)):  # else anybody could take the coins
        raise ValueError(f"nobody can own witness version {version} with {len(program)} bytes yet")
    return bytes([0x50 + version if version else 0, len(program)]) + program


def segwit_decode(address: str) -> tuple[int, bytes]:
    """Decode a segwit address: its witness version (0 to 16) and program (2 to 40 bytes). Version 0 is bech32 (BIP
    173), every other bech32m (BIP 350). Raises ValueError where case, characters, checksum or lengths are wrong."""
    if address not in (address.lower(), address.upper()):
        raise ValueError("it mixes upper and lower case")
    prefix, _, data = address.lower().rpartition("1")
    values = [_BECH32.find(character) for character in data]
    if min(values, default=-1) < 0 or len(values) < 7:
        raise ValueError("it is too short, or has characters that do not occur in such addresses")
    expanded = [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]
    version = values[0]
    if _polymod([*expanded, *values]) != (_BECH32M_CHECK if version else _BECH32_CHECK):
        raise ValueError("its checksum is wrong")
    program = _regroup(values[1:-6])
    if version > 16 or not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        raise ValueError(f"it holds no valid witness program ({len(program)} bytes, version {version})")
    return version, program


def _polymod(values: Iterable[int]) -> int:
    """The remainder of BIP 173's checksum, 30 bits, over groups of five bits."""
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= generator
    return check


def _regroup(fives: list[int]) -> bytes:
    """Join groups of five bits into bytes, most significant bit first (BIP 173). Raises ValueError unless the bits left
    over are fewer than five, and all zero."""
    number = 0
    for five in fives:
        number = number << 5 | five
    left_over = len(fives) * 5 % 8
    if left_over >= 5 or number & ((1 << left_over) - 1):
        raise ValueError("its padding is wrong")
    return (number >> left_over).to_bytes(len(fives) * 5 // 8, "big")
