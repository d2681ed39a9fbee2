"""The sandbox chain: checks blocks as a node would, and gives one every few seconds on any machine."""

import asyncio
import dataclasses
import random
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hub_players
from miner.core.algorithm import Algorithm, sha256d
from miner.core.header import build_header, merkle_root
from miner.core.model import Job, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, SourceEvent
from miner.core.target import expected_hashes, hash_value, nbits_to_target
from miner.sandbox import SandboxSource
from miner.sandbox import source as sandbox_source
from miner.sandbox.chain import EXTRANONCE_SIZE, MAX_FUTURE, VERSION, Chain
from miner.verify import proof_hash

SHA256D = Algorithm.parse("sha256d")
SCRYPT = Algorithm.parse("scrypt")
START = 1_700_000_000.0
WAIT = 30.0
FOUND = bytes(32)  # a proof of work for any target: what is checked here is everything else

Events = AsyncIterator[SourceEvent]


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


# The chain, without a pool in front of it


class Miner:
    """Builds the next block of a chain, right in every point, so that a test can break one."""

    def __init__(self, chain: Chain, ntime: int) -> None:
        template = chain.template()
        self.coinbase = template.coinbase1 + bytes(EXTRANONCE_SIZE) + template.coinbase2
        self.version, self.prev_hash, self.nbits, self.ntime = VERSION, template.prev_hash, template.nbits, ntime
        self.others = template.transactions

    @property
    def transactions(self) -> tuple[bytes, ...]:
        return (self.coinbase, *self.others)

    @property
    def header(self) -> bytes:
        root = merkle_root([sha256d(transaction) for transaction in self.transactions])
        return build_header(self.version, self.prev_hash, root, self.ntime, self.nbits)


def chain_of(algorithm: Algorithm = SHA256D, seed: int = 1) -> Chain:
    return Chain(algorithm, START, random.Random(seed))


def extend(chain: Chain, now: float) -> None:
    block = Miner(chain, max(int(now), chain.template().min_ntime))
    assert chain.connect(block.header, FOUND, block.transactions, now) == ""


def test_a_good_block_becomes_the_tip() -> None:
    chain = chain_of()
    block = Miner(chain, int(START) + 1)
    assert chain.connect(block.header, FOUND, block.transactions, START) == ""
    assert (chain.height, chain.tip) == (1, sha256d(block.header))
    assert chain.connect(block.header, FOUND, block.transactions, START) == "bad-prevblk"


def shorten(block: Miner) -> None:
    block.coinbase = block.coinbase[:-1]


def wrong_height(block: Miner) -> None:
    at = block.coinbase.index(b"\x51", 41)  # OP_1, the height
    block.coinbase = block.coinbase[:at] + b"\x52" + block.coinbase[at + 1 :]


@pytest.mark.parametrize(("broken", "reason"), [
    (lambda block: setattr(block, "prev_hash", bytes(32)), "bad-prevblk"),
    (lambda block: setattr(block, "nbits", 0x207FFFFF), "bad-diffbits"),
    (lambda block: setattr(block, "ntime", int(START) - 1), "time-too-old"),
    (lambda block: setattr(block, "ntime", int(START) + MAX_FUTURE + 1), "time-too-new"),
    (shorten, "bad-cb-length"),
    (wrong_height, "bad-cb-height"),
])
def test_a_broken_block_is_refused(broken: Callable[[Miner], None], reason: str) -> None:
    chain = chain_of()
    block = Miner(chain, int(START) + 1)
    broken(block)
    assert chain.connect(block.header, FOUND, block.transactions, START) == reason
    assert chain.height == 0


def test_the_merkle_root_covers_every_transaction() -> None:
    chain = chain_of()
    block = Miner(chain, int(START) + 1)
    for changed in (block.transactions[:-1], (*block.transactions, b"one more"),
                    (block.transactions[0], *reversed(block.others))):
        assert chain.connect(block.header, FOUND, changed, START) == "bad-txnmrklroot"
    assert chain.connect(block.header, FOUND, (), START) == "bad-blk-length"


def test_the_hash_must_meet_the_target_and_may_equal_it() -> None:
    chain = chain_of()
    block = Miner(chain, int(START) + 1)
    target = nbits_to_target(chain.nbits)
    above, equal = ((target + extra).to_bytes(32, "little") for extra in (1, 0))
    assert chain.connect(block.header, above, block.transactions, START) == "high-hash"
    assert chain.connect(block.header, equal, block.transactions, START) == ""


def test_times_must_exceed_the_median_of_the_last_eleven() -> None:
    chain = chain_of()
    times = [int(START) + 100 * step for step in (5, 1, 9, 3, 7, 11, 2, 8, 4, 10, 6)]
    for ntime in times:
        block = Miner(chain, ntime)
        if chain.check_time(ntime, START):
            block.ntime = times[0] = chain.template().min_ntime  # too old by now: the earliest allowed
        assert chain.connect(block.header, FOUND, block.transactions, START) == ""
    earliest = chain.template().min_ntime
    assert chain.check_time(earliest - 1, START) == "time-too-old"
    assert chain.check_time(earliest, START) == ""


