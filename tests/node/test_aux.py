"""Merged mining: a real Litecoin Core as the parent, and an aux node that repeats and judges as Dogecoin Core did."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

import miner
import recordings
from miner.config import AuxConfig, SourceConfig
from miner.core.errors import SourceError, UsageError
from miner.core.events import BlockFound, ShareDone, Totals
from miner.core.model import Job, Share, ShareResult, ShareStatus
from miner.core.source import Notice
from miner.core.target import hash_value
from miner.node import handing_in
from miner.node.auxpow import MAGIC
from miner.node.client import NodeSource
from node.faulty import ScriptedNode, http, ok, refusal
from node.litecoind import Litecoind
from node.mining import SCRYPT, WAIT, Events, check_headers, next_event, next_job, solve
from node.recorded_dogecoin import ADDRESS, RecordedDogecoin

PAYEE = "rltc1q4nyke9pgv3w9ld9e8nk9fgu8lp9yc79kqr0zrl"
PARENT = recordings.template("litecoin/gbt-ltc-mweb-pegin-pegout-txs.json")
PARENT_RPC = {"validateaddress": ok({"isvalid": True, "scriptPubKey": "51"}), "submitblock": ok(None)}
BITCOIN = ("0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2"
           "fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695")  # block 125552's header
HARD, EASY, EASIER = "1d00ffff", "207fffff", "200fffff"

Play = Callable[[NodeSource, Events, RecordedDogecoin], Awaitable[None]]


def play_on(parent: Any, aux: RecordedDogecoin, play: Play, aux_addr: str = ADDRESS, **settings: Any) -> None:
    """A recorded parent, whose template is `parent`, and the recorded aux node."""
    async def main() -> None:
        answers = PARENT_RPC | {"getblocktemplate": ok(parent)}
        async with asyncio.timeout(2 * WAIT), ScriptedNode(answers) as node, aux:
            config = SourceConfig(**({"url": node.url, "coinbase_addr": PAYEE, "retry_pause": 0.05, "scan_time": 0.1,
                                      "longpoll": False, "aux": AuxConfig(aux.url, aux_addr)} | settings))
            async with NodeSource(config) as source, aclosing(source.events()) as events:  # type: ignore[type-var]
                await play(source, events, aux)

    asyncio.run(main())


def find(job: Job, meets: Callable[[int], bool]) -> Share:
    work = job.work(bytes(job.extranonce2_size))
    return next(share for share in map(work.share, range(100_000))
                if meets(hash_value(SCRYPT.hash(share.header))))


async def notice(events: Events, words: str) -> str:
    event: Notice = await next_event(events, lambda event: isinstance(event, Notice) and words in event.text)
    return event.text


def test_blocks_of_both_chains_by_the_engine() -> None:
    """Every second hash is a block of both."""
    with Litecoind(mweb=False) as node:
        found: list[ShareResult] = []
        blocks = along = 0

        async def main() -> None:
            nonlocal blocks
            async with RecordedDogecoin() as aux:
                def mine() -> int:
                    nonlocal along
                    blocks = 0
                    with miner.mine(url=node.url, username=node.username, password=node.password, threads=1,
                                    coinbase_addr=node.address, aux=AuxConfig(aux.url, ADDRESS), pin=False,
                                    seconds=4 * WAIT, coinbase_sig="/along/") as mining:
                        for event in mining:
                            if isinstance(event, ShareDone):
                                found.append(event.result)
                            blocks += isinstance(event, BlockFound)
                            if blocks == 25:
                                mining.stop()
                            if isinstance(event, Totals):
                                along = event.aux_blocks
                    return blocks

                blocks = await asyncio.to_thread(mine)
                told = [result.aux for result in found if result.aux]
                assert len(set(told)) == len(told) == along >= 10
                assert len(aux.accepted) - len(told) in (0, 1)  # the end may have come before the last verdict
                assert not aux.refused
                parents = {node.header(height) for height in range(1, node.height + 1)}
                assert len(parents & set(aux.accepted)) >= 10  # blocks of both chains

        asyncio.run(main())
        assert blocks >= 25 and node.height >= 25
        check_headers(node, 1, node.height)


def test_a_share_that_only_the_easier_chain_takes() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        assert source.payee == f"address {PAYEE} and address {ADDRESS} on the chain of {aux.url}"
        job = await next_job(events)
        first = aux.block_hash
        assert job.share_target > job.network_target and bytes.fromhex(first) in job.coinbase1 + job.coinbase2
        result = await source.submit(solve_aux(job))
        assert (result.status, result.block, result.aux) == (ShareStatus.ACCEPTED, False, first)
        assert f"accepted its block at height 23: {first}" in await notice(events, "accepted")
        again = await next_event(events, lambda event: isinstance(event, Job) and MAGIC in event.coinbase2)
        assert not again.clean and again.prev_hash == job.prev_hash
        assert bytes.fromhex(aux.block_hash) in again.coinbase2
        assert (await source.submit(solve_aux(again))).aux
        late = await source.submit(solve_aux(job))
        assert (late.status, late.reason, late.aux) == (ShareStatus.STALE, "the aux chain moved on", "")

    play_on(PARENT | {"bits": HARD}, RecordedDogecoin(), play)


def solve_aux(job: Job) -> Share:
    return find(job, lambda value: value <= job.share_target)


def test_a_share_that_only_the_parent_takes() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        job = await next_job(events)
        assert job.share_target == job.network_target
        aux_target = 0x0FFFFF << 8 * 29
        result = await source.submit(find(job, lambda value: aux_target < value <= job.network_target))
        assert (result.status, result.block, result.aux) == (ShareStatus.ACCEPTED, True, "")
        assert aux.count("submitauxblock") == 0

    play_on(PARENT | {"bits": EASY}, RecordedDogecoin(bits=EASIER), play)


def test_the_parents_block_counts_where_the_aux_block_came_too_late() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        job = await next_job(events)
        aux.others_block()
        result = await source.submit(solve(job))
        assert (result.status, result.block, result.aux) == (ShareStatus.ACCEPTED, True, "")
        assert "did not take its block at height 23: " in await notice(events, "did not take")

    play_on(PARENT, RecordedDogecoin(), play, timeout=5)


def test_an_aux_block_that_came_too_late_is_stale() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        job = await next_job(events)
        aux.others_block()
        result = await source.submit(solve_aux(job))
        assert result.status is ShareStatus.STALE
        assert result.reason in ("block hash unknown", "the aux chain moved on")

    play_on(PARENT | {"bits": HARD}, RecordedDogecoin(), play)


def test_aux_node_that_gives_no_work_yet_is_waited_for_while_the_parent_is_mined() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        text = await notice(events, "gives no work, mining without it")
        assert "getauxblock method is not yet available (error -1)" in text
        alone = await next_job(events)
        assert MAGIC not in alone.coinbase2
        await notice(events, "is well again")
        assert MAGIC in (await next_job(events)).coinbase2

    play_on(PARENT, RecordedDogecoin(early=2), play)


def test_aux_node_that_goes_away_stops_nobody() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        job = await next_job(events)
        await aux.__aexit__(None, None, None)
        assert "connection refused" in await notice(events, "mining without it")
        alone = await next_job(events)
        assert MAGIC not in alone.coinbase2 and not alone.clean
        assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED

    play_on(PARENT, RecordedDogecoin(), play)


def test_address_that_the_aux_node_refuses() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        with pytest.raises(SourceError, match=f"`aux` {aux.url}: `aux.coinbase_addr` DNotOfThisChain: .* no address"):
            await next_job(events)

    play_on(PARENT, RecordedDogecoin(), play, aux_addr="DNotOfThisChain")


def test_wrong_password_at_the_aux_node_is_said_at_once() -> None:
    aux = RecordedDogecoin()
    aux.answers("validateaddress", http("", "401 Unauthorized"))

    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        with pytest.raises(SourceError, match=f"`aux` {aux.url}: wrong RPC user or password"):
            await next_job(events)

    play_on(PARENT, aux, play)


def test_a_busy_aux_node_gets_its_block_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_in, "_FIRST_PAUSE", 0.01)

    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        job, first = await next_job(events), aux.block_hash
        busy = http("Work queue depth exceeded", "503 Service Unavailable")
        aux.answers("submitauxblock", [busy, busy, aux.judge])
        result = await source.submit(solve_aux(job))
        assert (result.status, result.aux) == (ShareStatus.ACCEPTED, first)
        assert "submitauxblock to be tried again" in await notice(events, "Work queue depth exceeded")

    play_on(PARENT | {"bits": HARD}, RecordedDogecoin(), play)


def test_an_aux_block_that_was_taken_and_forgotten_is_found_on_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer was lost. A node forgets the blocks that it gave out when its chain grows, be it by one of them."""
    monkeypatch.setattr(handing_in, "_FIRST_PAUSE", 0.01)

    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        job, first = await next_job(events), aux.block_hash

        async def lost(params: list[Any]) -> bytes | None:
            await aux.judge(params)
            return http("", "504 Gateway Time-out")

        async def header(params: list[Any]) -> bytes:
            assert params == [first]
            return ok({"hash": first, "confirmations": 1})

        aux.answers("submitauxblock", [lost, aux.judge])
        aux.answers("getblockheader", header)
        result = await source.submit(solve_aux(job))
        assert (result.status, result.aux) == (ShareStatus.ACCEPTED, first)
        assert len(aux.accepted) == 1

    play_on(PARENT | {"bits": HARD}, RecordedDogecoin(), play)


