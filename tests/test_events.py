"""Events as JSON lines: what real runs write is what the schema says, and no other than that."""

import dataclasses
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands import LIMIT, child, interrupt, run_here, running, wait_for
from hub_players import make_job
from miner.core.events import BlockFound, Hashrate, MinerEvent, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.model import ShareResult, ShareStatus
from miner.core.source import (
    Connecting,
    Disconnected,
    Finished,
    MovedTo,
    Notice,
    SourceEvent,
    SourceKind,
    Traffic,
    Unread,
)
from miner.front.event_json import EVENT_TYPES, event_json, event_type, rfc3339
from miner.hub.events import (
    HubBlock,
    HubEvent,
    HubShare,
    HubStopped,
    HubSummary,
    MinerJoined,
    MinerLeft,
    MinerReported,
    MinerStats,
)

SCHEMA: dict[str, Any] = json.loads((files("miner.front") / "events.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
DOCUMENT = Path(__file__).parents[1] / "docs" / "events.md"
SANDBOX = ("--sandbox", "-a", "scrypt:16", "-t", "1", "--cpu-limit", "20%")  # events come all the same
TEXT = st.text(max_size=700)
COUNT = st.integers(0, 1 << 60)
NUMBER = st.floats(0, 1e30)


def checked(text: str) -> list[dict[str, Any]]:
    """The events of a text, each held against the schema."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        VALIDATOR.validate(event)
    return events


def test_the_schema_is_one_and_knows_every_event() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    kinds = {event_type(kind) for union in (MinerEvent, HubEvent, SourceEvent) for kind in get_args(union)}
    assert kinds == set(EVENT_TYPES) == set(SCHEMA["properties"]["type"]["enum"])
    assert {entry["$ref"].rpartition("/")[2] for entry in SCHEMA["oneOf"]} == kinds


def test_the_document_names_every_type_and_field() -> None:
    text = DOCUMENT.read_text("utf-8")
    names = {*EVENT_TYPES, *(name for kind in SCHEMA["$defs"].values() for name in kind["properties"])}
    assert not {name for name in names if f"`{name}`" not in text}
    (example,) = re.findall(r"```json\n(.*)\n```", text)
    event = json.loads(example)
    event["share"]["header_hash"] = "0" * 64
    VALIDATOR.validate(event)


def test_a_real_run_alone_writes_what_the_schema_says(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_text('{"type":"of an earlier run"}\n')
    with running(*SANDBOX, "--events", str(path)) as process:
        told = wait_for(process, "BLOCK found at height 2")
        done = interrupt(process)
    assert done.status == 0 and done.out == []
    earlier, _, text = path.read_text().partition("\n")
    events = checked(text)
    assert "earlier" in earlier, "it is appended to"
    types = [event["type"] for event in events]
    assert types[0] == "started" and types[-1] == "totals"
    assert {"new_job", "hashrate", "share_done", "block_found"} <= set(types)
    assert [event["accepted"] for event in events if event["type"] == "share_done"][-1] == events[-1]["accepted"]
    assert sum(event["hashes"] for event in events if event["type"] == "hashrate") == events[-1]["hashes"]
    told = [line for line in told + done.err if "BLOCK found" in line]
    found = [event["block_hash"] for event in events if event["type"] == "block_found"]
    assert [line.rpartition(" ")[2] for line in told] == found, "display order, as people are told"


def test_a_real_hub_and_its_miner_write_what_the_schema_says_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "events"
    with running("hub", "--sandbox", "-a", "scrypt:16", "--events", "-") as hub:
        joining = wait_for(hub, "A miner joins with")[-1]
        url, token = re.findall(r"-o (\S+) --hub -u NAME -p (\S+)", joining)[0]
        with running("-a", "scrypt:16", "-t", "1", "-o", url, "--hub", "-u", "worker", "-p", token, "-P", "--events",
                     str(path)) as worker:
            wait_for(worker, "accepted: 2/")
            assert interrupt(worker).status == 0
        done = interrupt(hub)
    assert done.status == 0
    events = checked("\n".join(done.out))
    types = [event["type"] for event in events]
    assert {"job", "miner_joined", "miner_reported", "hub_share", "miner_left"} <= set(types)
    assert types[-1] == "hub_stopped"
    (left,) = [event["miner"] for event in events if event["type"] == "miner_left"]
    assert left["name"] == "worker" and left["threads"] == 1 and left["last_share"] and left["difficulty"]
    assert any(line.startswith("total") for line in done.err), "the table is on standard error"
    sent = [event for event in checked(path.read_text()) if event["type"] == "traffic" and event["sent"]]
    assert any("mining.authorize" in event["text"] for event in sent)
    assert token not in path.read_text() and token not in "".join(done.out)


JOB = make_job()
SHARE = JOB.work(bytes(JOB.extranonce2_size)).share(1)
STATS = st.builds(MinerStats, TEXT, TEXT, TEXT, TEXT, COUNT, COUNT, NUMBER, st.booleans(), COUNT, COUNT, COUNT, COUNT,
                  st.floats(0, 4e9), st.booleans(), COUNT, NUMBER, NUMBER, st.floats(0, 4e9), NUMBER)
RESULT = st.builds(ShareResult, st.just(SHARE), st.sampled_from(ShareStatus), TEXT, st.booleans(), TEXT)
KIND = st.sampled_from(SourceKind)
HEX = st.just("ab" * 32)
ANY = st.one_of(
    st.builds(Started, TEXT, TEXT, st.just("scrypt:16"), st.just("avx2"), COUNT, st.tuples(COUNT),
              st.tuples(TEXT), st.none() | KIND),
    st.builds(NewJob, st.just(JOB), st.booleans(), st.sampled_from([0, 1 << 200])),
    st.builds(dataclasses.replace, st.just(JOB), job_id=TEXT, share_target=st.integers(0, (1 << 256) - 1)),
    st.builds(Hashrate, COUNT, COUNT, NUMBER), st.builds(ShareDone, RESULT, COUNT, COUNT, COUNT, NUMBER, NUMBER),
    st.builds(BlockFound, RESULT, HEX), st.builds(Trouble, TEXT, st.booleans()), st.builds(Unread, COUNT),
    st.builds(Totals, COUNT, NUMBER, NUMBER, COUNT, COUNT, COUNT, COUNT), st.builds(Notice, TEXT),
    st.builds(Traffic, st.booleans(), st.text(max_size=5000)), st.builds(Connecting, TEXT, TEXT),
    st.builds(Disconnected, TEXT, NUMBER), st.builds(MovedTo, TEXT, TEXT, KIND), st.builds(Finished, TEXT),
    st.builds(MinerJoined, STATS), st.builds(MinerReported, STATS), st.builds(MinerLeft, STATS, TEXT),
    st.builds(HubShare, TEXT, st.sampled_from(ShareStatus), TEXT, st.booleans(), st.booleans(),
              st.none() | st.just(SHARE), COUNT, COUNT, COUNT, NUMBER, NUMBER),
    st.builds(HubBlock, TEXT, RESULT, HEX), st.builds(HubStopped, TEXT, st.booleans()),
    st.builds(HubSummary, COUNT, NUMBER, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT))


@given(event=ANY, time=st.floats(0, 4e9))
@example(event=Hashrate(0, 1 << 60, 5e-324), time=0.0)
def test_whatever_peers_say_is_one_line_that_the_schema_knows(event: MinerEvent | HubEvent, time: float) -> None:
    VALIDATOR.validate(json.loads(json.dumps(event_json(event, time), allow_nan=False)))


def test_times_are_of_utc() -> None:
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z" and rfc3339(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_stops_nobody_and_is_told_at_the_end() -> None:
    done = run_here(*SANDBOX, "--blocks", "1", "--events", "/dev/full")
    assert done.status == 1
    assert done.err[-1] == "miner: --events /dev/full: events were lost: No space left on device"
    assert any(line.startswith("Done:") for line in done.lines)


def test_a_place_that_cant_be_written_is_a_usage_error(tmp_path: Path) -> None:
    done = run_here(*SANDBOX, "--events", str(tmp_path / "no" / "events"))
    assert done.status == 2 and len(done.err) == 1
    assert "--events" in done.err[0] and "No such file or directory" in done.err[0]


def test_a_reader_that_goes_away_ends_the_run_in_order() -> None:
    command = [sys.executable, "-m", "miner", *SANDBOX, "--events", "-"]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        checked(process.stdout.readline())
        process.stdout.close()
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 1 and "Done:" in err
