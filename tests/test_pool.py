"""Mining at a real pool (foundation-stratum) in front of a real node, until blocks are in the chain."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import miner
from commands import run
from miner.config import SourceConfig
from miner.core.algorithm import Algorithm, sha256d
from miner.core.errors import SourceError
from miner.core.events import BlockFound, ShareDone
from miner.core.model import Job, ShareStatus
from miner.core.target import difficulty_to_target, nbits_to_target
from miner.stratum.client import StratumSource
from node.bitcoinsv import BitcoinSV
from node.knots import Knots
from node.litecoind import MWEB_HEIGHT, Litecoind
from node.mining import check_headers
from pool.pool import Pool
from stratum_pool import within_limit

SCRYPT = Algorithm.parse("scrypt")


@pytest.fixture(scope="module")
def node() -> Iterator[Litecoind]:
    """Past the activation of extension blocks: each block has a transaction beside the coinbase (the HogEx), so that
    the jobs' merkle branches are not empty."""
    with Litecoind() as node:
        node.grow(MWEB_HEIGHT - 1)
        node.peg_in()
        node.generate(1)
        yield node


def certificates_in(folder: Path) -> str:
    """Where the pool looks for its own; returns the file of the authority that has issued them."""
    authority, certificates = trustme.CA(), folder / "certificates"
    certificates.mkdir()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(certificates / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(certificates / "cert.pem"))
    return str(folder / "authority.pem")


def check_chain(node: Litecoind, pool: Pool, first: int) -> list[str]:
    """The ids of the blocks from height `first` on, each of them proven work that pays the pool."""
    ids = []
    for height in range(first, node.height + 1):
        block, header = node.block(height), node.header(height)
        proof = hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32)
        assert int.from_bytes(proof, "little") <= nbits_to_target(int(block["bits"], 16)), f"block {height} has no work"
        coinbase = block["tx"][0]
        assert pool.address in coinbase["vout"][0]["scriptPubKey"]["addresses"], f"block {height} pays somebody else"
        assert len(block["tx"]) > 1
        ids.append(block["hash"])
    return ids


class Found:
    """Blocks that the pool took, by their previous hash. It takes more than one on each if its next job is slow to
    come; the chain takes the first."""

    def __init__(self) -> None:
        self._on: dict[bytes, list[str]] = {}

    def add(self, block: BlockFound) -> int:
        """Returns how many previous hashes there are by now."""
        self._on.setdefault(block.result.share.job.prev_hash, []).append(block.block_hash)
        return len(self._on)

    def check(self, chain: list[str]) -> None:
        assert len(self._on) >= 5
        assert all(len(set(blocks) & set(chain)) == 1 for blocks in self._on.values())


def test_command_line_mines_blocks(node: Litecoind, tmp_path: Path) -> None:
    first = node.height + 1
    log = tmp_path / "log"
    with Pool(node) as pool, log.open("wb") as stderr:
        command = [sys.executable, "-m", "miner", "-a", "scrypt", "-o", pool.url, "-u", pool.username, "-t", "1"]
        process = subprocess.Popen(command, stderr=stderr, env=os.environ | {"MINER_PASSWORD": pool.password})
        try:
            found = pool.wait_for_blocks(10)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise
        ids = check_chain(node, pool, first)
    assert {share["hash"] for share in found} <= set(ids)
    assert {share["kind"] for share in pool.shares} <= {"valid", "stale"}
    text = log.read_text()
    assert "1 miner threads started, using 'scrypt' algorithm." in text
    assert f"Starting Stratum on {pool.url}" in text
    assert text.count("(yay!!!)") >= 9  # the last answer may come after the end
    assert pool.password not in text


def test_library_mines_blocks(node: Litecoind) -> None:
    first = node.height + 1
    results: list[ShareDone] = []
    blocks = Found()
    with (Pool(node) as pool,
          miner.mine(url=pool.url, username=pool.username, password=pool.password, threads=1, seconds=60) as mining):
        for event in mining:
            match event:
                case ShareDone():
                    results.append(event)
                case BlockFound():
                    if blocks.add(event) == 5:
                        mining.stop()
        pool.wait_for_blocks(5)
        ids = check_chain(node, pool, first)
    blocks.check(ids)
    assert not [done for done in results if done.result.status is ShareStatus.REJECTED]


def test_shares_at_the_pools_own_difficulty() -> None:
    """Shares that are no blocks, and the pool's vardiff: it gets more than it wants, and asks for better ones."""
    vardiff = {"minimum": 0.02, "maximum": 0.1, "targetTime": 10.0, "retargetTime": 2.0, "variance": 0.1}
    easy, hard = (difficulty_to_target(difficulty, SCRYPT) for difficulty in (0.02, 0.1))
    statuses: list[ShareStatus] = []
    at_difficulty = {easy: 0, hard: 0}

    with (Litecoind(chain="test") as node, Pool(node, difficulty=0.02, vardiff=vardiff) as pool,
          miner.mine(url=pool.url, username=pool.username, password=pool.password, threads=1, seconds=120) as mining):
        for event in mining:
            if isinstance(event, ShareDone):
                statuses.append(event.result.status)
                at_difficulty[event.result.share.job.share_target] += 1
                if at_difficulty[hard] == 5:
                    mining.stop()
        seen = pool.shares

    assert at_difficulty[easy] >= 1
    assert at_difficulty[hard] >= 5
    assert ShareStatus.REJECTED not in statuses
    assert {share["kind"] for share in seen} <= {"valid", "stale"}
    assert {0.02, 0.1} <= {share["difficulty"] for share in seen if share["kind"] == "valid"}