def test_refusals_that_repeat_are_told_once_and_then_counted() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        aux.answers("submitauxblock", ok(False))
        job = await next_job(events)
        for _ in range(12):
            assert (await source.submit(solve_aux(job))).status is ShareStatus.REJECTED
        aux.answers("submitauxblock", refusal(-1, "something else"))
        assert (await source.submit(solve_aux(job))).status is ShareStatus.REJECTED
        told = [await notice(events, "refused") for _ in range(2)] + [await notice(events, "something else")]
        words = "refused its block at height 23"
        assert [text.partition(f"{aux.url} ")[2] for text in told] == [
            f"{words}: it gave no reason", f"{words}, 10 times in a row: it gave no reason",
            f"{words}: the node says: something else (error -1)"]

    play_on(PARENT | {"bits": HARD}, RecordedDogecoin(), play)


def test_a_chain_that_is_proven_by_another_algorithm_is_not_mined_along() -> None:
    """Found out before anything is hashed, as with the parent."""
    aux = RecordedDogecoin()
    aux.answers("getblockheader", ok(BITCOIN))

    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        with pytest.raises(SourceError, match=f"`aux` {aux.url}: the blocks of this chain are proven by sha256d, so it "
                                              "can't be mined along with a chain whose blocks are proven by scrypt"):
            await next_job(events)

    play_on(PARENT, aux, play)


