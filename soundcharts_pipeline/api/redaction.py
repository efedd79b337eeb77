"""Keeps credentials out of every text, whoever wrote it: servers, proxies and libraries repeat what they were sent."""

import base64
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from html.entities import codepoint2name
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "[hidden]"
# The pair of the sandbox is printed in the vendor's documentation, and is the vendor's name.
_PUBLIC = "soundcharts"
# One so short may be a part of an ordinary word: it is hidden where it stands alone.
_SHORT = 8
# One that is shorter is looked for in its plain forms alone: it stands in too many texts by chance.
_FUZZY = 6
# What may be base64, its `+`, `/` and `=` escaped or not.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]|\\/|%(?:25){0,4}2[BbFf]){8,}(?:=|%(?:25){0,4}3[Dd])*")
_ESCAPED = re.compile(r"%(?:25)*(2[BbFf]|3[Dd])")


def redacted(text: str, secrets: Collection[str]) -> str:
    """The text without the secrets: as they are, URL-encoded or escaped in whole or in part, in hexadecimal digits, and
    without all base64 of a text that holds one."""
    fuzzy = {secret for secret in secrets if len(secret) >= _FUZZY and secret != _PUBLIC}
    if encoded := [secret.encode(errors="surrogatepass").lower() for secret in fuzzy]:
        text = _BASE64.sub(lambda run: HIDDEN if _decodes_to_one(run[0], encoded) else run[0], text)
    forms = {form for secret in secrets for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        alone = (r"(?<!\w)", r"(?!\w)") if len(form) < _SHORT else ("", "")
        text = re.sub(re.escape(form).join(alone), HIDDEN, text, flags=re.IGNORECASE)
    if any(sign in text for sign in "%\\&"):
        for secret in sorted(fuzzy, key=len, reverse=True):
            text = _escaped(secret).sub(HIDDEN, text)
    return text


def credentials_in(urls: Iterable[str]) -> set[str]:
    """User names and passwords that stand in URLs."""
    found = set()
    for url in urls:
        user_info, at, _ = _netloc(url).rpartition("@")
        if at:
            parts = [*user_info.partition(":")[::2], user_info]
            found |= {part for part in parts if part} | {unquote(part) for part in parts if part}
    return found


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return url.partition("//")[2].partition("/")[0]


def _forms(secret: str) -> set[str]:
    if not secret or secret == _PUBLIC:
        return set()
    encoded = secret.encode(errors="surrogatepass")
    coded = {base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode()}
    coded |= {form.rstrip("=") for form in coded}
    if len(secret) >= _FUZZY:
        coded.add(encoded.hex())
    return {secret, quote(encoded, safe=""), quote(encoded), quote_plus(encoded)} | coded


@lru_cache(maxsize=64)
def _escaped(secret: str) -> re.Pattern[str]:
    """Each character for itself as it is or as URLs (once or again), JSON and HTML escape it."""
    return re.compile("".join(map(_spellings, secret)), re.IGNORECASE)


def _spellings(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    forms = [
        r"\\{0,3}" + re.escape(char),
        "".join(f"%(?:25){{0,4}}{byte:02x}" for byte in char.encode(errors="surrogatepass")),
        "".join(rf"\\{{1,3}}u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)),
        f"&(?:amp;)?#(?:0*{ord(char)}|x0*{ord(char):x});",
    ]
    if name := codepoint2name.get(ord(char)):
        forms.append(f"&(?:amp;)?{name};")
    if char == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def _decodes_to_one(run: str, secrets: Iterable[bytes]) -> bool:
    """Whether base64 from any of the first four characters on, for other text may stand right before it, is of a text
    with a secret."""
    plain = _ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), run.replace("\\", "")).rstrip("=")
    plain = plain.replace("-", "+").replace("_", "/")
    for start in range(4):
        part = plain[start:]
        # Filled up with what stands for zeros: a secret may end in the last, incomplete group.
        decoded = base64.b64decode(part + "A" * (-len(part) % 4)).lower()
        if any(secret in decoded for secret in secrets):
            return True
    return False
