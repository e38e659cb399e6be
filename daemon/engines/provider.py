"""The setting `provider`: where a network runs."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Local = Literal["auto", "cpu", "cuda"]
"""Here, by ONNX Runtime."""
LOCAL: dict[str, Local] = {"auto": "auto", "cpu": "cpu", "cuda": "cuda"}
KSERVE = "kserve:"
_SCHEMES: dict[str, Literal["http", "grpc"]] = {"http": "http", "grpc": "grpc"}


@dataclass(frozen=True)
class Endpoint:
    """One replica of a server that speaks the KServe v2 protocol."""

    scheme: Literal["http", "grpc"]
    address: str
    """HOST:PORT; of http a path may follow."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"


def parse_provider(text: str) -> Local | tuple[Endpoint, ...]:
    """What a `provider` means.

    Raises:
        ValueError: nothing.
    """
    if local := LOCAL.get(text):
        return local
    if not text.startswith(KSERVE):
        raise ValueError(
            f"provider = {text!r} must be one of 'auto', 'cpu', 'cuda', or kserve:http://HOST:PORT or "
            "kserve:grpc://HOST:PORT, of several replicas with commas between"
        )
    endpoints = tuple(_endpoint(url) for url in text.removeprefix(KSERVE).split(","))
    if len(set(endpoints)) < len(endpoints):
        raise ValueError(f"provider = {text!r} names a replica twice; name each once")
    return endpoints


def _endpoint(url: str) -> Endpoint:
    try:
        parts = urlsplit(url.strip())
        scheme, whole = _SCHEMES.get(parts.scheme), parts.hostname is not None and parts.port is not None
    except ValueError:  # a port that is no number
        scheme, whole = None, False
    plain = parts.username is None and not parts.query and not parts.fragment if whole else False
    if scheme is None or not plain or (scheme == "grpc" and parts.path.strip("/")):
        raise ValueError(f"provider: replica {url!r} must be http://HOST:PORT or grpc://HOST:PORT")
    return Endpoint(scheme, parts.netloc + parts.path.rstrip("/"))