def test_a_new_block_of_the_aux_chain_is_seen_without_waiting_for_scan_time() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        async def newest(params: list[Any]) -> bytes:
            return ok(aux.tip)

        aux.answers("getbestblockhash", newest)
        await next_job(events)
        aux.others_block()
        job = await next_event(events, lambda event: isinstance(event, Job)
                               and bytes.fromhex(aux.block_hash) in event.coinbase2)
        assert not job.clean

    aux = RecordedDogecoin()
    aux.answers("getbestblockhash", ok(aux.tip))
    play_on(PARENT, aux, play, scan_time=1000.0)


def test_a_chain_is_not_mined_along_with_itself() -> None:
    async def play(source: NodeSource, events: Events, aux: RecordedDogecoin) -> None:
        with pytest.raises(SourceError, match="can't be mined along with itself.* chain id 98"):
            await next_job(events)

    play_on(recordings.template("dogecoin/getblocktemplate-h1797-with-tx.json"), RecordedDogecoin(), play)


def test_text_that_leaves_no_room_for_the_commitment_is_refused_at_the_start() -> None:
    config = {"url": "http://127.0.0.1:1/", "coinbase_addr": PAYEE, "coinbase_sig": "x" * 80}
    NodeSource(SourceConfig(**config))
    with pytest.raises(UsageError, match="shorten `coinbase_sig` by 45$"):
        NodeSource(SourceConfig(**config, aux=AuxConfig("http://127.0.0.1:2/", ADDRESS)))
