"""How NodeSource behaves on a real Litecoin Core: news, refusals, payees, credentials, the end."""

import asyncio
import dataclasses
import hmac
import logging
import re
import time

import pytest

from miner.core.errors import SourceError, UsageError
from miner.core.model import Job, ShareStatus
from miner.core.source import Connecting, Disconnected, Notice
from miner.node import client, polling
from miner.node.client import NodeSource
from node.litecoind import Litecoind
from node.mining import NEVER, WAIT, Events, config_for, mine, next_event, next_job, run, solve


def rights(username: str, password: str, methods: str) -> str:
    """Lines for a user who may call these methods alone."""
    proof = hmac.new(b"salt", password.encode(), "sha256").hexdigest()
    return f"rpcauth={username}:salt${proof}\nrpcwhitelist={username}:{methods}\nrpcwhitelistdefault=0\n"


def test_others_blocks_are_seen(no_refresh: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            assert await anext(events) == Connecting("getblocktemplate", node.url)
            first = await next_job(events)
            assert first.clean and first.height == 1
            for height in (2, 3):
                await asyncio.to_thread(node.generate, 1)
                job = await next_job(events)
                assert job.clean and job.height == height

        run(config_for(node, scan_time=NEVER), play)


def test_user_who_may_not_ask_for_the_newest_block_gets_templates_every_scan_time(no_refresh: None) -> None:
    methods = "getblocktemplate,submitblock,validateaddress"
    with Litecoind(mweb=False, more=rights("guest", "sesame", methods)) as node:
        async def play(source: NodeSource, events: Events) -> None:
            notice = await next_event(events, lambda event: isinstance(event, Notice))
            assert re.search("not permit getbestblockhash.*-rpcwhitelist.*every 0.1 seconds", notice.text)
            first = await next_job(events)
            await asyncio.to_thread(node.generate, 1)
            second = await anext(events)
            assert isinstance(second, Job) and second.clean and second.prev_hash != first.prev_hash

        run(config_for(node, username="guest", password="sesame", scan_time=0.1), play)


def test_new_template_at_once_after_a_block_of_ours(no_news: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 5)

        run(config_for(node, scan_time=NEVER), play)
        assert node.height == 5


def test_new_transactions_and_a_later_time_make_jobs_that_restart_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "REFRESH_SECONDS", 1.0)
    with Litecoind(mweb=False) as node:
        node.generate(101)

        async def play(source: NodeSource, events: Events) -> None:
            first = await next_job(events)
            again = await next_job(events)
            assert not again.clean and again.job_id != first.job_id
            assert (again.prev_hash, again.merkle_branch) == (first.prev_hash, ()) and again.ntime >= first.ntime
            await asyncio.to_thread(node.send, node.address, 1)
            richer = await next_event(events, lambda event: isinstance(event, Job) and event.merkle_branch != ())
            assert not richer.clean and richer.prev_hash == first.prev_hash
            # An older job on the same tip still makes a block.
            assert (await source.submit(solve(first))).status is ShareStatus.ACCEPTED

        run(config_for(node), play)
        assert node.height == 102


