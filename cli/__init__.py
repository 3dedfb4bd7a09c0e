"""The `berth` command: a client of the HTTP API, plus the commands that run Berth on this machine."""
