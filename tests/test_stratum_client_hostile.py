"""A stratum pool that means no good: what a source takes from it, and for how long."""

import asyncio
import json
import socket

from miner.core.model import Job, MinerReport
from miner.core.source import Disconnected, Notice, Traffic
from miner.front.report import Report
from stratum_pool import PASSWORD, Miner, Pool, next_of, source_of, within_limit
from stratum_samples import REGTEST_JOB


@within_limit
async def test_a_line_that_never_ends() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        while True:
            miner.say(b"x" * 65536)
            await miner.writer.drain()

    async with Pool(script) as pool, source_of(pool) as source:
        assert "longer than" in (await next_of(Disconnected, source.events())).reason


@within_limit
async def test_garbage_is_shown_once_and_then_the_connection_is_given_up() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        miner.say(b"HTTP/1.1 400 Bad Request\r\n" * 100)
        await miner.until_gone()

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        await next_of(Job, events)
        assert await anext(events) == Notice("ignored what the pool sent: a line is not JSON")
        assert isinstance(await anext(events), Disconnected)


@within_limit
async def test_a_pool_that_does_not_read() -> None:
    async def script(miner: Miner) -> None:
        miner.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await miner.let_in(REGTEST_JOB)
        miner.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with Pool(script) as pool, source_of(pool, hub=True) as source:
        events = source.events()
        await next_of(Job, events)
        lost = asyncio.create_task(next_of(Disconnected, events))
        report = MinerReport("avx2", 2, 1000, 500.5, "h" * 255)
        while not lost.done():
            for _ in range(1000):
                await source.report(report)
            await asyncio.sleep(0)
        assert (await lost).reason == "the pool does not read what we send"


@within_limit
async def test_messages_from_the_pool_are_shown_without_the_password() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        miner.protocol.show_message(f"hello {PASSWORD}")
        await miner.next()
        await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        assert await next_of(Notice, source.events()) == Notice("message from the pool: hello ***")


@within_limit
async def test_every_message_can_be_shown_and_never_the_password() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        miner.say(b'{"id": null, "method": "client.show_message", ')
        miner.say(b'"params": ["we know ' + PASSWORD.encode() + b'"]}\n\xff\x1b[2J\n')
        await miner.next_share()
        await miner.until_gone()

    seen: list[Traffic] = []
    async with Pool(script) as pool, source_of(pool, protocol_dump=True) as source:
        events = source.events()
        async for event in events:
            if isinstance(event, Job):
                submitting = asyncio.create_task(source.submit(event.work(b"abcd").share(5)))
            if isinstance(event, Traffic):
                seen.append(event)
                if "mining.submit" in event.text:
                    break
        submitting.cancel()
    assert [json.loads(event.text)["method"] for event in seen if event.sent] == [
        "mining.subscribe", "mining.authorize", "mining.extranonce.subscribe", "mining.submit"]
    assert json.loads(seen[2].text)["params"] == ["alice", "***"]
    assert json.loads(seen[1].text)["result"][1:] == ["aabbccdd", 4]
    assert '{"id": null, "method": "client.show_message", "params": ["we know ***"]}' in [event.text for event in seen]
    assert not any(PASSWORD in event.text for event in seen)
    assert Report().lines(Traffic(False, "{}\x1b[2J")) == ["< {} [2J"]
