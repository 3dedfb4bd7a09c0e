"""`python -m cli`: the same program where the console script is not installed."""

from cli.main import main

main()
