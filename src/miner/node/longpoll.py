"""The URL that a server names for long polls, where our credentials may go there. Pure."""

from urllib.parse import urljoin, urlsplit

from miner.node.fields import MAX_TEXT


def long_poll_url(offered: str, url: str) -> str:
    """The URL that a server at `url` offers, relative or whole; "" if it makes no sense or is on another host, which
    would get our credentials."""
    if not offered or len(offered) > MAX_TEXT or not offered.isascii() or not offered.isprintable() or " " in offered:
        return ""
    try:
        full = urljoin(url, offered)
        there, here = urlsplit(full), urlsplit(url)
        same = (there.hostname, there.scheme) == (here.hostname, here.scheme) and there.port != 0
    except ValueError:
        return ""
    return full if same and "@" not in there.netloc and not there.fragment else ""
