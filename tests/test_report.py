"""What people and programs read: minerd's lines to the letter, and nothing from the network that could do harm."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.core.algorithm import Algorithm
from miner.core.events import BlockFound, Hashrate, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.model import Job, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceKind, Traffic
from miner.core.text import one_line
from miner.front.hub_report import HubReport, miner_table
from miner.front.report import Report, hashrate_text, khash, rate, table
from miner.hub.events import (
    HubBlock,
    HubShare,
    HubStopped,
    HubSummary,
    MinerJoined,
    MinerLeft,
    MinerReported,
    MinerStats,
)
from miner.node.refusals import explain_verdict
from miner.stratum import wire

EVIL = "\x1b[2J\r\nfoo‮" + "x" * 5000
JOB = Job(job_id="j1", algorithm=Algorithm.parse("scrypt"), version=2, prev_hash=bytes(32), coinbase1=b"",
          extranonce1=b"", extranonce2_size=4, coinbase2=b"", merkle_branch=(), nbits=0x1E0FFFFF, ntime=1, clean=True,
          share_target=0xFFFF << 224, height=7)
SHARE = JOB.work(bytes(4)).share(0)
STARTED = Started("stratum+tcp://pool.example:3333", "pool user alice", "scrypt", "avx2", 2, (0, 1),
                  kind=SourceKind.POOL)
MINER = MinerStats(name="executor-0", host="10.0.0.7", agent="sparkminer/0.1", kernel="", threads=0, hashes=4104,
                   hashrate=15000.0, estimated=False, accepted=3, rejected=1, stale=0, blocks=1, since=0.0,
                   connected=True)


def done(status: ShareStatus, reason: str = "", accepted: int = 0, rejected: int = 0, stale: int = 0,
         hashrate: float = 60110.0) -> ShareDone:
    return ShareDone(ShareResult(SHARE, status, reason), accepted, rejected, stale, hashrate)


def test_the_start_in_minerds_words() -> None:
    lines = Report().lines(dataclasses.replace(STARTED, remarks=("Huge pages: none",)))
    assert "Huge pages: none" in lines
    assert "2 miner threads started, using 'scrypt' algorithm." in lines
    assert "Binding thread 0 to cpu 0" in lines
    assert "Binding thread 1 to cpu 1" in lines
    assert any("pool user alice" in line and "stratum+tcp://pool.example:3333" in line for line in lines)
    assert any("avx2" in line for line in lines)


def test_settings_are_named_as_options_and_a_peer_names_none() -> None:
    report = Report()
    assert report.lines(Trouble("nobody to pay: give `coinbase_addr`", False)) == [
        "nobody to pay: give --coinbase-addr"]
    assert report.lines(done(ShareStatus.REJECTED, explain_verdict("bad-cb-length"), rejected=1))[1].endswith(
        "shorten --coinbase-sig")
    reply = wire.decode(b'{"id": 1, "result": null, "error": [20, "use `password=x`", null]}')
    assert isinstance(reply, wire.Response) and reply.error is not None
    assert report.lines(done(ShareStatus.REJECTED, reply.error.text, rejected=1))[1] == (
        "reject reason: use 'password=x'")
    assert report.lines(Notice(one_line("use `password=x`"))) == ["use 'password=x'"]
    assert report.lines(Traffic(False, "`password=x`")) == ["< `password=x`"], "word for word"


@pytest.mark.parametrize(("event", "line"), [
    (Connecting("Stratum", "stratum+tcp://h:1"), "Starting Stratum on stratum+tcp://h:1"),
    (Connecting("long-polling", "http://h:1/"), "Long-polling activated for http://h:1/"),
    (Hashrate(0, 4104, 0.2736), "thread 0: 4104 hashes, 15.00 khash/s"),
    (Hashrate(1, 63981648, 4.366), "thread 1: 63981648 hashes, 14655 khash/s"),
    (done(ShareStatus.ACCEPTED, accepted=3), "accepted: 3/3 (100.00%), 60.11 khash/s (yay!!!)"),
    (done(ShareStatus.ACCEPTED, accepted=2, rejected=1), "accepted: 2/3 (66.67%), 60.11 khash/s (yay!!!)"),
    (Notice("hello"), "hello"),
    (Trouble("it broke", True), "it broke"),
])
def test_one_line_events_in_minerds_words(event: object, line: str) -> None:
    assert Report().lines(event) == [line]  # type: ignore[arg-type]


def test_a_refused_share_comes_with_its_reason() -> None:
    assert Report().lines(done(ShareStatus.REJECTED, "low difficulty share", rejected=1)) == \
        ["accepted: 0/1 (0.00%), 60.11 khash/s (booooo)", "reject reason: low difficulty share"]
    assert Report().lines(done(ShareStatus.STALE, "", accepted=1, stale=1))[1] == "stale reason: none given"


def test_a_lost_connection_says_when_it_is_tried_again() -> None:
    assert Report().lines(Disconnected("Stratum connection failed: refused", 30.0)) == \
        ["Stratum connection failed: refused", "...retry after 30 seconds"]


@pytest.mark.parametrize(("kind", "line"), [
    (SourceKind.POOL, "Stratum requested work restart"), (SourceKind.HUB, "Stratum requested work restart"),
    (SourceKind.NODE, "LONGPOLL detected new block"), (SourceKind.SANDBOX, "New work from anywhere"),
])
def test_a_restart_is_told_in_the_words_for_its_kind_of_source(kind: SourceKind, line: str) -> None:
    report = Report()
    report.lines(dataclasses.replace(STARTED, source="anywhere", kind=kind))
    assert report.lines(NewJob(JOB, restart=True)) == ([] if "LONGPOLL" in line else [line])  # no news yet
    assert report.lines(NewJob(JOB, restart=True)) == [line]
    assert report.lines(NewJob(JOB, restart=False)) == []


def test_a_node_that_is_only_asked_now_and_then_told_nothing_by_itself() -> None:
    report = Report(longpoll=False)
    report.lines(dataclasses.replace(STARTED, source="http://h:1/", kind=SourceKind.NODE))
    report.lines(NewJob(JOB, restart=True))
    assert report.lines(NewJob(JOB, restart=True)) == ["New work from http://h:1/"]


def test_debug_tells_every_job() -> None:
    line, = Report(debug=True).lines(NewJob(JOB, restart=False))
    assert line.startswith("DEBUG: job j1 at height 7, share difficulty 1,")


def test_quiet_leaves_out_the_threads_hashrates_only() -> None:
    assert Report(quiet=True).lines(Hashrate(0, 1, 1.0)) == []
    assert Report(quiet=True).lines(done(ShareStatus.ACCEPTED, accepted=1)) != []


def test_a_block_names_its_height_chain_and_hash() -> None:
    report = Report()
    report.lines(dataclasses.replace(STARTED, source="sandbox chain", kind=SourceKind.SANDBOX))
    line, = report.lines(BlockFound(ShareResult(SHARE, ShareStatus.ACCEPTED, block=True), "ab" * 32))
    assert "height 7" in line
    assert "sandbox chain" in line
    assert "ab" * 32 in line


def test_a_block_names_the_source_that_it_is_of() -> None:
    report = Report()
    report.lines(dataclasses.replace(STARTED, source="a, else b"))
    assert report.lines(MovedTo("stratum+tcp://b:2", "pool user bob", SourceKind.POOL)) == [
        "Work from stratum+tcp://b:2, paid to pool user bob"]
    assert "stratum+tcp://b:2: ab" in report.lines(
        BlockFound(ShareResult(SHARE, ShareStatus.ACCEPTED, block=True), "ab" * 32))[0]


def test_totals() -> None:
    line, = Report().lines(Totals(1234567, 20.5, 60222.8, 3, 1, 2, 1))
    assert line == ("Done: 1234567 hashes in 20.5 s, 60.22 khash/s; 3 shares accepted, 1 rejected, 2 stale; 1 block")
    along, = Report().lines(Totals(1234567, 20.5, 60222.8, 3, 1, 2, 1, 4))
    assert along == f"{line}, 4 blocks on the chain mined along"


@pytest.mark.parametrize(("hashrate", "minerd", "people"), [
    (0.0, "0.00", "0.00 H/s"), (15000.0, "15.00", "15.00 kH/s"), (999_994.0, "999.99", "999.99 kH/s"),
    (1_000_000.0, "1000", "1.00 MH/s"), (14_877_400.0, "14877", "14.88 MH/s"), (2.5e9, "2500000", "2.50 GH/s"),
])
def test_hashrates(hashrate: float, minerd: str, people: str) -> None:
    assert khash(hashrate) == minerd
    assert hashrate_text(hashrate) == people


@given(st.text())
def test_no_text_can_reach_the_terminals_controls(text: str) -> None:
    shown = one_line(text, 20)
    assert shown.isprintable()
    assert len(shown) <= 21


HUB_SHARE = HubShare(miner=EVIL, status=ShareStatus.REJECTED, reason=EVIL, block=False, upstream=True, share=None,
                     accepted=0, rejected=1, stale=0, hashrate=1.0)
EVIL_MINER = dataclasses.replace(MINER, name=EVIL, host=EVIL, agent=EVIL, kernel=EVIL)


@pytest.mark.parametrize("event", [
    Notice(EVIL), Disconnected(EVIL, 1.0), Connecting(EVIL, EVIL), Finished(EVIL), Trouble(EVIL, False),
    done(ShareStatus.REJECTED, EVIL, rejected=1), dataclasses.replace(STARTED, source=EVIL, payee=EVIL),
    NewJob(dataclasses.replace(JOB, job_id=EVIL), False),
])
def test_text_from_a_pool_is_one_bounded_printable_line(event: object) -> None:
    for line in Report(debug=True).lines(event):  # type: ignore[arg-type]
        assert line.isprintable()
        assert len(line) < 1000


@pytest.mark.parametrize("event", [
    HUB_SHARE, MinerJoined(EVIL_MINER), MinerReported(EVIL_MINER), MinerLeft(EVIL_MINER, EVIL), HubStopped(EVIL, False),
    HubBlock(EVIL, ShareResult(SHARE, ShareStatus.ACCEPTED, block=True), EVIL), Notice(EVIL), Finished(EVIL),
])
def test_text_from_a_miner_is_one_bounded_printable_line(event: object) -> None:
    for line in HubReport("stratum+tcp://h:1", SourceKind.POOL).lines(event):  # type: ignore[arg-type]
        assert line.isprintable()
        assert len(line) < 1000


class TestHub:
    def test_a_miner_is_introduced_once_it_has_told_its_kernel(self) -> None:
        report = HubReport("stratum+tcp://h:1", SourceKind.POOL)
        assert report.lines(MinerJoined(MINER)) == ["executor-0 joined from 10.0.0.7 (sparkminer/0.1)"]
        told = dataclasses.replace(MINER, kernel="avx512", threads=2, hashrate=0.0)
        assert report.lines(MinerReported(told)) == ["executor-0 on 10.0.0.7: 2 threads, kernel 'avx512'"]
        assert report.lines(MinerReported(told)) == []

    def test_hashrates_come_every_few_seconds_for_each_miner(self) -> None:
        now = 0.0
        report = HubReport("stratum+tcp://h:1", SourceKind.POOL, clock=lambda: now)
        other = dataclasses.replace(MINER, name="executor-1")
        assert report.lines(MinerReported(MINER)) == ["executor-0: 4104 hashes, 15.00 khash/s"]
        now = 1.0
        assert report.lines(MinerReported(MINER)) == []
        assert report.lines(MinerReported(other)) == ["executor-1: 4104 hashes, 15.00 khash/s"]
        now = 6.0
        assert report.lines(MinerReported(MINER)) == ["executor-0: 4104 hashes, 15.00 khash/s"]
        assert HubReport("", SourceKind.POOL, quiet=True).lines(MinerReported(MINER)) == []

    def test_shares_are_minerds_line_with_the_miners_name(self) -> None:
        share = HubShare("executor-0", ShareStatus.ACCEPTED, "", False, True, SHARE, 3, 0, 0, 60110.0)
        assert HubReport("", SourceKind.POOL).lines(share) == [
            "accepted: 3/3 (100.00%), 60.11 khash/s (yay!!!) executor-0"]

    def test_in_brief_the_whole_hub_has_a_line_and_shares_have_none(self) -> None:
        share = HubShare("executor-0", ShareStatus.ACCEPTED, "", False, True, SHARE, 3, 0, 0, 60110.0)
        summary = HubSummary(2, 60110.0, 3, 1, 0)
        long, brief = HubReport("", SourceKind.POOL), HubReport("", SourceKind.POOL, brief=True)
        assert (len(long.lines(share)), long.lines(summary), long.wants(share)) == (1, [], True)
        assert (brief.lines(share), brief.wants(share)) == ([], False)
        assert brief.lines(summary) == ["2 miners, 60.11 khash/s, accepted: 3/4 (75.00%)"]
        told = MinerReported(dataclasses.replace(MINER, kernel="avx512"))
        assert brief.wants(told)
        assert len(brief.lines(told)) == 1
        assert not brief.wants(told), "it has been introduced"

    def test_blocks_name_the_miner(self) -> None:
        block = HubBlock("executor-0", ShareResult(SHARE, ShareStatus.ACCEPTED, block=True), "ab" * 32)
        line, = HubReport("sandbox chain", SourceKind.SANDBOX).lines(block)
        assert line == f"BLOCK found at height 7, sandbox chain: {'ab' * 32} executor-0"

    def test_the_summary_adds_up(self) -> None:
        other = dataclasses.replace(MINER, name="executor-1", hashes=96, hashrate=1000.0, stale=2, blocks=0)
        lines = miner_table([MINER, other], "executor")
        assert lines[0].split() == ["executor", "host", "hashes", "hashrate", "accepted", "rejected", "stale", "blocks"]
        assert lines[2].split() == ["executor-0", "10.0.0.7", "4104", "15.00", "kH/s", "3", "1", "0", "1"]
        assert lines[-1].split() == ["total", "4200", "16.00", "kH/s", "6", "2", "2", "1"]
        along = miner_table([MINER, dataclasses.replace(other, aux_blocks=4)])
        assert along[0].endswith("blocks  aux blocks") and [line.split()[-1] for line in along[2:]] == ["0", "4", "4"]
        assert miner_table([])[-1].split() == ["total", "0", "0.00", "H/s", "0", "0", "0", "0"]


def test_a_table_is_aligned_numbers_to_the_right() -> None:
    assert table(["name", "n"], [["a", "1"], ["long name", "1000"]]) == [
        "name          n",
        "---------  ----",
        "a             1",
        "long name  1000",
    ]


@pytest.mark.parametrize(("hashrate", "minerds", "people"), [
    (0.0, "0.00 khash/s", "0.00 H/s"), (0.0123, "0.0123 H/s", "0.0123 H/s"), (3.217, "3.22 H/s", "3.22 H/s"),
    (10.0, "0.01 khash/s", "10.00 H/s"), (60110.0, "60.11 khash/s", "60.11 kH/s"), (2e6, "2000 khash/s", "2.00 MH/s"),
])
def test_rates_of_slow_algorithms_can_be_read(hashrate: float, minerds: str, people: str) -> None:
    assert (rate(hashrate), hashrate_text(hashrate)) == (minerds, people)
