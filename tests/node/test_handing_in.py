"""A block is handed in until it is clear what became of it, whatever passing trouble is in the way."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

import recordings
from hub_players import TOKEN
from miner.config import SourceConfig
from miner.core.model import Job, ShareStatus
from miner.core.source import Notice
from miner.hub import Hub, HubConfig
from miner.node import handing_in
from miner.node.client import NodeSource
from miner.stratum.client import StratumSource
from node.faulty import ScriptedNode, http, ok, refusal
from node.mining import SHA256D, WAIT, Events, next_event, next_job, solve

PAYEE = "mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"
VALID = ok({"isvalid": True, "scriptPubKey": "51"})
TEMPLATE = recordings.template("dogecoin/getblocktemplate-h1797-with-tx.json")
MOVED = TEMPLATE | {"previousblockhash": "11" * 32}
FULL = "Work queue depth exceeded"
WORK = {"data": "00" * 72 + "207fffff" + "00" * 52, "target": "ff" * 32}

Play = Callable[[NodeSource, Events, ScriptedNode], Awaitable[None]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_in, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(handing_in, "_LONGEST_PAUSE", 0.05)


async def silence(params: list[Any]) -> bytes | None:
    await asyncio.sleep(3600)
    return None


def run(answers: dict[str, Any], play: Play, **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * WAIT), ScriptedNode({"validateaddress": VALID} | answers) as node:
            config = SourceConfig(**({"url": node.url, "coinbase_addr": PAYEE, "retry_pause": 0.01} | settings))
            async with NodeSource(config) as source, aclosing(source.events()) as events:  # type: ignore[type-var]
                await play(source, events, node)

    asyncio.run(main())


def json_refusal(status: str, message: str) -> bytes:
    return refusal(-1, message).replace(b"500 Internal Server Error", status.encode())


PASSING = {
    "500 with a full queue, as Core 0.21": (http(FULL, "500 Internal Server Error"), FULL),
    "503 with a full queue, as Core today": (http(FULL, "503 Service Unavailable"), FULL),
    "502 of a proxy": (http("<html><title>x</title><body><h1>the backend is away</h1>", "502 Bad Gateway"),
                       "the backend is away"),
    "504 of a proxy": (http("", "504 Gateway Time-out"), "504 Gateway Time-out"),
    "429": (http("slow down", "429 Too Many Requests"), "slow down"),
    "429 with JSON": (json_refusal("429 Too Many Requests", "slow down"), "slow down"),
    "a full queue said in JSON": (refusal(-1, FULL), FULL),
    "401": (http("", "401 Unauthorized"), "401"),
    "403 of a proxy": (http("", "403 Forbidden"), "403"),
    "404 of a proxy": (http("<html>nothing here</html>", "404 Not Found"), "nothing here"),
    "a page of a proxy": (http("<html>back soon</html>"), "back soon"),
    "warming up": (refusal(-28, "Loading wallet..."), "Loading wallet..."),
    "not connected": (refusal(-9, "Bitcoin is not connected!"), "Bitcoin is not connected!"),
    "closed without a word": (b"", "closed without an answer"),
    "closed in the middle": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{", "in the middle"),
}


@pytest.mark.parametrize(("passing", "words"), PASSING.values(), ids=PASSING.keys())
def test_a_block_outlives_passing_trouble(passing: bytes, words: str) -> None:
    """Three times it stands in the way (a connection that was closed as it rested is no try), told once."""
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert (result.status, result.block) == (ShareStatus.ACCEPTED, True), result.reason
        assert node.count("submitblock") == 4
        notice = await next_event(events, lambda event: isinstance(event, Notice))
        assert notice.text.startswith("submitblock to be tried again: ") and words in notice.text
        assert not [event for event in await told_so_far(events) if isinstance(event, Notice)]

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": [passing] * 3 + [ok(None)]}, play)


async def told_so_far(events: Events) -> list[object]:
    told: list[object] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            while True:
                told.append(await anext(events))
    return told


@pytest.mark.parametrize(("passing", "words"), PASSING.values(), ids=PASSING.keys())
def test_retries_says_stop_and_the_reason_is_the_answers_own(passing: bytes, words: str) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert result.status is ShareStatus.STALE and words in result.reason

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": passing}, play, retries=2)


def test_the_first_try_is_not_a_retry() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert result.status is ShareStatus.STALE and FULL in result.reason
        assert node.count("submitblock") == 1

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": http(FULL, "503 Busy")}, play, retries=0)


@pytest.mark.parametrize("verdict", [refusal(-22, "Block decode failed"), ok("high-hash"),
                                     http("too large", "413 Payload Too Large")])
def test_what_means_something_is_asked_once(verdict: bytes) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        assert (await source.submit(solve(await next_job(events)))).status is ShareStatus.REJECTED
        assert node.count("submitblock") == 1

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": verdict}, play)


def test_a_silent_node_is_asked_again() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert result.status is ShareStatus.ACCEPTED

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": [silence, ok("duplicate")]}, play, timeout=0.5)


def test_it_ends_when_the_chain_has_moved_past_the_block() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        handing_in = asyncio.create_task(source.submit(solve(job)))
        while node.count("submitblock") < 5:
            await asyncio.sleep(0.01)
        node.answers("getblocktemplate", [ok(MOVED), silence])
        assert (await next_job(events, after=job.prev_hash)).clean
        result = await handing_in
        assert result.status is ShareStatus.STALE and FULL in result.reason

    polled = {name: value for name, value in TEMPLATE.items() if name != "longpollid"}
    run({"getblocktemplate": ok(polled), "submitblock": http(FULL, "503 Busy")}, play, scan_time=0.05)


def test_a_block_that_was_taken_counts_though_the_chain_has_gone_on() -> None:
    """The answer was lost, and the next template came before it could be asked again."""
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)

        async def taken(params: list[Any]) -> bytes | None:
            node.answers("getblocktemplate", [ok(MOVED), silence])
            await next_job(events, after=job.prev_hash)
            return None

        node.answers("submitblock", [taken, ok("duplicate")])
        assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED

    polled = {name: value for name, value in TEMPLATE.items() if name != "longpollid"}
    run({"getblocktemplate": ok(polled)}, play, scan_time=0.05)


def test_a_source_that_is_closed_goes_on_for_a_few_tries_alone() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        handing_in = asyncio.create_task(source.submit(solve(await next_job(events))))
        while node.count("submitblock") < 1:
            await asyncio.sleep(0.01)
        await source.aclose()
        assert (await handing_in).status is ShareStatus.STALE

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": http(FULL, "503 Busy")}, play)


@pytest.mark.parametrize("again", [ok(True), ok(False).replace(b"\r\n", b"\r\nX-Reject-Reason: duplicate\r\n", 1)])
def test_by_getwork(again: bytes) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        node.answers("getwork", [http(FULL, "503 Busy"), http("", "502 Bad Gateway"), again])
        assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED

    run({"getwork": ok(WORK)}, play, gbt=False, scan_time=1e6)


def test_by_getwork_a_block_that_was_taken_is_known_by_the_work_that_follows() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        share = solve(await next_job(events))
        block = SHA256D.hash(share.header)
        words = b"".join(block[at:at + 4][::-1] for at in range(0, 32, 4)).hex()
        following = WORK | {"data": "00" * 4 + words + "00" * 36 + "207fffff" + "00" * 52}
        node.answers("getwork", [http(FULL, "503 Busy"), ok(False), ok(following)])
        assert (await source.submit(share)).status is ShareStatus.ACCEPTED

    run({"getwork": ok(WORK)}, play, gbt=False, scan_time=1e6)


def test_through_the_hub() -> None:
    """The miner at the hub gets the verdict that comes in the end."""
    async def main() -> None:
        answers = {"validateaddress": VALID, "getblocktemplate": [ok(TEMPLATE), silence],
                   "submitblock": [http(FULL, "503 Busy")] * 3 + [ok(None)]}
        async with asyncio.timeout(2 * WAIT), ScriptedNode(answers) as node:
            source = NodeSource(SourceConfig(url=node.url, coinbase_addr=PAYEE))
            async with Hub(source, HubConfig(token=TOKEN)) as hub:
                host, port = await hub.start()
                config = SourceConfig(url=f"stratum+tcp://{host}:{port}", username="alice", password=TOKEN)
                async with StratumSource(config) as miner, aclosing(miner.events()) as events:  # type: ignore[type-var]
                    job: Job = await next_event(events, lambda event: isinstance(event, Job))
                    result = await miner.submit(solve(job))
                    assert result.status is ShareStatus.ACCEPTED, result.reason
                assert node.count("submitblock") == 4
                assert hub.snapshot().blocks == 1

    asyncio.run(main())
