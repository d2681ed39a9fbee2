"""getblocktemplate: a node's answer checked, turned into a job, and a share turned into the block to submit.

Pure: no socket, no clock. Sources: BIP 22 and 23 (getblocktemplate), BIP 9 (rules), BIP 145 (segwit), LIP 2 to 4 and
Litecoin Core (MWEB), BIP 325 (signet). Nothing here depends on the coin: a template says itself what its block needs.
A pool's server may give a coinbase of its own, to be appended to, and a target easier than the network's.
"""

from dataclasses import dataclass

from miner.core.algorithm import Algorithm
from miner.core.coinbase import (
    MAX_MONEY_FIELD,
    compact_size,
    output,
    split_coinbase,
    split_given_coinbase,
    with_witness,
)
from miner.core.errors import ProtocolError
from miner.core.header import merkle_branch
from miner.core.model import Job, Share
from miner.core.target import nbits_to_target
from miner.node.auxpow import AuxBlock
from miner.node.fields import MAX_TEXT, Fields

# Every chain gets the same request: Litecoin demands mweb and segwit, signets demand signet, others ignore what they
# don't know.
CLIENT_RULES = ("mweb", "segwit", "signet")

EXTRANONCE2_SIZE = 8  # wide enough for a hub to cut into slices
MAX_HEIGHT = (1 << 31) - 1

_TRIVIAL_CHALLENGE = b"\x51"  # OP_TRUE: a signet on which every block is signed
_MAX_TRANSACTIONS = 1 << 20
_MAX_TIME = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Payout:
    """Who gets a block's reward: `script` is the output script, `text` what is written into the coinbase's input."""

    script: bytes
    text: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of a template: `data` as it stands in the block, `txid` (32 bytes) in header order. The txid is the
    node's word: Litecoin's HogEx shows that it can't be had by hashing `data`."""

    data: bytes
    txid: bytes


@dataclass(frozen=True, slots=True)
class Template:
    """A checked answer to getblocktemplate. Hashes in header order."""

    version: int
    prev_hash: bytes
    height: int
    nbits: int
    ntime: int  # the node's clock, never before `mintime`
    coinbase_value: int  # smallest units
    coinbase_aux: bytes  # script code that the node wants in the coinbase
    given_coinbase: bytes  # the coinbase that the server made, which pays whom it likes; b"" where we make it
    share_target: int  # what the server wants to see: a node blocks alone
    transactions: tuple[Transaction, ...]  # the order is the node's and final
    merkle_branch: tuple[bytes, ...]  # from the coinbase up, over all transactions
    witness_commitment: bytes  # output script, b"" on a chain without segwit
    mweb: bytes | None  # Litecoin's extension block
    longpollid: str  # "" where the node has no long poll
    longpolluri: str  # where to ask with it; "": as always
    workid: str  # "" unless the node wants it back with the block
    proposals: bool  # the node judges blocks that have no proof of work yet

    def job(self, job_id: str, algorithm: Algorithm, payout: Payout, extranonce1: bytes, *, clean: bool,
            extranonce2_size: int = EXTRANONCE2_SIZE, aux: AuxBlock | None = None) -> Job:
        """The work in this template, for another chain's block `aux` as well where there is one. Its share target is
        the easier of the chains' targets. Raises UsageError when the payout's text does not fit."""
        target, commitment = self.share_target, b""
        if aux is not None:
            target, commitment = max(target, aux.target), aux.commitment
        coinbase1, coinbase2 = self._coinbase(payout, len(extranonce1) + extranonce2_size, commitment)
        return Job(
            job_id=job_id, algorithm=algorithm, version=self.version, prev_hash=self.prev_hash, coinbase1=coinbase1,
            extranonce1=extranonce1, extranonce2_size=extranonce2_size, coinbase2=coinbase2,
            merkle_branch=self.merkle_branch, nbits=self.nbits,
            ntime=self.ntime, clean=clean, share_target=target, height=self.height)

    def _coinbase(self, payout: Payout, extranonce_size: int, commitment: bytes) -> tuple[bytes, bytes]:
        if self.given_coinbase:
            return split_given_coinbase(self.given_coinbase, extranonce_size, payout.text, commitment)
        outputs = [output(self.coinbase_value, payout.script)]
        if self.witness_commitment:
            outputs.append(output(0, self.witness_commitment))
        return split_coinbase(self.height, outputs, extranonce_size, payout.text, self.coinbase_aux + commitment)

    def block(self, share: Share) -> bytes:
        """The whole block that `share`, of a job of this template, makes: the bytes whose hex digits submitblock
        takes."""
        coinbase = share.job.coinbase(share.work.extranonce2)
        if self.witness_commitment:
            coinbase = with_witness(coinbase)
        parts = [share.header, compact_size(1 + len(self.transactions)), coinbase]
        parts += [transaction.data for transaction in self.transactions]
        if self.mweb is not None:
            parts += [b"\x01", self.mweb]
        return b"".join(parts)

    def same_work(self, other: "Template") -> bool:
        """Whether mining the other template instead would gain nothing but a later time."""
        return (self.prev_hash == other.prev_hash and self.coinbase_value == other.coinbase_value
                and self.given_coinbase == other.given_coinbase and self.share_target == other.share_target
                and self.merkle_branch == other.merkle_branch and self.version == other.version
                and self.witness_commitment == other.witness_commitment
                and self.nbits == other.nbits and self.mweb == other.mweb)


