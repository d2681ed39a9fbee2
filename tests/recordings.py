"""What real nodes said and accepted, recorded on private chains: the files under `samples/`.

`gbt-*` and `getblocktemplate-*` are answers to getblocktemplate; `block-*` are blocks that the node accepted. Litecoin
Core 0.21.2, Bitcoin Knots 29 (btc), Bitcoin SV (bsv), Dogecoin Core 1.14.9.
"""

import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"

TEMPLATES = sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.json")
                   if path.name.startswith(("gbt-", "getblocktemplate-h")))


def recording(name: str) -> Any:
    """A JSON file as it stands."""
    return json.loads((SAMPLES / name).read_text())


def template(name: str) -> dict[str, Any]:
    """The result of a recorded getblocktemplate."""
    answer: dict[str, Any] = recording(name)
    while "response" in answer or "result" in answer:
        answer = answer.get("response") or answer["result"]
    return answer


def block(name: str) -> bytes:
    return bytes.fromhex((SAMPLES / name).read_text())
