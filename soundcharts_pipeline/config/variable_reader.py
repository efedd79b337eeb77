"""Reads environment variables of each kind: what is wrong with one is kept as a sentence, and a default stands in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from soundcharts_pipeline.config.settings import SettingsError
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.wording import day_named, unseen_in

_MOST = 999_999_999
# A name (also one of other letters than ASCII), or an address of either kind.
_HOST = re.compile(r"[^\W_][\w-]*(\.[\w-]+)*\.?|[0-9a-f]*:[0-9a-f:.]+(%\w+)?", re.IGNORECASE)

Default = TypeVar("Default", int, None)


def is_web_address(text: str) -> bool:
    """Whether this is an address that calls can go to: a host, maybe a port and a path, nothing else."""
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", text, re.IGNORECASE):
        return False
    try:
        parts = urlsplit(text)
        # Reading the port checks it.
        return parts.port != 0 and bool(_HOST.fullmatch(parts.hostname or ""))
    except ValueError:
        return False


class VariableReader:
    """Reads one variable after the other; a mistake is kept and the default stands in for the value."""

    def __init__(self, environ: Mapping[str, str], current_folder: Path) -> None:
        self._environ = environ
        self._current_folder = current_folder
        self.mistakes: list[str] = []

    def text(self, name: str) -> str | None:
        """The value, None when unset, empty or blank, or with a character that nobody sees (several lines may be)."""
        text = self._value(name)
        if text and (unseen := unseen_in(re.sub(r"\s", " ", text))):
            self.mistakes.append(f"{name}: it holds {unseen}, which nobody sees; write it without")
            return None
        return text

    def _value(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def credential(self, name: str) -> str | None:
        """A text that travels in a header. No message repeats it."""
        text = self._value(name)
        if text is None or re.fullmatch(r"[\x20-\x7e]+", text):
            return text
        what = "a line break" if re.search(r"[\r\n]", text) else "a character that is no plain letter, digit or sign"
        self.mistakes.append(
            f"{name}: it holds {what}, which no header can carry; write it again in one line, as given"
        )
        return None

    def path(self, name: str, *, default: Path) -> Path:
        text = self.text(name)
        return self._current_folder / text if text else default

    def folder(self, name: str, *, default: Path) -> Path:
        """A path at which there is a folder, or nothing yet."""
        path = self.path(name, default=default)
        try:
            if path.is_dir() or not path.exists():
                return path
            reason = "it is a file"
        except OSError as error:
            reason = str(error.strerror)
        self.mistakes.append(f"{name}: {brief(str(path))} can be no folder ({reason}); name another, or unset it")
        return path

    def whole_number(self, name: str, *, least: int, most: int = _MOST, default: Default) -> int | Default:
        text = self.text(name)
        if text is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
            return int(text)
        bounds = f"from {least} up" if most == _MOST else f"from {least} to {most}"
        remedy = f"write one such as {1000 if default is None else default}, or unset it"
        self.mistakes.append(f"{name}: '{brief(text)}' is not a whole number {bounds}; {remedy}")
        return default

    def moment(self, name: str) -> datetime | None:
        """A time with its zone."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text) if text and day_named(text[:10]) else None
        except ValueError:
            moment = None
        if text and (moment is None or moment.tzinfo is None):
            self.mistakes.append(
                f"{name}: '{text}' is not a time with its zone; write one such as 2026-11-20T12:00:00Z, or unset it"
            )
            return None
        return moment.astimezone(UTC) if moment else None

    def web_address(self, name: str, *, default: str) -> str:
        text = self.text(name)
        if text is None or is_web_address(text):
            return (text or default).rstrip("/")
        problem = "it holds a user or a password" if "@" in text else "not a web address"
        self.mistakes.append(f"{name}: {problem}; write one such as {default}, or unset it")
        return default

    def networks(self, name: str) -> tuple[str, ...]:
        """Addresses and networks, in the form that compares."""
        found = []
        for text in re.split(r"[\s,]+", self.text(name) or ""):
            try:
                found += [str(ip_network(text))] if text else []
            except ValueError:
                self.mistakes.append(
                    f"{name}: '{brief(text)}' is no address and no network of addresses; write those of your reverse "
                    "proxies, such as 127.0.0.1, 10.0.0.0/24, or unset it"
                )
        return tuple(found)

    def umask(self, name: str) -> int:
        """The rights that files of ours are made without; none of the owner's own."""
        text = self.text(name) or "077"
        if re.fullmatch(r"0{0,2}[0-7]{2}", text):
            return int(text, 8)
        self.mistakes.append(
            f"{name}: '{brief(text)}' is no umask that leaves you your own files; write 077 (nobody else reads them), "
            "027 (your group does) or 022 (everybody does), or unset it"
        )
        return 0o077

    def root_path(self, name: str) -> str:
        """A path that addresses begin with, without a slash at its end; '' for none."""
        text = (self.text(name) or "").rstrip("/")
        if not text or (len(text) <= 200 and re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+", text)):
            return text
        self.mistakes.append(f"{name}: '{brief(text)}' is no path of plain words; write one like /music, or unset it")
        return ""

    def database(self, name: str, *, default: Path) -> str:
        """The URL of a database, checked; that of the default file needs no check."""
        text = self.text(name)
        if text is not None:
            # SQLAlchemy takes 0.15 s to import, and what opens no database should not wait for it.
            from soundcharts_pipeline.config.database_url import checked_url

            try:
                return checked_url(text, self._current_folder)
            except SettingsError as error:
                self.mistakes.append(f"{name}: {error}")
        return f"sqlite:///{quote(default.as_posix(), safe=' +/')}"