def template_request(longpollid: str = "") -> dict[str, object]:
    """The parameter of getblocktemplate. With a `longpollid` the node answers when there is something new."""
    request: dict[str, object] = {
        "capabilities": ["coinbasevalue", "coinbasetxn", "coinbase/append", "longpoll", "workid"],
        "rules": list(CLIENT_RULES)}
    if longpollid:
        request["longpollid"] = longpollid
    return request


def proposal_request(block: bytes, workid: str = "") -> dict[str, object]:
    """The parameter of getblocktemplate that asks what the node would say to a block, were it solved (BIP 23). The
    block stays bytes in it, which `encode_request` makes into digits."""
    request: dict[str, object] = {"mode": "proposal", "data": block, "rules": list(CLIENT_RULES)}
    return request | ({"workid": workid} if workid else {})


def parse_template(answer: object) -> Template:
    """Check a node's answer to getblocktemplate field by field. Raises ProtocolError that names the field. A full
    block's template takes tens of milliseconds: not on an event loop."""
    fields = _TemplateFields(answer)
    rules = fields.rules()
    nbits = int.from_bytes(fields.hexadecimal("bits", 4), "big")
    try:
        share_target = nbits_to_target(nbits)
    except ValueError as error:
        raise ProtocolError(f"the template's bits are wrong: {error}") from None
    given_coinbase = b""
    if "coinbasevalue" not in fields.members:
        given_coinbase = fields.given_coinbase()
        share_target = max(share_target, fields.target())
    transactions = fields.transactions()
    return Template(
        version=fields.integer("version", -(1 << 31), _MAX_TIME) & 0xFFFFFFFF,
        prev_hash=fields.hexadecimal("previousblockhash", 32)[::-1],
        height=fields.integer("height", 1, MAX_HEIGHT),
        nbits=nbits,
        ntime=max(fields.integer("curtime", 0, _MAX_TIME), fields.integer("mintime", 0, _MAX_TIME, default=0)),
        coinbase_value=0 if given_coinbase else fields.integer("coinbasevalue", 0, MAX_MONEY_FIELD),
        coinbase_aux=fields.coinbase_aux(), given_coinbase=given_coinbase, share_target=share_target,
        transactions=transactions, merkle_branch=merkle_branch([transaction.txid for transaction in transactions]),
        # Without the rule, a chain that knows no segwit yet may name a commitment all the same (Dogecoin), and refuses
        # a coinbase with a witness.
        witness_commitment=fields.witness_commitment(given_coinbase) if "segwit" in rules else b"",
        mweb=fields.hexadecimal("mweb", least=1) if "mweb" in fields.members else None,
        longpollid=fields.text("longpollid"), longpolluri=fields.text("longpolluri"),
        workid=fields.text("workid"), proposals=fields.can("proposal"))


