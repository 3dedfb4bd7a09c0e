"""Instances as plain processes of this host. Start reading at `provider.py`; `locks.py` says why it is safe."""

from providers.process.provider import ProcessProvider

__all__ = ["ProcessProvider"]
