"""What the environment says of the way out: proxies and certificates, which every program on a machine shares.

They are looked at where a client is made, for a command that makes no call needs none of them.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from soundcharts_pipeline.config.settings import SettingsError

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXY_SCHEMES = ("http", "https")


def check_connection(environ: Mapping[str, str], *urls: str) -> None:
    """Raises SettingsError that names the variable when calls to these addresses could not even begin."""
    for url in urls:
        proxy = select_proxy(url, get_environ_proxies(url))
        if proxy and not _is_proxy(proxy):
            names = [name for name, value in environ.items() if value == proxy and name.lower().endswith("_proxy")]
            raise SettingsError(
                f"{' and '.join(sorted(names)) or 'the proxy setting'}: not the address of a proxy; write one such as "
                "http://proxy.example:3128, or unset it"
            )
    if any(url.startswith("https:") for url in urls):
        _check_bundle(environ)


def _is_proxy(text: str) -> bool:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        # Reading the port checks it.
        return (
            parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0 and not set(text) & set(" \t\n")
        )
    except ValueError:
        return False


def _check_bundle(environ: Mapping[str, str]) -> None:
    name = next((name for name in BUNDLES if environ.get(name)), None)
    if name is None:
        return
    path = Path(environ[name])
    try:
        if path.is_dir():
            return
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError as error:
        reason = "no certificate is in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(
            f"{name}: {path} cannot be used ({reason}); name a file of certificates in PEM format, or unset it"
        ) from None
