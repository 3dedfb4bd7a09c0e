"""Berth on one machine: its own PostgreSQL, a Temporal dev server, and the supervisor behind `berth up`."""
