"""The command line, against canned answers of a real HTTP server."""
