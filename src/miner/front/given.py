"""What has been given while a command line is read: which login belongs to which URL, and from which config files."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Login:
    """A URL without its credentials, and who we are there; None where nobody has said.

    place  where the URL was given: the path of a config file, "" for the command line
    """

    url: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Logins:
    """The URLs of one kind that have been given so far, in order. A user name or password that is given after a URL
    belongs to that URL alone; `common` is what was given before the first one, and counts for all of them."""

    current: Login = Login()
    earlier: tuple[Login, ...] = ()
    common: Login = Login()

    def all(self) -> tuple[Login, ...]:
        """At least one, whose URL may be None."""
        return (*self.earlier, self.current)

    def with_url(self, url: str, place: str) -> "Logins":
        """A further URL, given at `place`. A URL of the command line takes the place of a config file's, with its
        login, as with minerd; and the other way round."""
        if self.current.url is None:
            return Logins(replace(self.current, url=url, place=place), common=self.current)
        if self.current.place != place:
            return replace(self, current=replace(self.current, url=url, place=place), earlier=())
        return replace(self, current=replace(self.common, url=url, place=place), earlier=self.all())

    def with_username(self, username: str) -> "Logins":
        return replace(self, current=replace(self.current, username=username))

    def with_password(self, password: str) -> "Logins":
        return replace(self, current=replace(self.current, password=password))


@dataclass(frozen=True, slots=True)
class Given:
    """What options have given that goes beyond a value for each of them. A parser keeps one as its namespace's `given`,
    and replaces it as it reads on.

    source, aux     URLs and logins of where work comes from, and of the node of a chain to mine along
    reading         the config file that is being read; "": none, but the command line
    secret_configs  config files in which a password stands
    passed_over     names in config files that are no options here, each behind its file's path
    """

    source: Logins = Logins()
    aux: Logins = Logins()
    reading: str = ""
    secret_configs: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()
