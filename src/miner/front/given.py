"""What has been given while a command line is read: which login belongs to which URL, and from which config files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from miner.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or token, or where to get it.

    option  the option that gave it, as messages name it
    place   where that option stood: the path of a config file, "" for the command line
    text    the secret itself, where the option has it
    file    else the file whose first line it is; where there is neither, a person is to be asked
    """

    option: str
    place: str
    text: str | None = field(default=None, repr=False)
    file: str = ""

    def refuse_other(self, other: "Secret | None", noun: str) -> None:
        """Raise UsageError if `other` was given at the place of this secret by another option. Of two places the later
        one counts, as with any option."""
        if other is not None and other.place == self.place and other.option != self.option:
            raise UsageError(f"{other.option} and {self.option} both give the {noun}: leave one of them out")


@dataclass(frozen=True, slots=True)
class Login:
    """A URL without its credentials, and the user name and password for it; None where they have not been given.

    place  where the URL was given: the path of a config file, "" for the command line
    """

    url: str | None = None
    username: str | None = None
    password: Secret | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Logins:
    """The URLs of one kind that have been given so far, in order. A user name or password that is given after a URL
    belongs to that URL alone; `common` is what was given before the first one, and counts for all of them."""

    current: Login = Login()
    earlier: tuple[Login, ...] = ()
    common: Login = Login()

    def all(self) -> tuple[Login, ...]:
        """All URLs in order, at least one: where none has been given its `url` is None."""
        return (*self.earlier, self.current)

    def with_url(self, url: str, place: str) -> "Logins":
        """The logins with a further URL, given at `place`. A URL of the command line takes the place of all of a config
        file's and keeps the last login, as with minerd; so does a config file's URL with those of the command line."""
        if self.current.url is None:
            return Logins(replace(self.current, url=url, place=place), common=self.current)
        if self.current.place != place:
            return replace(self, current=replace(self.current, url=url, place=place), earlier=())
        return replace(self, current=replace(self.common, url=url, place=place), earlier=self.all())

    def with_username(self, username: str) -> "Logins":
        """The logins with a user name for the URL that was given last, or for all if there is none yet."""
        return replace(self, current=replace(self.current, username=username))

    def with_password(self, password: Secret) -> "Logins":
        """The logins with a password for the URL that was given last, or for all if there is none yet. Raises
        UsageError if another option has given one for that URL alone."""
        if self.current.url is None or self.current.password is not self.common.password:
            password.refuse_other(self.current.password, "password")
        return replace(self, current=replace(self.current, password=password))

    def without_password_of_elsewhere(self, place: str) -> "Logins":
        """The logins without the password of a URL that is the only one, if that password was given at another place
        than `place`."""
        password = self.current.password
        if self.earlier or password is None or password.place == place:
            return self
        return replace(self, current=replace(self.current, password=None))

    def refuse_two_passwords(self, for_all: Secret | None) -> None:
        """Raise UsageError if a password that is meant for every URL without one is of no use, since they all have one.
        `for_all` is the one of an option such as --password-file; a password before the first URL is looked at, too."""
        own = [login.password for login in self.all() if login.password is not None]
        if len(own) == len(self.all()):
            for password in own:
                password.refuse_other(for_all, "password")
                password.refuse_other(self.common.password, "password")


@dataclass(frozen=True, slots=True)
class Given:
    """What options have given that goes beyond a value for each of them. A parser keeps one as its namespace's `given`,
    and replaces it as it reads on.

    source, aux     URLs and logins of where work comes from, and of the node of a chain to mine along
    secrets         by name: `password` and `aux_password`, for URLs that have none of their own, and a hub's `token`
    reading         the config file that is being read; "": none, but the command line
    secret_configs  config files in which a password stands
    passed_over     names in config files that are no options here, each behind its file's path
    """

    source: Logins = Logins()
    aux: Logins = Logins()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    reading: str = ""
    secret_configs: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()

    def with_secret(self, name: str, secret: Secret) -> "Given":
        """With a secret under its name. Raises UsageError if another option of that place has given it already."""
        secret.refuse_other(self.secrets.get(name), name.removeprefix("aux_"))
        given = replace(self, secrets={**self.secrets, name: secret})
        match name:
            case "password":
                return replace(given, source=self.source.without_password_of_elsewhere(secret.place))
            case "aux_password":
                return replace(given, aux=self.aux.without_password_of_elsewhere(secret.place))
        return given
