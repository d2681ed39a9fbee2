"""Sockets that listen: a hub's, a status page's."""

import asyncio
import socket


async def listening_sockets(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Non-blocking sockets that listen on all addresses of a host, on one port: for 0 the one that the first of them
    gets. `backlog`: connections that wait in the system. Raises OSError, and then none is left open."""
    sockets: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM,
                                                             flags=socket.AI_PASSIVE)
        for family, *_, address in dict.fromkeys(found):
            listening = socket.create_server((address[0], port, *address[2:]), family=family, backlog=backlog)
            listening.setblocking(False)
            sockets.append(listening)
            port = listening.getsockname()[1]
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    return sockets
