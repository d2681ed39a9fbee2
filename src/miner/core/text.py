"""Words that came over the network, made fit to be shown to a person."""


def one_line(value: object, limit: int = 200) -> str:
    """At most `limit` printable characters of a peer's words, on one line. A backquote becomes an apostrophe: in
    messages of this package it marks a setting (`miner.core.errors`), and a peer names none."""
    return printable(value, limit).replace("`", "'")


def printable(value: object, limit: int = 200) -> str:
    """At most `limit` printable characters on one line; control characters could do a terminal harm. What is neither
    text nor a number of a sane size gives ""."""
    if not isinstance(value, str):
        value = str(value) if isinstance(value, float) or isinstance(value, int) and abs(value) < 1 << 64 else ""
    value = value[: 4 * limit]
    if not value.isprintable():
        value = "".join(char if char.isprintable() else " " for char in value)
    line = " ".join(value.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
