"""The server's end of a stratum connection, without I/O and without a clock.

    for event in protocol.receive_data(data):   # each line is read when the loop asks for it, so an answer given
        ...                                     # inside the loop counts for the next line already
    writer.write(protocol.data_to_send())

Subscribing, Authorizing and Submitting want an answer: `subscribe`, `accept` or `refuse`. What breaks the rules is
refused here and never becomes an event. A move that is not allowed raises ProtocolError and changes nothing.
"""

from collections.abc import Callable, Iterator

from miner.core.errors import ProtocolError
from miner.core.model import Job
from miner.core.text import one_line
from miner.stratum import messages
from miner.stratum.fields import u32_hex
from miner.stratum.reject import Reject
from miner.stratum.server_events import (
    Asking,
    AskingT,
    Authorizing,
    Reported,
    ServerEvent,
    Submitting,
    Subscribing,
    Suggested,
)
from miner.stratum.submit_line import SubmitLine, read_submit
from miner.stratum.wire import (
    LineBuffer,
    Request,
    RequestId,
    Response,
    RpcError,
    decode,
    encode_request,
    encode_response,
)
from miner.wrong_door import Speech, WrongDoorError, speech_of

MAX_LINE = 16 << 10  # what a miner has to say is short
MAX_UNANSWERED = 512  # requests that wait for an answer
MAX_USERS = 64  # workers that log in on one connection
PATIENCE = 32  # broken messages in a row before the connection is given up

_ShareFields = tuple[RequestId, str, str, bytes, int, int, int | None]  # of a SubmitLine

_WRONG_DOOR = "this port speaks stratum, without TLS: point a miner at it with stratum+tcp://HOST:PORT"
_HTTP_ANSWER = ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
                f"Content-Length: {len(_WRONG_DOOR) + 1}\r\n\r\n{_WRONG_DOOR}\n").encode()


class _RefusedError(ProtocolError):
    """A well-formed request that can't be granted: answered, and no reason to lose patience."""

    def __init__(self, code: Reject, text: str) -> None:
        super().__init__(text)
        self.code = code


