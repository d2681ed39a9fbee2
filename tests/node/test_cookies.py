"""Logging in with the cookie that a node writes anew each time it starts."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from commands import interrupt, running, wait_for
from miner.config import AuxConfig, SourceConfig
from miner.core.errors import SourceError, UsageError
from miner.core.model import ShareStatus
from miner.core.source import Disconnected, Notice
from miner.node import client, handing_in
from miner.node.client import NodeSource
from node.faulty import ScriptedNode, http, ok
from node.litecoind import Litecoind
from node.mining import Events, config_for, mine, next_event, next_job, run, solve


class CookieNode(Litecoind):
    """It has no rpcuser and rpcpassword: whoever can read its data directory may log in."""

    def config(self) -> str:
        return re.sub(r"(?m)^rpc(user|password)=.*\n", "", super().config())

    @property
    def cookie(self) -> Path:
        return self.datadir / "regtest" / ".cookie"

    def rpc(self, method: str, *params: object, **how: Any) -> Any:
        self.username, _, self.password = self.cookie.read_text().partition(":")
        return super().rpc(method, *params, **how)


def by_cookie(node: CookieNode, path: Path, **settings: Any) -> SourceConfig:
    return config_for(node, username="", password="", cookie_file=str(path), **settings)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_in, "_LONGEST_PAUSE", 0.5)
    monkeypatch.setattr(client, "_MAX_RETRY_PAUSE", 0.5)


def test_the_cookie_of_a_node_that_was_started_again_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    """By what follows the chain, and by a block that was found while the node was away."""
    with CookieNode(mweb=False) as node, caplog.at_level(logging.DEBUG):
        told: list[str] = []

        async def play(source: NodeSource, events: Events) -> None:
            async def all_events() -> Events:  # type: ignore[misc]
                async for event in events:
                    told.append(repr(event))
                    yield event

            seen = all_events()
            job = await next_job(seen)
            first = node.cookie.read_text()
            await asyncio.to_thread(node.kill)
            handing_in = asyncio.create_task(source.submit(solve(job)))
            await next_event(seen, lambda event: isinstance(event, Notice) and "to be tried again" in event.text)
            await asyncio.to_thread(node.start_again)
            await asyncio.to_thread(node.connect_peer)
            second = node.cookie.read_text()
            assert first != second
            result = await handing_in
            assert result.status is ShareStatus.ACCEPTED, result.reason
            job = await next_job(seen, after=job.prev_hash)
            assert (await source.submit(solve(job))).status is ShareStatus.ACCEPTED
            for cookie in (first, second):
                secret = cookie.strip().partition(":")[2]
                assert len(secret) > 20 and secret not in f"{told} {caplog.text} {source!r}"
            assert any("getblocktemplate" in event for event in told)

        run(by_cookie(node, node.cookie, retry_pause=0.05, scan_time=0.1, protocol_dump=True), play)


def test_the_data_directory_will_do(tmp_path: Path) -> None:
    with CookieNode(mweb=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 1)

        run(by_cookie(node, node.datadir), play)
        run(by_cookie(node, node.datadir / "regtest"), play)
        (node.datadir / "signet").mkdir()
        (node.datadir / "signet" / ".cookie").write_text("__cookie__:00")

        async def which(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match="cookies of several chains, name one: .*regtest/.cookie, .*signet/"):
                await next_job(events)

        run(by_cookie(node, node.datadir), which)


def test_on_the_command_line() -> None:
    with CookieNode(mweb=False) as node:
        arguments = ["-a", "scrypt", "-t", "1", "-o", node.url, "--cookie-file", str(node.datadir), "-P",
                     "--coinbase-addr", node.address]
        with running(*arguments) as process:
            log = [*wait_for(process, "BLOCK found"), *interrupt(process).err]
        assert node.cookie.read_text().strip().partition(":")[2] not in "\n".join(log)


def test_a_cookie_that_is_not_there_yet_is_waited_for_and_one_that_is_none_is_named(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"

    async def main() -> None:
        answers = {"validateaddress": ok({"isvalid": True, "scriptPubKey": "51"})}
        async with ScriptedNode(answers) as node:
            config = SourceConfig(url=node.url, coinbase_addr="A", cookie_file=str(cookie), retry_pause=0.05)
            async with NodeSource(config) as source:
                events = source.events()
                trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
                assert f"no cookie in {str(cookie)!r} (No such file or directory): does the node run" in trouble.reason
                assert not node.calls
                cookie.write_text("sesame")
                with pytest.raises(SourceError, match="is no cookie of a node: it has to hold USER:PASSWORD") as caught:
                    await next_job(events)
                assert "sesame" not in str(caught.value)

    asyncio.run(main())


def test_a_cookie_that_the_node_refuses_is_tried_again(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:sesame")

    async def main() -> None:
        async with ScriptedNode({"validateaddress": http("", "401 Unauthorized")}) as node:
            config = SourceConfig(url=node.url, coinbase_addr="A", cookie_file=str(cookie), retry_pause=0.01)
            async with NodeSource(config) as source:
                events = source.events()
                for _ in range(3):
                    trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
                    assert "the node refuses the cookie: is it that node's own?" in trouble.reason
                    assert "sesame" not in trouble.reason

    asyncio.run(main())


def test_the_merged_chains_node_has_a_cookie_of_its_own(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    heard: list[str] = []

    class AuxNode(ScriptedNode):
        async def respond(self, head: str, body: bytes) -> bytes:
            heard.append(re.search("Authorization: (.*)\r\n", head)[1])  # type: ignore[index]
            if len(heard) == 1:
                cookie.write_text("__cookie__:second")  # the node was started again
                return http("", "401 Unauthorized")
            return await super().respond(head, body)

    async def main() -> None:
        parent = {"validateaddress": ok({"isvalid": True, "scriptPubKey": "51"})}
        async with ScriptedNode(parent) as node, AuxNode({"validateaddress": ok({"isvalid": False})}) as aux:
            config = SourceConfig(url=node.url, coinbase_addr="A",
                                  aux=AuxConfig(aux.url, "A", cookie_file=str(cookie)))
            chain = client.NodeSource(config)._feed._aux  # type: ignore[attr-defined]
            with pytest.raises(Exception, match="no address of its chain"):
                await chain.refresh()
            assert len(heard) == 2 and heard[0] != heard[1]

    asyncio.run(main())


@pytest.mark.parametrize(("settings", "complaint"), [
    ({"username": "alice"}, "takes the place of user and password"),
    ({"password": "sesame"}, "takes the place of user and password"),
    ({"url": "stratum+tcp://pool.example:3333", "username": "alice"}, "is for a node"),
    ({"cookie_file": "/nowhere/at/all/.cookie"}, "there is no folder '/nowhere/at/all'"),
])
def test_cookies_that_can_not_be_meant(settings: dict[str, str], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        NodeSource(SourceConfig(**({"url": "http://127.0.0.1:1/", "coinbase_addr": "A",
                                    "cookie_file": str(tmp_path / ".cookie")} | settings)))  # type: ignore[arg-type]
    assert "sesame" not in str(caught.value)
