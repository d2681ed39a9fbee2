"""The long options of pooler's minerd 2.5.1, and getopt's abbreviations of them.

minerd's users have these options in scripts and habits, so any beginning that only one of them has stands for it.
Options that minerd doesn't have need their whole name: else a new one could change what an old command means.
"""

LONG_OPTIONS = (
    "--algo", "--background", "--benchmark", "--cert", "--coinbase-addr", "--coinbase-sig", "--config", "--debug",
    "--help", "--no-gbt", "--no-getwork", "--no-longpoll", "--no-redirect", "--no-stratum", "--pass", "--protocol-dump",
    "--proxy", "--quiet", "--retries", "--retry-pause", "--scantime", "--syslog", "--threads", "--timeout", "--url",
    "--user", "--userpass", "--version")


def meant(name: str) -> list[str]:
    """minerd's options that a name such as `--thr` may mean: the one of that name, else all that begin with it."""
    if name in LONG_OPTIONS:
        return [name]
    return [option for option in LONG_OPTIONS if option.startswith(name)] if len(name) > len("--") else []


def full_name(name: str) -> str:
    """minerd's option that `name` stands for; where there is none, or several, the name as it is."""
    options = meant(name)
    return options[0] if len(options) == 1 else name