@pytest.mark.parametrize("height", [1, 2, 16, 17, 127, 128, 255, 256, 32767, 32768])
def test_the_coinbase_names_its_height_as_bip_34_wants(height: int) -> None:
    chain = chain_of()
    chain.height = height - 1
    script = chain.template().coinbase1[42:]  # after version, count, outpoint, length
    if height <= 16:
        assert script[0] == 0x50 + height
    else:
        size = script[0]
        assert int.from_bytes(script[1 : 1 + size], "little", signed=True) == height
        assert script[size] or script[size - 1] & 0x80, "the shortest form"


@pytest.mark.parametrize("name, hashrate", [
    ("scrypt:65536", 4.0), ("scrypt:1048576", 1.0), ("scrypt", 300.0), ("scrypt", 2e6), ("sha256d", 1e5),
    ("sha256d", 1e8), ("sha256d", 1e11)])
def test_a_block_every_few_seconds_on_any_machine(name: str, hashrate: float) -> None:
    chain, luck, now = chain_of(Algorithm.parse(name)), random.Random(7), START
    gaps = []
    for _ in range(230):
        gap = luck.expovariate(hashrate / expected_hashes(nbits_to_target(chain.nbits)))
        now += gap
        gaps.append(gap)
        extend(chain, now)
    assert sum(gaps[:30]) < 240, "the start is quick"
    assert 2.5 < sum(gaps[30:]) / 200 < 6, "then a block every four seconds or so"


