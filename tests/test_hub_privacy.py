"""Whoever listens on the way to a hub learns nothing that lets him join, and with TLS nothing at all."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from commands import interrupt, run, running
from hub_players import SHA256D, TOKEN, WAIT, RawMiner, ScriptedSource, Watched, make_job, solve, with_hub
from miner.config import SourceConfig
from miner.core.errors import SourceError, UsageError
from miner.core.model import Job, ShareStatus
from miner.core.source import Notice
from miner.hub import HubConfig
from miner.hub.events import MinerJoined
from miner.stratum.client import StratumSource
from miner.tls import ServerTls, TlsFiles


def source_at(watched: Watched, **changes: Any) -> StratumSource:
    host, port = watched.address
    pin = watched.hub.fingerprint
    settings = {"url": f"stratum+tcp{'s' if pin else ''}://{host}:{port}", "username": "alice", "password": TOKEN,
                "tls_fingerprint": pin, "hub": True, "retries": 0, "retry_pause": 0.1}
    return StratumSource(SourceConfig(SHA256D, **(settings | changes)))


async def job_of(source: StratumSource) -> Job:
    async with asyncio.timeout(WAIT):
        async for event in source.events():
            if isinstance(event, Job):
                return event
    raise AssertionError("no job came")


async def with_source(watched: Watched, **changes: Any) -> None:
    """Join, hand in one share, and leave."""
    source = source_at(watched, **changes)
    try:
        assert (await source.submit(solve(await job_of(source)))).status is ShareStatus.ACCEPTED
    finally:
        await source.aclose()


class Wire:
    """Passes on what a miner and a hub say to each other, and writes down what the miner says."""

    def __init__(self, hub: tuple[str, int]) -> None:
        self.heard = bytearray()
        self._hub = hub
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> tuple[str, int]:
        self.server = await asyncio.start_server(self._between, "127.0.0.1", 0)
        host, port = self.server.sockets[0].getsockname()
        return str(host), int(port)

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upper, lower = await asyncio.open_connection(*self._hub)
        back = asyncio.create_task(self._pass(upper, writer, bytearray()))
        await self._pass(reader, lower, self.heard)
        lower.close()
        await back
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
        try:
            while data := await reader.read(65536):
                heard += data
                writer.write(data)
        except ConnectionError:
            pass


def test_who_listens_on_a_plain_link_can_not_join() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        wire = Wire(watched.address)
        host, port = await wire.open()
        await with_source(watched, url=f"stratum+tcp://{host}:{port}")
        wire.server.close()
        assert b"mining.authorize" in wire.heard and TOKEN.encode() not in wire.heard
        thief = await RawMiner.connect(watched.address)
        thief.send(bytes(wire.heard))
        answer = await thief.hear(lambda message: message["id"] == 3)
        assert answer["error"][0] == 24, "the proof was for another connection's nonce"
        assert await thief.hung_up()

    with_hub(lambda: ScriptedSource(make_job()), play)


def test_our_miner_tells_no_token_to_who_claims_to_be_its_hub() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        heard = bytearray()

        async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.extend(await reader.readline())
            writer.write(b'{"id": 1, "result": {"sparkminer": true}, "error": null}\n')
            heard.extend(await reader.read())
            writer.close()

        server = await asyncio.start_server(impostor, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        miner = source_at(watched, url=f"stratum+tcp://{host}:{port}")
        with pytest.raises(SourceError, match="gives no nonce to log in with"):
            await job_of(miner)
        await miner.aclose()
        server.close()
        assert heard.startswith(b'{"id": 1, "method": "mining.configure"') and heard.count(b"\n") == 1

    with_hub(lambda: ScriptedSource(make_job()), play)


def test_a_certificate_of_this_run_is_pinned() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        assert len(watched.hub.fingerprint) == 64
        await with_source(watched)
        other = source_at(watched, tls_fingerprint="00" * 32)
        with pytest.raises(SourceError, match="has not the .tls_fingerprint."):
            await job_of(other)
        await other.aclose()

    with_hub(lambda: ScriptedSource(make_job()), play, tls=True)


def test_a_certificate_from_files(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = TlsFiles(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))

    async def play(watched: Watched, source: ScriptedSource) -> None:
        await with_source(watched, tls_fingerprint="", cert=str(tmp_path / "authority.pem"))

    with_hub(lambda: ScriptedSource(make_job()), play, tls=files)
    strange = trustme.CA().issue_cert("127.0.0.1")
    strange.private_key_pem.write_to_path(tmp_path / "strange.pem")
    for bad, words in ((TlsFiles(files.cert, str(tmp_path / "strange.pem")), "the key is not the certificate's"),
                       (TlsFiles(files.key, files.key), "no certificate and key"),
                       (TlsFiles(str(tmp_path / "none.pem")), "can't read .*none.pem")):
        with pytest.raises(UsageError, match=words):
            ServerTls.open(bad)


def test_who_speaks_no_tls_is_told_so_and_counted() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        plain = await RawMiner.connect(watched.address)
        plain.send(b'{"id": 1, "method": "mining.subscribe", "params": []}\n')
        assert await plain.hung_up()
        notice = await watched.heard(Notice)
        assert "speaks stratum without TLS" in notice.text and "stratum+tcps://" in notice.text
        host, port = watched.address
        miner = source_at(watched, url=f"stratum+tcp://{host}:{port}", tls_fingerprint="")
        with pytest.raises(SourceError, match="use stratum\\+tcps://"):
            await job_of(miner)
        await miner.aclose()

    with_hub(lambda: ScriptedSource(make_job()), play, tls=True)


def test_who_never_ends_a_tls_handshake_is_a_stranger_like_others() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        strangers = [await RawMiner.connect(watched.address) for _ in range(3)]
        assert await strangers[0].hung_up()
        assert "has not logged in: the room is needed" in (await watched.heard(Notice)).text
        await with_source(watched)
        assert (await watched.heard(MinerJoined)).miner.name == "alice"

    with_hub(lambda: ScriptedSource(make_job()), play, tls=True, max_strangers=2)


def test_a_tls_client_that_sends_nonsense_is_thrown_out_like_others() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        stranger = RawMiner(*await asyncio.open_connection(*watched.address, ssl=context))
        stranger.send(b"nonsense\n" * 40)
        assert await stranger.hung_up()
        assert "threw out" in (await watched.heard(Notice)).text

    with_hub(lambda: ScriptedSource(make_job()), play, tls=True)


@pytest.mark.parametrize("token", ["short", "aaaaaaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabc"])
def test_a_token_that_is_easily_guessed_is_refused_beyond_loopback(token: str) -> None:
    HubConfig(token=token)
    HubConfig(host="::1", token=token)
    for host in ("0.0.0.0", "::", "192.0.2.1", "hub.example"):
        HubConfig(host=host, token="a-token-of-16-ch")
        for settings in ({"token": token}, {"users": {"alice": token}}):
            with pytest.raises(UsageError, match="too easily guessed") as caught:
                HubConfig(host=host, **settings)  # type: ignore[arg-type]
            assert token not in str(caught.value)


def test_each_user_has_a_token_of_its_own() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        await with_source(watched, username="bob.rig1", password="token-of-bob")
        for username, password in (("bob", "token-of-carol"), ("alice", "token-of-bob"), ("bob", ""), ("dave", "")):
            raw = await RawMiner.connect(watched.address)
            assert (await raw.call("mining.authorize", username, password))["error"][0] == 24
        raw = await RawMiner.connect(watched.address)
        assert (await raw.call("mining.authorize", "carol", "token-of-carol"))["result"] is True

    users = {"bob": "token-of-bob", "carol": "token-of-carol"}
    with_hub(lambda: ScriptedSource(make_job()), play, token="", users=users)


def test_the_line_that_is_printed_joins_over_tls(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# who may join\nalice a-token-of-alice-123\n\n")
    users.chmod(0o600)
    (tmp_path / "token").write_text("a-token-of-alice-123\n")
    with running("hub", "--sandbox", "-a", "scrypt:16", "--tls", "--users-file", str(users)) as hub:
        assert hub.stdout is not None
        assert hub.stdout.readline().startswith("Hub listens on stratum+tcps://127.0.0.1:")
        fingerprint = hub.stdout.readline().split()[-1]
        command = hub.stdout.readline().rpartition("python -m miner ")[2].split()
        assert command[command.index("--tls-fingerprint") + 1] == fingerprint
        words = [{"NAME": "alice", "TOKEN_FILE": str(tmp_path / "token")}.get(word, word) for word in command]
        miner = run(*words, "-t", "1", "--blocks", "1", "-r", "0")
        done = interrupt(hub)
    assert miner.status == 0 and any("(yay!!!)" in line for line in miner.lines), miner.lines
    assert done.status == 0 and any(line.startswith("alice joined") for line in done.lines)
