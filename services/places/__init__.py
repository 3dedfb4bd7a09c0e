"""Where instances can be: hosts, what their workers report of providers, and what this version offers."""
