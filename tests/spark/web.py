"""Spark's UI, as a browser or its REST clients ask it."""

import urllib.request
from collections.abc import Sequence

from spark.running import re_lines


def ui_port(lines: Sequence[str]) -> str:
    return re_lines(r"Spark's UI: http://[\w.]+:(\d+)", lines)[0][0]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text
