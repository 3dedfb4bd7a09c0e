"""Bodies of requests, checked: everything that can be said of them before a record is read for a change."""
