"""The monitor: sees what really is, and writes of it what the table allows (docs/monitor.md).

One observer per scope holds a lease. It is woken by the provider, by a listing, by a changed record or by time;
whatever woke it, only a direct look decides. Composed by `worker.py`; it runs in threads of its own.
"""
