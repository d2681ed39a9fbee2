"""Addresses to scripts. The vectors are those of BIP 173 and BIP 350, and addresses of real chains."""

import pytest

from miner.core.address import address_to_script, base58check_decode, segwit_decode
from miner.core.errors import UsageError

KEY_HASH = "76a914{}88ac"
SCRIPT_HASH = "a914{}87"


@pytest.mark.parametrize(("address", "script"), [
    # Bitcoin's genesis block, and the examples of BIP 13, 16 and 142
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", KEY_HASH.format("62e907b15cbf27d5425399ebf6f0fb50ebb88f18")),
    ("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", SCRIPT_HASH.format("e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a")),
    # told by Litecoin Core's validateaddress (regtest)
    ("mn16gba7fqbjUS9iAG2kyqf4ghrFCJmAw2", KEY_HASH.format("47236775d3a19704ce861efc1268ed99f7e06bab")),
    ("QSzziTpW5oZ5GoEyKkTCWPtumRV5kMQzef", SCRIPT_HASH.format("462ad3f2b40b7c9efdeaa05ef2c142acff36fc02")),
    ("rltc1qeult6kgmdfvvz8zntp6rlxdw2wwllqwl34mpuz", "0014cf3ebd591b6a58c11c5358743f99ae539dff81df"),
    # BIP 173 and BIP 350
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    ("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
     "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"),
    ("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
     "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
     "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
])
def test_script(address: str, script: str) -> None:
    assert address_to_script(address).hex() == script


@pytest.mark.parametrize("address", [
    "", "x", "1", "é" * 30, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a", "1" * 91,
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa ", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",  # a private key
    # BIP 173 and 350, invalid segwit addresses
    "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2", "bc1rw5uspcuh", "bc1gmk9yu", "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",  # bech32 instead of bech32m
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    # valid, but nobody can own them: whoever comes first may take the coins (BIP 350: "bc1zw508…", v2; v16; v1 with 40)
    "BC1SW50QGDZ25J", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    # Litecoin's MWEB addresses are no output script
    "tmweb1qq2zha083455dvhjhe6gyq6398uc58h4cdm9ntw3syp9lsqwenh6puqk52wr9wwfunqlhv0tfyqf0d7j6m4ht25u09df669gtjzpr8pkk2scc48yw",
])
def test_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        address_to_script(address)


def test_dogecoin_and_litecoin_versions() -> None:
    """The kinds of base58 address by version byte: what these coins' own nodes call isscript or not."""
    assert base58check_decode("DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L")[0] == 30
    assert base58check_decode("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1")[0] == 48
    assert address_to_script("DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L")[:3].hex() == "76a914"
    assert address_to_script("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1")[:3].hex() == "76a914"


def test_witness_programs_of_any_version_decode() -> None:
    assert segwit_decode("BC1SW50QGDZ25J") == (16, bytes.fromhex("751e"))
    program = bytes.fromhex("751e76e8199196d454941c45d1b3a323")
    assert segwit_decode("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs") == (2, program)
