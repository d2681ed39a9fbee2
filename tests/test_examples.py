"""The examples for Prometheus and Grafana name metrics that there are, and Prometheus takes them."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from counterparts import executable, require
from status_page import a_hub, served

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
FOLDER = Path(os.environ.get("MINER_BROWSER_DIR", Path(__file__).parent / "browser"))


@pytest.fixture(scope="module")
def promtool() -> Path:
    return require("promtool", executable("promtool", str(FOLDER / "promtool")), "ci/install-browser")


def check(promtool: Path, *args: str, data: bytes = b"") -> str:
    done = subprocess.run([promtool, *args], input=data, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def metrics() -> bytes:
    with served(a_hub()[0]) as site:
        return site.ask("/metrics").body


def expressions() -> list[str]:
    dashboard = json.loads((EXAMPLES / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_prometheus_takes_the_configuration_and_the_alerts(promtool: Path) -> None:
    assert "4 rules found" in check(promtool, "check", "config", str(EXAMPLES / "prometheus.yml"))


def test_prometheus_takes_every_expression_of_the_dashboard(promtool: Path, tmp_path: Path) -> None:
    rules = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions())]}]}
    (tmp_path / "rules.yml").write_text(json.dumps(rules))  # JSON is YAML
    assert f"{len(expressions())} rules found" in check(promtool, "check", "rules", str(tmp_path / "rules.yml"))


def test_prometheus_finds_no_fault_with_the_metrics(promtool: Path, metrics: bytes) -> None:
    check(promtool, "check", "metrics", data=metrics)


def test_every_metric_that_an_example_names_is_there(metrics: bytes) -> None:
    there = set(re.findall(r"^(sparkminer_\w+)", metrics.decode(), re.MULTILINE))
    named = set(re.findall(r"sparkminer_\w+", " ".join(expressions()) + (EXAMPLES / "alerts.yml").read_text("utf-8")))
    assert len(named) > 8 and named <= there, named - there