class _TemplateFields(Fields):
    """What only a template has."""

    def __init__(self, answer: object) -> None:
        super().__init__(answer, "the template")

    def rules(self) -> set[str]:
        """The active rules without their "!", which marks those that a miner must know to build a valid block."""
        value = self.members.get("rules", [])
        if not isinstance(value, list) or not all(isinstance(rule, str) for rule in value):
            raise self.wrong("rules", "is not a list of texts")
        for rule in value:
            if rule.startswith("!") and rule[1:] not in CLIENT_RULES:
                raise ProtocolError(f"the chain follows the rule {rule[1:MAX_TEXT]!r}, which this miner doesn't know")
        rules = {rule.removeprefix("!") for rule in value}
        if "signet" in rules and self.hexadecimal("signet_challenge", least=1, most=10_000) != _TRIVIAL_CHALLENGE:
            raise ProtocolError("blocks of this signet must be signed by its operators: only a signet whose challenge "
                                "is OP_TRUE (51) can be mined")
        return rules

    def can(self, capability: str) -> bool:
        value = self.members.get("capabilities")
        return isinstance(value, list) and capability in value

    def given_coinbase(self) -> bytes:
        """The coinbase that the node gives (`coinbasetxn`), serialised. Raises ProtocolError where there is none, or
        where nothing may be appended to it: then all who got it would search equal headers."""
        if "coinbasetxn" not in self.members:
            raise ProtocolError("the template has no coinbasevalue and no coinbasetxn")
        mutable = self.members.get("mutable")
        if not isinstance(mutable, list) or not ("coinbase/append" in mutable or "coinbase" in mutable):
            raise ProtocolError("the server makes the coinbase itself and lets nobody append to it: "
                                "try `gbt=False`, in case it gives getwork")
        data = Fields(self.members["coinbasetxn"], "the template's coinbasetxn").hexadecimal("data", most=100_000)
        try:
            split_given_coinbase(data, 0)
        except ValueError as error:
            raise self.wrong("coinbasetxn", str(error)) from None
        return data

    def target(self) -> int:
        return int.from_bytes(self.hexadecimal("target", 32)) if "target" in self.members else 0

    def witness_commitment(self, given_coinbase: bytes) -> bytes:
        """Who makes the coinbase decides whether it has one, and need not tell it."""
        if given_coinbase and "default_witness_commitment" not in self.members:
            return b""
        commitment = self.hexadecimal("default_witness_commitment", least=38, most=128)
        return commitment if not given_coinbase or commitment in given_coinbase else b""

    def coinbase_aux(self) -> bytes:
        """BIP 22: only the values count, byte for byte."""
        aux = Fields(self.members.get("coinbaseaux") or {}, "the template's coinbaseaux")
        return b"".join(aux.hexadecimal(key, most=100) for key in aux.members)

    def transactions(self) -> tuple[Transaction, ...]:
        value = self.members.get("transactions")
        if not isinstance(value, list) or len(value) > _MAX_TRANSACTIONS:
            raise self.wrong("transactions", "is not a list")
        result = []
        for index, member in enumerate(value):
            fields = Fields(member, f"the template's transaction {index}")
            # Nodes from before segwit call the id "hash".
            txid = fields.hexadecimal("txid" if "txid" in fields.members else "hash", 32)
            result.append(Transaction(fields.hexadecimal("data", least=1), txid[::-1]))
        return tuple(result)
