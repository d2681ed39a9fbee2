"""What a real node won't do on demand, and nodes that were only recorded (Dogecoin Core, Bitcoin SV, Bitcoin Knots)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

import recordings
from miner.config import SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import SourceError
from miner.core.model import Job, ShareStatus
from miner.core.source import Connecting, Disconnected
from miner.node import client, handing_in, http_answer, polling, solved
from miner.node.client import NodeSource
from node.faulty import ScriptedNode, http, ok, refusal
from node.mining import WAIT, Events, next_event, next_job, solve

PAYEE = "mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"
SCRIPT = "76a914be8b3b8b0c0f5c6b8b5b5b5b5b5b5b5b5b5b5b5b88ac"
VALID = ok({"isvalid": True, "address": PAYEE, "scriptPubKey": SCRIPT})
TEMPLATE = recordings.template("dogecoin/getblocktemplate-h1797-with-tx.json")
POLLED = {name: value for name, value in TEMPLATE.items() if name != "longpollid"}
SCRYPT = Algorithm.parse("scrypt")


async def silence(params: list[Any]) -> bytes | None:
    await asyncio.sleep(3600)
    return None


def run(answers: dict[str, Any], play: Callable[[NodeSource, Events, ScriptedNode], Awaitable[None]],
        **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * WAIT), ScriptedNode({"validateaddress": VALID} | answers) as node:
            config = SourceConfig(url=node.url, coinbase_addr=settings.pop("coinbase_addr", PAYEE),
                                  retry_pause=0.01, **settings)
            async with NodeSource(config) as source, aclosing(source.events()) as events:  # type: ignore[type-var]
                await play(source, events, node)

    asyncio.run(main())


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_in, "_FIRST_PAUSE", 0.01)


@pytest.mark.parametrize("name", recordings.TEMPLATES)
def test_recorded_nodes_get_their_blocks(name: str) -> None:
    """The right block for each chain, as far as a recording can tell: header, count, coinbase, transactions, mweb."""
    template = recordings.template(name)
    algorithm = SCRYPT if "bitcoin" not in name else Algorithm.parse("sha256d")

    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        share = job.work(bytes(8)).share(3)
        assert (await source.submit(share)).status is ShareStatus.ACCEPTED
        method, (block,) = next(call for call in node.calls if call[0] == "submitblock")
        assert block.startswith(share.header.hex() + f"{1 + len(template['transactions']):02x}01000000")
        assert ("01000000" "0001" "01" in block[160:180]) is ("!segwit" in template.get("rules", []))
        assert block.endswith("".join(t["data"] for t in template["transactions"])
                              + ("01" + template["mweb"] if "mweb" in template else ""))
        assert SCRIPT in block

    run({"getblocktemplate": [ok(template), silence], "submitblock": ok(None)}, play, algorithm=algorithm)


def test_block_that_the_node_would_refuse_is_not_mined() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        with pytest.raises(SourceError, match="would refuse every block of ours: bad-cb-length: .*`coinbase_sig`"):
            await next_job(events)

    run({"getblocktemplate": ok(TEMPLATE), "proposal": ok("bad-cb-length")}, play)


@pytest.mark.parametrize("said", [ok("inconclusive-not-best-prevblk"), ok("duplicate-inconclusive"),
                                  refusal(-8, "Invalid mode")])
def test_proposal_that_says_nothing_against_us_stops_nobody(said: bytes) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        (request,) = next(params for method, params in node.calls if method == "proposal")
        assert request["data"][8:72] == job.prev_hash.hex()

    run({"getblocktemplate": ok(TEMPLATE), "proposal": said}, play)


def test_workid_goes_back_with_the_block() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        await source.submit(solve(await next_job(events)))
        assert next(params[1:] for method, params in node.calls if method == "submitblock") == [{"workid": "w7"}]

    run({"getblocktemplate": [ok(TEMPLATE | {"workid": "w7"}), silence], "submitblock": ok(None)}, play)


@pytest.mark.parametrize("said", ["duplicate", None])
def test_block_whose_answer_was_lost_is_handed_in_again(said: str | None) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert (result.status, result.block) == (ShareStatus.ACCEPTED, True)
        assert node.count("submitblock") in (3, 4)

    run({"getblocktemplate": [ok(TEMPLATE), silence],
         "submitblock": [b"", b"", refusal(-28, "Loading wallet..."), ok(said)]}, play)


def test_duplicate_at_the_first_time_is_no_success() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert (result.status, result.reason) == (ShareStatus.REJECTED, "duplicate")

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": ok("duplicate")}, play)


def test_share_without_a_verdict_is_stale_and_says_why() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert result.status is ShareStatus.STALE
        assert result.reason == f"no answer: {node.url}: the connection was closed without an answer"
        assert node.count("submitblock") in (3, 4)  # a connection that rested may have been closed: that is no try

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": b""}, play, retries=2)


def test_error_instead_of_a_verdict_is_shown() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        result = await source.submit(solve(await next_job(events)))
        assert result.status is ShareStatus.REJECTED
        assert "Block decode failed (error -22)" in result.reason

    run({"getblocktemplate": [ok(TEMPLATE), silence], "submitblock": refusal(-22, "Block decode failed")}, play)


def test_silent_node_is_noticed() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
        assert trouble.reason == f"{node.url} does not answer"
        assert (await next_job(events)).height == 1797

    run({"getblocktemplate": [silence, ok(POLLED)]}, play, timeout=0.2)


def test_job_from_before_a_lost_contact_still_makes_a_block_on_the_same_tip() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        await next_event(events, lambda event: isinstance(event, Disconnected))
        again = await next_job(events)
        assert again.clean and again.prev_hash == job.prev_hash
        assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED

    run({"getblocktemplate": [ok(POLLED), b"", b"", ok(POLLED), silence], "submitblock": ok(None)}, play,
        scan_time=0.05)


def test_a_chain_that_drops_our_block_at_once_takes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node crashed before it gave work on that block: its work is on the previous hash of before."""
    monkeypatch.setattr(solved, "_DROPPED_SECONDS", 0.05)
    monkeypatch.setattr(polling, "REFRESH_SECONDS", 0.05)

    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED
        assert (await source.submit(solve(job, 2))).status is ShareStatus.STALE
        await next_job(events)
        asked = node.count("getblocktemplate")
        while node.count("getblocktemplate") < asked + 10:
            await asyncio.sleep(0.01)
        assert (await source.submit(solve(job, 3))).status is ShareStatus.ACCEPTED

    run({"getblocktemplate": ok(POLLED), "submitblock": ok(None)}, play, scan_time=0.05)


