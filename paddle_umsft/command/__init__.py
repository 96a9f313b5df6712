"""The command `umsft`, a file a subcommand, and what `tools/*.py` call: reading of options, and exit codes."""