def test_second_block_on_a_tip_is_stale_and_never_handed_in(no_news: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            job = await next_job(events)
            results = await asyncio.gather(*(source.submit(solve(job, extranonce2)) for extranonce2 in range(3)))
            late = (ShareStatus.STALE.name, "the chain moved on")
            assert sorted((one.status.name, one.reason) for one in results) == [("ACCEPTED", ""), late, late]
            await next_job(events, after=job.prev_hash)
            last = await source.submit(solve(job, 9))
            assert (last.status.name, last.reason) == late

        run(config_for(node), play)
        assert node.height == 1
        assert len(node.rpc("getchaintips")) == 1  # the node has seen one block


def test_node_says_what_is_wrong_with_a_block(no_news: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            job = await next_job(events)
            refused = {
                "high-hash": solve(job, meets_target=False),
                "time-too-new": solve(job, ntime=int(time.time()) + 3 * 3600),
                "bad-txnmrklroot": solve(dataclasses.replace(job, merkle_branch=(bytes(32),))),
            }
            for reason, share in refused.items():
                result = await source.submit(share)
                assert (result.status, result.reason) == (ShareStatus.REJECTED, reason)
            assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED

        run(config_for(node), play)


def test_block_that_lost_the_race_is_stale(no_news: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            job = await next_job(events)
            await asyncio.to_thread(node.generate, 1)
            result = await source.submit(solve(job))
            assert (result.status, result.reason) == (ShareStatus.STALE, "inconclusive")
            assert (await next_job(events)).height == 2  # and it asks what has happened

        run(config_for(node, scan_time=NEVER), play)


def test_block_on_a_tip_that_the_node_has_given_up_is_stale(no_news: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            first = await next_job(events)
            await source.submit(solve(first))
            job = await next_job(events, after=first.prev_hash)
            await asyncio.to_thread(node.rpc, "invalidateblock", node.rpc("getbestblockhash"))
            result = await source.submit(solve(job))
            assert (result.status, result.reason) == (ShareStatus.STALE, "bad-prevblk")

        run(config_for(node, scan_time=NEVER), play)


def test_goes_on_when_the_node_takes_back_a_block_of_ours(no_refresh: None) -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            first = await next_job(events)
            await source.submit(solve(first))
            await next_job(events, after=first.prev_hash)
            await asyncio.to_thread(node.rpc, "invalidateblock", node.rpc("getbestblockhash"))
            again = await next_job(events)
            assert again.prev_hash == first.prev_hash
            assert (await source.submit(solve(again, 5))).status is ShareStatus.ACCEPTED

        run(config_for(node, longpoll=False, scan_time=0.1), play)


def test_two_sources_never_hash_the_same_coinbase() -> None:
    with Litecoind(mweb=False) as node:
        jobs: list[Job] = []

        async def play(source: NodeSource, events: Events) -> None:
            jobs.append(await next_job(events))

        run(config_for(node), play)
        run(config_for(node), play)
        assert len({job.extranonce1 for job in jobs}) == 2
        assert jobs[0].extranonce2_size == 8


def test_waits_for_a_node_without_peers_and_says_why() -> None:
    with Litecoind(mweb=False, peer=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
            assert "Litecoin Core is not connected! (error -9)" in trouble.reason
            assert "peer" in trouble.reason and trouble.retry_seconds >= 0.1
            await asyncio.to_thread(node.connect_peer)
            assert (await next_job(events)).height == 1

        run(config_for(node, retry_pause=0.1), play)


def test_says_why_a_node_with_old_blocks_gives_no_work() -> None:
    """It believes to be in its initial download, of which nothing is missing."""
    with Litecoind(mweb=False, old_blocks=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
            assert re.search("is in initial sync .*error -10.: its newest block is old;.* -maxtipage=", trouble.reason)
            await asyncio.to_thread(node.generate, 1)
            assert (await next_job(events)).height == 2

        run(config_for(node, retry_pause=0.1), play)


def test_gives_up_after_so_many_retries() -> None:
    with Litecoind(mweb=False, peer=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            seen: list[type] = []

            def note(event: object) -> bool:
                seen.append(type(event))
                return False

            with pytest.raises(SourceError, match="not connected.*gave up after 2 retries"):
                await next_event(events, note)
            assert seen == [Connecting, Disconnected, Connecting, Disconnected, Connecting]

        run(config_for(node, retry_pause=0.05, retries=2), play)


def test_notices_that_the_node_went_away() -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            job = await next_job(events)
            await asyncio.to_thread(node.stop)
            await next_event(events, lambda event: isinstance(event, Disconnected)
                             and "connection refused" in event.reason)
            result = await source.submit(solve(job))
            assert result.status is ShareStatus.STALE and "connection refused" in result.reason

        run(config_for(node, retry_pause=0.05, scan_time=0.1, retries=1), play)


def test_outlives_the_nodes_crash_and_the_loss_of_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_RETRY_PAUSE", 1.0)  # pauses that grew while the node starts would outlast a test
    monkeypatch.setattr(polling, "REFRESH_SECONDS", 0.1)  # a node without peers still tells its newest block
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            async def trouble_that_says(words: str) -> None:
                await next_event(events, lambda event: isinstance(event, Disconnected) and words in event.reason)

            await mine(source, events, 3)
            await asyncio.to_thread(node.kill)
            await trouble_that_says("connection refused")
            await asyncio.to_thread(node.start_again)
            await trouble_that_says("is not connected")
            await asyncio.to_thread(node.connect_peer)
            job = await next_job(events)
            assert job.clean and (await source.submit(solve(job))).status is ShareStatus.ACCEPTED
            await asyncio.to_thread(node.disconnect_peer)
            await trouble_that_says("is not connected")
            await asyncio.to_thread(node.connect_peer)
            await mine(source, events, 3)

        run(config_for(node, retry_pause=0.05, scan_time=0.1), play)


@pytest.mark.parametrize(("kind", "complaint"), [
    ("mweb", "can't pay an MWEB address"), ("", "no address of its chain"),
])
def test_refuses_addresses_that_a_block_can_not_pay(kind: str, complaint: str) -> None:
    with Litecoind(mweb=False) as node:
        address = node.new_address(kind) if kind else "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"

        async def play(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match=f"`coinbase_addr` {address[:20]}.*: .*{complaint}"):
                await next_job(events)

        run(config_for(node, coinbase_addr=address), play)


def test_wrong_password_is_said_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    with Litecoind(mweb=False) as node, caplog.at_level(logging.DEBUG):
        async def play(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match="wrong RPC user or password") as caught:
                await next_job(events)
            said = f"{caught.value!r} {source.label} {source.payee} {source!r} {caplog.text}"
            assert "sesame" not in said

        run(config_for(node, password="sesame"), play)
        url = f"http://{node.username}:sesame@127.0.0.1:{node.rpc_port}/"
        run(config_for(node, url=url, username="", password=""), play)


def test_user_who_may_not_call_what_is_needed() -> None:
    with Litecoind(mweb=False, more=rights("guest", "sesame", "getblocktemplate")) as node:
        async def play(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match="the node does not permit it: .*-rpcwhitelist"):
                await next_job(events)

        run(config_for(node, username="guest", password="sesame"), play)


def test_credentials_in_the_url_serve_too() -> None:
    with Litecoind(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            assert source.label == node.url
            await next_job(events)

        url = f"http://{node.username}:{node.password}@127.0.0.1:{node.rpc_port}"
        run(config_for(node, url=url, username="", password=""), play)


def test_refuses_to_start_without_somebody_to_pay() -> None:
    with Litecoind(mweb=False) as node:
        with pytest.raises(UsageError, match="`coinbase_addr=ADDRESS`"):
            NodeSource(config_for(node, coinbase_addr=""))
        with pytest.raises(UsageError, match="shorten `coinbase_sig` by 1$"):
            NodeSource(config_for(node, coinbase_sig="x" * 81))


@pytest.mark.parametrize("from_outside", [True, False])
def test_stops_while_it_waits_for_news(from_outside: bool) -> None:
    with Litecoind(mweb=False) as node:
        async def main() -> None:
            source = NodeSource(config_for(node))
            seen: list[object] = []
            first = asyncio.Event()

            async def consume() -> None:
                async for event in source.events():
                    seen.append(event)
                    if isinstance(event, Job):
                        first.set()

            task = asyncio.create_task(consume())
            async with asyncio.timeout(WAIT):
                await first.wait()
                if from_outside:
                    await source.aclose()
                    await task
                else:
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                await source.aclose()
                await source.aclose()
                left = asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task}
                assert not left or not (await asyncio.wait(left, timeout=WAIT))[1]  # asyncio's own, on their way out
                job = next(event for event in seen if isinstance(event, Job))
                assert (await source.submit(solve(job))).status is ShareStatus.STALE

        asyncio.run(main())
        assert node.height == 0
