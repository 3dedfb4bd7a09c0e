"""Before and after every request: who comes, how often, with what, and what is written down of it."""