@given(st.lists(st.floats(-3000, 3000), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_the_target_moves_at_most_fourfold_whatever_the_clock_does(times: list[float]) -> None:
    chain = chain_of()
    for time in times:
        before = expected_hashes(nbits_to_target(chain.nbits))
        extend(chain, START + time)
        after = expected_hashes(nbits_to_target(chain.nbits))
        assert 0.249 < after / before < 4.01
        assert after > 60000, "never easier than the first block"


def test_a_clock_set_back_does_not_spoil_the_target() -> None:
    chain, now = chain_of(), START
    for _ in range(30):
        now += 4
        extend(chain, now)
    before = expected_hashes(nbits_to_target(chain.nbits))
    now -= 3600
    for _ in range(10):
        now += 4
        extend(chain, now)
    assert expected_hashes(nbits_to_target(chain.nbits)) < 4 * before


@given(st.integers(0, 1 << 32))
@settings(max_examples=30, deadline=None)
def test_every_chain_and_block_is_another_one(seed: int) -> None:
    chain = chain_of(seed=seed)
    assert chain.tip != chain_of(seed=seed + 1).tip
    first, second = chain.template(), chain.template()
    assert 2 <= len(first.transactions) <= 6
    assert len({*first.transactions, *second.transactions}) == len(first.transactions) + len(second.transactions)


# The pool in front of it


def solve(job: Job, extranonce2: int = 0, ntime: int | None = None, above: int = 0, most: int | None = None) -> Share:
    """A share whose hash is above one number and at most another (the network target unless given)."""
    return hub_players.solve(job, extranonce2, most or job.network_target, above, ntime=ntime)


async def next_job(events: Events) -> Job:
    async with asyncio.timeout(WAIT):
        async for event in events:
            if isinstance(event, Job):
                return event
    raise AssertionError("the source ended")


def play(action: Callable[[SandboxSource, Events, Clock], Awaitable[None]], algorithm: Algorithm = SHA256D,
         **options: float) -> None:
    async def main() -> None:
        clock = Clock()
        source = SandboxSource(algorithm, clock=clock, rng=random.Random(5), **options)  # type: ignore[arg-type]
        async with source, aclosing(source.events()) as events:  # type: ignore[type-var]
            await action(source, events, clock)

    asyncio.run(main())


def status(result: ShareResult) -> tuple[ShareStatus, str]:
    return result.status, result.reason.removeprefix("sandbox: ")


def test_it_is_named_for_what_it_is() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        assert source.label == "sandbox chain (embedded test chain, no value)"
        assert source.payee == "nobody (sandbox chain)"
        assert await anext(events) == Connecting("mining", source.label)
        job = await next_job(events)
        assert b"sandbox" in job.coinbase1 + job.coinbase2
        share = dataclasses.replace(job, job_id="nonsense").work(bytes(8)).share(0)
        assert (await source.submit(share)).reason.startswith("sandbox: ")

    play(action)


def test_blocks_follow_one_another() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        tip = b""
        for height in range(1, 4):
            job = await next_job(events)
            assert job.clean and job.height == height and (not tip or job.prev_hash == tip)
            clock.now += 4
            share = solve(job)
            result = await source.submit(share)
            assert (result.status, result.block) == (ShareStatus.ACCEPTED, True)
            assert source.height == height
            tip = sha256d(share.header)

    play(action)


def test_shares_that_are_no_blocks_count_too() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        job = await next_job(events)
        assert job.share_target > job.network_target
        easy = solve(job, above=job.network_target, most=job.share_target)
        result = await source.submit(easy)
        assert (result.status, result.block) == (ShareStatus.ACCEPTED, False)
        assert status(await source.submit(easy)) == (ShareStatus.REJECTED, "duplicate share")
        assert source.height == 0

    play(action)


def test_what_is_wrong_with_a_share_is_said() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        job = await next_job(events)
        late = solve(job, ntime=job.ntime + MAX_FUTURE + 60, most=job.share_target)
        early = solve(job, ntime=int(START) - 30, most=job.share_target)
        bad = solve(job, above=job.share_target, most=1 << 256)
        rejected = ShareStatus.REJECTED
        assert status(await source.submit(late)) == (rejected, "time-too-new")
        assert status(await source.submit(early)) == (rejected, "time-too-old")
        for _ in range(2):
            assert status(await source.submit(bad)) == (rejected, "low difficulty share")
        short = dataclasses.replace(bad, work=dataclasses.replace(bad.work, extranonce2=b"x"))
        assert status(await source.submit(short)) == (rejected, "extranonce2 must have 8 bytes")
        wild = dataclasses.replace(bad, nonce=1 << 32)
        assert status(await source.submit(wild)) == (rejected, "nonce, ntime and version must be 32-bit numbers")

    play(action)


def test_a_job_that_was_tampered_with_buys_nothing() -> None:
    """The source trusts its own copy of the job alone."""
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        job = await next_job(events)
        easier = dataclasses.replace(job, nbits=0x207FFFFF, share_target=1 << 255)
        result = await source.submit(solve(easier))
        assert status(result) == (ShareStatus.REJECTED, "low difficulty share")

    play(action)


def test_after_a_block_the_old_job_is_stale() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        job = await next_job(events)
        winner, loser = solve(job), solve(job, extranonce2=1)
        results = await asyncio.gather(source.submit(winner), source.submit(loser))
        assert [result.status for result in results] == [ShareStatus.ACCEPTED, ShareStatus.STALE]
        assert "block 1 was found already" in results[1].reason
        new = await next_job(events)
        assert (await source.submit(solve(new))).block
        unknown = dataclasses.replace(job, job_id="ffff").work(bytes(8)).share(0)
        assert status(await source.submit(unknown)) == (ShareStatus.STALE, "job not found")

    play(action)


def test_two_blocks_at_the_same_time_are_one() -> None:
    """Both hashes are being worked out while neither has won yet."""
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        job = await next_job(events)
        shares = [solve(job, extranonce2=number) for number in range(4)]
        results = await asyncio.gather(*(source.submit(share) for share in shares))
        assert sorted(result.status.value for result in results) == ["accepted", "stale", "stale", "stale"]
        assert source.height == 1

    play(action, Algorithm.parse("scrypt:16384"))


def test_the_time_is_refreshed_and_the_work_goes_on() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        first = await next_job(events)
        clock.now += 31
        second = await next_job(events)
        assert not second.clean and second.prev_hash == first.prev_hash and second.ntime == first.ntime + 31
        assert (await source.submit(solve(first, most=first.share_target))).status is ShareStatus.ACCEPTED

    play(action, refresh_seconds=0.01)


def test_the_chain_gets_easier_when_its_miners_leave() -> None:
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        job = await next_job(events)
        clock.now += 0.1
        assert (await source.submit(solve(job))).block
        hard = await next_job(events)
        eased = await next_job(events)
        assert eased.clean and eased.prev_hash == hard.prev_hash
        assert eased.network_target > hard.network_target
        result = await source.submit(solve(hard, most=hard.share_target))
        assert result.status is ShareStatus.STALE

    play(action, refresh_seconds=2.0)


def test_slow_hashes_are_worked_out_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def watched(algorithm: Algorithm, header: bytes) -> bytes:
        threads.append(threading.get_ident())
        return proof_hash(algorithm, header)

    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        await source.submit((await next_job(events)).work(bytes(8)).share(0))

    monkeypatch.setattr(sandbox_source, "proof_hash", watched)
    play(action, SCRYPT)
    assert len(threads) == 1 and threads[0] != threading.get_ident()


def test_closing_ends_the_events() -> None:
    async def main() -> None:
        source = SandboxSource(SHA256D)
        async with asyncio.timeout(WAIT):
            async for event in source.events():
                if isinstance(event, Job):
                    await source.aclose()
        await source.aclose()

    asyncio.run(main())


@given(st.binary(min_size=8, max_size=8), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
@settings(max_examples=50, deadline=None)
def test_no_share_upsets_it(extranonce2: bytes, nonce: int, ntime: int) -> None:
    """Whatever is submitted gets a verdict, and the chain only grows by blocks that meet the target."""
    async def action(source: SandboxSource, events: Events, clock: Clock) -> None:
        share = (await next_job(events)).work(extranonce2, ntime).share(nonce)
        result = await source.submit(share)
        met = hash_value(sha256d(share.header)) <= share.job.network_target
        assert result.status is not ShareStatus.STALE
        assert source.height == int(result.block) <= int(met)
        assert struct.unpack("<I", share.header[68:72]) == (ntime,)

    play(action)
