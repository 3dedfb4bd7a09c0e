"""Images for the tests, built on this machine without any registry; see `build.py`."""