class ServerProtocol:
    """One connection. Its public attributes are for reading."""

    __slots__ = ("nonce", "user_agent", "users", "subscription", "extension", "extranonce_changes", "messages",
                 "version_mask", "_asked_mask", "_offered_mask", "_lines", "_out", "_unanswered", "_serial", "_broken",
                 "_heard")

    def __init__(self, max_line: int = MAX_LINE, *, nonce: bytes = b"") -> None:
        """`nonce`: 16 random bytes or more, with which miners of ours log in without telling their password; b"": they
        won't log in."""
        self.nonce = nonce
        self.messages = 0  # how many the miner has sent, broken ones too
        self.user_agent = ""
        self.users: set[str] = set()  # who may submit
        self.subscription: messages.Subscription | None = None
        self.extension = False  # the miner speaks ours: it sends reports and understands `pause` and `stop`
        self.extranonce_changes = False  # the miner can take a new extranonce without reconnecting
        self.version_mask = 0  # bits of the version that the miner may choose in jobs from now on
        self._asked_mask = self._offered_mask = 0  # bits that it would choose, and those that it could have
        self._lines = LineBuffer(max_line)
        self._out = b""
        self._unanswered: dict[int, Asking] = {}
        self._serial = 0
        self._broken = 0  # broken messages in a row
        self._heard = False  # a well-formed message has come

    # In and out

    def receive_data(self, data: bytes, most: int | None = None) -> Iterator[ServerEvent]:
        """Take what came in and give what it means, event by event; iterate to the end. No more than `most` messages
        are read, and the rest waits (`unread`) for another call, whose data may be empty. The iterator raises
        ProtocolError when the miner is beyond patience, WrongDoorError where it begins with HTTP or TLS: send what is
        left to send, which tells that in words the other end understands, and close the connection."""
        self._lines.feed(data)
        return self._events(most)

    @property
    def unread(self) -> bool:
        """Whether messages wait that have not been read yet."""
        return self._lines.waiting

    def data_to_send(self) -> bytes:
        """What is to be sent now; empties the buffer."""
        data, self._out = self._out, b""
        return data

    # Answers

    def subscribe(self, asking: Subscribing, extranonce1: bytes, extranonce2_size: int, session: str = "") -> None:
        """Let the miner in, with its extranonce1 (up to 32 bytes) and the size of its extranonce2 (0 to 16)."""
        messages.parse_extranonce(extranonce1.hex(), extranonce2_size, messages.Subscribe.METHOD)
        if self.subscription:
            raise ProtocolError("the miner is subscribed already")
        self._settle(asking)
        self.subscription = messages.Subscription(extranonce1, extranonce2_size, session)
        self._reply(asking.request_id, self.subscription.result)

    def accept(self, asking: Authorizing | Submitting, *, no_block: bool = False) -> None:
        """The login holds, or the share counts. `no_block`: as in ShareResult; told where `extension`."""
        self._settle(asking)
        if isinstance(asking, Authorizing):
            self.users.add(asking.username)
        self._reply(asking.request_id, messages.NO_BLOCK if no_block and self.extension else True)

    def refuse(self, asking: Asking, code: int, text: str) -> None:
        """Say no, with a code of `reject.Reject` and a line for the miner's log."""
        self._settle(asking)
        self._refuse(asking.request_id, code, text)

    # What the server says by itself

    def set_difficulty(self, difficulty: float) -> None:
        """Set the difficulty of the jobs that are notified from now on, in the algorithm's own scale."""
        messages.parse_difficulty([difficulty], messages.SetDifficulty.METHOD)
        self._need_subscription()
        self._say(messages.SetDifficulty(difficulty))

    def notify(self, job: Job, clean: bool) -> None:
        """Hand out a job. Its extranonces and share target don't travel with it: `subscribe`, `set_extranonce` and
        `set_difficulty` say them beforehand. `clean`: what the miner has is worthless now."""
        self._need_subscription()
        self._say(messages.Notify.from_job(job, clean))

    def announce(self, line: bytes) -> None:
        """Hand out a job that other connections get as well, as `notify` does: a line of a NotifyLine."""
        self._need_subscription()
        self._out += line

    def set_extranonce(self, extranonce1: bytes, extranonce2_size: int) -> None:
        """Set the extranonce1 and the size of the extranonce2 for the jobs that are notified from now on. Only where
        `extranonce_changes`; others must `reconnect`."""
        messages.parse_extranonce(extranonce1.hex(), extranonce2_size, messages.SetExtranonce.METHOD)
        session = self._need_subscription().session
        if not self.extranonce_changes:
            raise ProtocolError("the miner can't take a new extranonce: tell it to reconnect")
        self.subscription = messages.Subscription(extranonce1, extranonce2_size, session)
        self._say(messages.SetExtranonce(extranonce1, extranonce2_size))

    def offer_versions(self, mask: int) -> None:
        """The bits of the version that a miner may choose in jobs from now on, if it asks for version rolling (BIP
        310). One that has asked is told where they are others than before."""
        self._offered_mask = mask
        if self._asked_mask and self.version_mask != self._asked_mask & mask:
            self.version_mask = self._asked_mask & mask
            self._say(messages.SetVersionMask(self.version_mask))

    def reconnect(self, wait: float = 0.0) -> None:
        """Ask the miner to connect again, at this host and port, after `wait` seconds."""
        self._say(messages.Reconnect(wait=wait))

    def show_message(self, text: str) -> None:
        """One line for the person who mines."""
        self._say(messages.ShowMessage(one_line(text)))

    def stop(self, reason: str) -> None:
        """Our extension: there is no more to do, don't come back. Only where `extension`."""
        if not self.extension:
            raise ProtocolError("the miner doesn't know sparkminer.stop: just close the connection")
        self._say(messages.Stop(one_line(reason)))

    def pause(self, reason: str, seconds: float) -> None:
        """Our extension: void the jobs so far, rest until the next one. Only where `extension`."""
        if not self.extension:
            raise ProtocolError("the miner doesn't know sparkminer.pause")
        self._say(messages.Pause(one_line(reason), seconds))

    # The miner's requests

    def _events(self, most: int | None) -> Iterator[ServerEvent]:
        last = None if most is None else self.messages + most
        while (last is None or self.messages < last) and (line := self._lines.next_line()) is not None:
            self.messages += 1
            event = self._read(line)
            if event is not None:
                yield event
        if not self._heard:
            self._check_door(self._lines.head)

    def _check_door(self, data: bytes) -> None:
        """Raise WrongDoorError where the first that the other end says is no stratum, and answer in its own way."""
        speech = None if self._heard else speech_of(data)
        if speech is None or speech is Speech.STRATUM:
            return
        self._out += (_HTTP_ANSWER if speech is Speech.HTTP  # and a TLS client says of whatever else that it is no TLS
                      else encode_response(None, None, RpcError(Reject.OTHER, _WRONG_DOOR)))
        raise WrongDoorError(speech)

    def _read(self, line: bytes) -> ServerEvent | None:
        request_id: RequestId = None
        try:
            message = read_submit(line) or decode(line)
            self._heard = True
            if isinstance(message, Response):
                return None  # an answer to something that we said, e.g. client.get_version
            request_id = message.id
            event = self._share(message) if isinstance(message, SubmitLine) else self._meaning(message)
        except _RefusedError as refused:
            self._refuse(request_id, refused.code, str(refused))
            return None
        except ProtocolError as error:
            self._check_door(line)
            self._refuse(request_id, Reject.OTHER, str(error))
            self._broken += 1
            if self._broken >= PATIENCE:
                raise ProtocolError(f"{PATIENCE} broken messages in a row, the last: {error}") from None
            return None
        self._broken = 0
        return event

    def _meaning(self, request: Request) -> ServerEvent | None:
        if request.method not in _METHODS:
            raise _RefusedError(Reject.NO_METHOD, f"unknown method {one_line(request.method, 64)}")
        return _METHODS[request.method](self, request)

    def _configure(self, request: Request) -> None:
        asked = messages.Configure.parse(request.params)
        wanted = asked.extensions
        self.extension = self.extension or messages.EXTENSION in wanted
        self.extranonce_changes = self.extranonce_changes or self.extension or "subscribe-extranonce" in wanted
        known = {messages.EXTENSION, "subscribe-extranonce"}
        granted: dict[str, object] = {name: name in known for name in wanted}
        if messages.ROLLING in wanted:
            mask = asked.version_mask & self._offered_mask
            if mask and mask.bit_count() >= asked.least_version_bits:
                self.version_mask, self._asked_mask = mask, asked.version_mask
                granted |= {messages.ROLLING: True, messages.ROLLING_MASK: u32_hex(mask)}
        if messages.EXTENSION in wanted and self.nonce:
            granted[messages.NONCE] = self.nonce.hex()
        self._reply(request.id, granted)

    def _subscribing(self, request: Request) -> Subscribing:
        message = messages.Subscribe.parse(request.params)
        if self.subscription or any(isinstance(asking, Subscribing) for asking in self._unanswered.values()):
            raise _RefusedError(Reject.OTHER, "already subscribed")
        self.user_agent = message.user_agent
        return self._ask(Subscribing(request.id, self._serial, message.user_agent, message.session))

    def _authorizing(self, request: Request) -> Authorizing:
        message = messages.Authorize.parse(request.params)
        if len(self.users) >= MAX_USERS:
            raise _RefusedError(Reject.UNAUTHORIZED, f"more than {MAX_USERS} workers on one connection")
        return self._ask(Authorizing(request.id, self._serial, message.username, message.password))

    def _submitting(self, request: Request) -> Submitting:
        share = messages.Submit.parse(request.params)
        return self._share((request.id, share.username, share.job_id, share.extranonce2, share.ntime, share.nonce,
                            share.version_bits))

    def _share(self, fields: _ShareFields) -> Submitting:
        if not self.subscription:
            raise _RefusedError(Reject.NOT_SUBSCRIBED, "not subscribed")
        if fields[1] not in self.users:
            raise _RefusedError(Reject.UNAUTHORIZED, "unauthorized worker")
        return self._ask(Submitting(self._serial, *fields))

    def _suggested(self, request: Request) -> Suggested:
        message = messages.SuggestDifficulty.parse(request.params)
        self._reply(request.id, True)
        return Suggested(message.difficulty)

    def _reported(self, request: Request) -> Reported:
        if not self.extension:
            raise ProtocolError("sparkminer.report without mining.configure")
        return Reported(messages.Report.parse(request.params).report)

    def _extranonce_subscribe(self, request: Request) -> None:
        self.extranonce_changes = True
        self._reply(request.id, True)

    def _ping(self, request: Request) -> None:
        self._reply(request.id, "pong")

    # The small steps

    def _ask(self, asking: AskingT) -> AskingT:
        if len(self._unanswered) >= MAX_UNANSWERED:
            raise _RefusedError(Reject.OTHER, "too many requests at once")
        self._unanswered[asking.serial] = asking
        self._serial += 1
        return asking

    def _settle(self, asking: Asking) -> None:
        if self._unanswered.get(asking.serial) is not asking:
            raise ProtocolError("this request was answered already, or is not of this connection")
        del self._unanswered[asking.serial]

    def _need_subscription(self) -> messages.Subscription:
        if not self.subscription:
            raise ProtocolError("the miner has not subscribed yet")
        return self.subscription

    def _reply(self, request_id: RequestId, result: object) -> None:
        if request_id is not None:  # a notification wants no answer
            self._out += encode_response(request_id, result)

    def _refuse(self, request_id: RequestId, code: int, text: str) -> None:
        if request_id is not None:
            self._out += encode_response(request_id, None, RpcError(code, one_line(text)))

    def _say(self, message: messages.FromServer) -> None:
        self._out += encode_request(None, message.METHOD, message.params)


_METHODS: dict[str, Callable[[ServerProtocol, Request], ServerEvent | None]] = {
    messages.Configure.METHOD: ServerProtocol._configure,
    messages.Subscribe.METHOD: ServerProtocol._subscribing,
    messages.Authorize.METHOD: ServerProtocol._authorizing,
    messages.Submit.METHOD: ServerProtocol._submitting,
    messages.SuggestDifficulty.METHOD: ServerProtocol._suggested,
    messages.Report.METHOD: ServerProtocol._reported,
    messages.EXTRANONCE_SUBSCRIBE: ServerProtocol._extranonce_subscribe,
    messages.PING: ServerProtocol._ping,
}
