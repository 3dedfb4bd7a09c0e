"""One module per group of commands. Each exports `app`, which `cli.main` merges into `berth`."""
