"""How processes reach a Temporal that is not theirs alone: TLS, a client certificate, an API key.

Called by the entry points alone (`worker.py`, `api/app.py`), with what `settings.py` has read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from temporalio.client import TLSConfig

from settings import Settings


class TransportError(ValueError):
    """A setting of the way to Temporal that cannot be used; its text names the variable."""

    @property
    def message(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Transport:
    """What `workflows.connection.connect` takes. `tls` None: in clear, as on the loopback."""

    tls: TLSConfig | None = None
    api_key: str | None = None


def transport(settings: Settings) -> Transport:
    """Any of the settings turns TLS on, so that an API key never travels in clear."""
    paths = (settings.temporal_tls_ca, settings.temporal_tls_cert, settings.temporal_tls_key)
    api_key = settings.temporal_api_key.get_secret_value() or None
    if not (settings.temporal_tls or settings.temporal_tls_server_name or api_key or any(paths)):
        return Transport()
    if (settings.temporal_tls_cert is None) != (settings.temporal_tls_key is None):
        raise TransportError("BERTH_TEMPORAL_TLS_CERT and BERTH_TEMPORAL_TLS_KEY are one pair: set both or none")
    ca, certificate, key = (_read(name, path) for name, path in zip(("CA", "CERT", "KEY"), paths, strict=True))
    tls = TLSConfig(
        server_root_ca_cert=ca,
        client_cert=certificate,
        client_private_key=key,
        domain=settings.temporal_tls_server_name or None,
    )
    return Transport(tls, api_key)


def _read(name: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TransportError(f"BERTH_TEMPORAL_TLS_{name}={path} cannot be read: {error.strerror}") from error
    if b"-----BEGIN " not in content:
        raise TransportError(f"BERTH_TEMPORAL_TLS_{name}={path} is not a PEM file")
    return content