@pytest.mark.parametrize("tls", [False, True])
def test_a_swarm_of_miners(tls: bool, tmp_path: Path) -> None:
    """Each share that the swarm counts as accepted is one that the pool took for valid."""
    cert = ["--cert", certificates_in(tmp_path)] if tls else []
    with Litecoind(chain="test") as node, Pool(node, difficulty=1e-4, tls=tmp_path if tls else None) as pool:
        done = run("swarm", "-a", "scrypt", "-o", pool.url, "-u", pool.username, "-p", pool.password, "--miners", "20",
                   "--shares", "20", "--ramp", "1", "--seconds", "4", "--json", *cert)
        assert done.status == 0, done.err
        figures = json.loads("\n".join(done.out))
        pool.wait_for("share", figures["sent"])
        valid = [share for share in pool.shares if share["kind"] == "valid"]
    assert figures["connected"] == 20
    assert figures["accepted"] == len(valid) > 20
    assert (figures["errors"], figures["unanswered"]) == ({}, 0)
    assert figures["refused"] == figures["refusals"].get("21 job not found", 0), figures["refusals"]


def test_over_tls(node: Litecoind, tmp_path: Path) -> None:
    cert = certificates_in(tmp_path)
    with (Pool(node, tls=tmp_path) as pool,
          miner.mine(url=pool.url, username=pool.username, password=pool.password, threads=1, seconds=60,
                     cert=cert) as mining):
        for event in mining:
            if isinstance(event, BlockFound):
                mining.stop()
        pool.wait_for_blocks(1)


@pytest.mark.parametrize(("coin", "tls"), [(Knots, False), (Knots, True), (BitcoinSV, False)])
def test_sha256d_blocks(coin: type[Knots | BitcoinSV], tls: bool, tmp_path: Path) -> None:
    cert = certificates_in(tmp_path) if tls else ""
    blocks = Found()
    with coin() as node:
        node.generate(101)
        node.send(node.new_address(), 1)  # so that the first job has a merkle branch
        with (Pool(node, tls=tmp_path if tls else None) as pool,
              miner.mine(url=pool.url, username=pool.username, password=pool.password, algorithm="sha256d", threads=1,
                         seconds=60, cert=cert) as mining):
            for event in mining:
                if isinstance(event, ShareDone):
                    assert event.result.status is not ShareStatus.REJECTED, event.result.reason
                if isinstance(event, BlockFound) and blocks.add(event) == 5:
                    mining.stop()
            pool.wait_for_blocks(5)
        check_headers(node, 102, node.height, Algorithm.parse("sha256d"))
        chain = [node.block(height) for height in range(102, node.height + 1)]
        blocks.check([block["hash"] for block in chain])
        assert len(chain[0]["tx"]) == 2
        script = node.rpc("validateaddress", pool.address)["scriptPubKey"]
        assert {block["tx"][0]["vout"][0]["scriptPubKey"]["hex"] for block in chain} == {script}


@within_limit
async def test_sha256d_with_rolled_versions() -> None:
    """The pool works the header out by itself, so a wrong version is no share."""
    with Litecoind(chain="test") as node, Pool(node, algorithm="sha256d", difficulty=1e-6) as pool:
        config = SourceConfig(Algorithm.parse("sha256d"), pool.url, pool.username, pool.password)
        async with StratumSource(config) as source:
            job = await anext(event async for event in source.events() if isinstance(event, Job))
            assert job.version_mask == 0x1FFFE000
            works = [job.work(b"\0" * job.extranonce2_size, version=version)
                     for version in itertools.islice(job.versions(), 0, 5000, 1000)]
            for work in works:
                share = next(share for share in map(work.share, range(1 << 20))
                             if int.from_bytes(sha256d(share.header), "little") <= job.share_target)
                result = await source.submit(share)
                assert result.status is ShareStatus.ACCEPTED, result.reason
        assert len({work.version for work in works}) == 5
        pool.wait_for("share", 5, kind="valid")


def test_pool_that_refuses_the_user(node: Litecoind) -> None:
    with (Pool(node) as pool,
          miner.mine(url=pool.url, username="nobody", password="wrong-secret", threads=1, seconds=60) as mining,
          pytest.raises(SourceError, match="nobody") as refusal):
        list(mining)
    assert "wrong-secret" not in str(refusal.value)
    assert not pool.shares