def test_says_how_far_the_initial_download_is() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
        assert trouble.reason.endswith("waiting for blocks... (error -10) (initial block download: 43%)")
        await next_job(events)

    downloading = refusal(-10, "Bitcoin is in initial sync and waiting for blocks...")
    run({"getblocktemplate": [downloading, ok(TEMPLATE), silence],
         "getblockchaininfo": ok({"verificationprogress": 0.4319})}, play)


def test_pauses_between_tries_grow_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_RETRY_PAUSE", 0.04)

    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        pauses = [(await next_event(events, lambda event: isinstance(event, Disconnected))).retry_seconds
                  for _ in range(6)]
        for pause, least in zip(pauses, (0.01, 0.02, 0.04, 0.04, 0.04, 0.04), strict=True):
            assert least <= pause <= 1.25 * least

    run({"getblocktemplate": refusal(-9, "not connected")}, play)


@pytest.mark.parametrize("answer", [
    refusal(-28, "Loading block index..."), http("Work queue depth exceeded", "503 Service Unavailable"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{", b""])
def test_passing_troubles_pass(answer: bytes) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        assert isinstance(await anext(events), Connecting)
        trouble = await anext(events)
        assert isinstance(trouble, Disconnected) and trouble.retry_seconds < 1
        assert (await next_job(events)).clean

    # A connection that is closed without a word is tried once more: it may have rested for too long.
    run({"getblocktemplate": [answer] * (1 + (not answer)) + [ok(TEMPLATE), silence]}, play)


@pytest.mark.parametrize(("answer", "complaint"), [
    (refusal(-8, "call with {\"rules\": [\"quantum\"]}"), "quantum.*asked with the rules mweb, segwit, signet"),
    (refusal(-32601, "Method not found"), "does not offer getblocktemplate or getwork"),
    (http("<html>", "403 Forbidden"), "rpcallowip"),
    (http("<html>Welcome</html>"), "is this really a node's RPC port"),
    (ok({"capabilities": []}), "the template has no bits"),
    (ok(TEMPLATE | {"coinbaseaux": {"flags": "00" * 99}}), "the node's part is too long"),
])
def test_troubles_that_no_waiting_cures(answer: bytes, complaint: str) -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        with pytest.raises(SourceError, match=complaint):
            await next_job(events)
        assert node.count("getblocktemplate") == 1

    run({"getblocktemplate": answer}, play)


@pytest.mark.parametrize("answer", [
    http("", "401 Unauthorized"), http("", "403 Forbidden"), http("<html>gone</html>", "404 Not Found"),
    http("<html>back soon</html>"), refusal(-32601, "Method not found"), ok({}),
])
def test_what_would_be_for_good_at_first_passes_once_there_was_work(answer: bytes) -> None:
    """A node that is started again with another login for a while, or a proxy before it. The block that was found
    meanwhile is not lost with it."""
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
        assert trouble.retry_seconds < 1
        handing_in = asyncio.create_task(source.submit(solve(job)))
        while node.count("submitblock") < 2:
            await asyncio.sleep(0.01)
        node.answers("getblocktemplate", [ok(POLLED), silence])
        node.answers("submitblock", ok(None))
        assert (await next_job(events)).clean
        assert (await handing_in).status is ShareStatus.ACCEPTED

    run({"getblocktemplate": [ok(POLLED), answer], "submitblock": http("", "401 Unauthorized")}, play, scan_time=0.05)


def test_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_answer, "MAX_ANSWER_SIZE", 1 << 20)

    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        with pytest.raises(SourceError, match="the answer is longer than 1 MiB"):
            await next_job(events)

    run({"getblocktemplate": http("x" * (1 << 21))}, play)


def test_failing_long_poll_is_replaced_by_asking_again() -> None:
    """A proxy that cuts long polls off: no trouble is reported, and the next tip is found all the same."""
    moved = TEMPLATE | {"previousblockhash": "11" * 32}

    async def template(params: list[Any]) -> bytes:
        if "longpollid" in params[0]:
            return http("<html>", "504 Gateway Timeout")
        asked.append(params)
        return ok(TEMPLATE if len(asked) < 4 else moved)

    asked: list[Any] = []

    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        seen = [await anext(events) for _ in range(4)]
        assert [type(event) for event in seen] == [Connecting, Connecting, Job, Job]
        assert isinstance(seen[3], Job) and seen[3].clean

    run({"getblocktemplate": template}, play, scan_time=0.05)


@pytest.mark.parametrize(("offered", "polled"), [("/poll?id=7", {"/poll?id=7"}), ("http://127.0.0.2/poll", set())])
def test_long_poll_goes_where_the_template_says_but_to_no_other_host(offered: str, polled: set[str]) -> None:
    template = TEMPLATE | {"longpolluri": offered}
    moved = template | {"previousblockhash": "11" * 32}

    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        first = await next_job(events)
        await next_job(events, after=first.prev_hash)
        assert {path for path, (method, params) in zip(node.paths, node.calls, strict=True)
                if method == "getblocktemplate" and "longpollid" in params[0]} == polled

    run({"getblocktemplate": [ok(template), ok(moved), silence]}, play, scan_time=0.05)


def test_long_poll_that_never_waits_is_not_asked_in_a_loop() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        await next_job(events)
        while node.count("getblocktemplate") < 2:  # the first, and one long poll
            await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await next_job(events)
        assert node.count("getblocktemplate") == 2

    run({"getblocktemplate": ok(TEMPLATE)}, play, scan_time=60.0)


def test_node_that_can_not_say_the_script_leaves_it_to_the_address() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        job = await next_job(events)
        assert bytes.fromhex("76a914") in job.coinbase2 and bytes.fromhex("88ac") in job.coinbase2

    run({"getblocktemplate": [ok(TEMPLATE), silence], "validateaddress": refusal(-32601, "Method not found")}, play)


def test_no_template_fits_an_address_that_nobody_can_decode() -> None:
    async def play(source: NodeSource, events: Events, node: ScriptedNode) -> None:
        with pytest.raises(SourceError, match="checksum"):
            await next_job(events)

    run({"validateaddress": refusal(-32601, "Method not found")}, play, coinbase_addr=PAYEE[:-1] + "H")
