"""The configuration that a run was begun with: what decides its numbers has a sum in config.yml from the start.

Checkpoints and finished scenes name their configuration themselves. Until there is one of them, this line is all that
tells a setting that was changed by hand, or a flipped bit, from what was asked for.
"""

from __future__ import annotations

import re
from pathlib import Path

from paddle_umsft.config.run import Config
from paddle_umsft.errors import CheckpointError
from paddle_umsft.machine.plain_files import open_plain

# YAML takes the line for a comment, so that the file serves as a configuration anywhere else.
_LINE = "# begun with {digest}: --resume refuses this file where a setting that decides the numbers is another one\n"
_BEGUN_WITH = re.compile(r"^# begun with (.*?):")


def sealed_text(config: Config) -> str:
    """Return the text of config.yml: the sum, then every key."""
    return _LINE.format(digest=config.digest()) + config.to_yaml()


def check_untouched(path: Path, config: Config) -> None:
    """Check that config.yml says what the run was begun with. Runs of earlier versions have no such line.

    Args:
        path: The file.
        config: What was read from it, nothing added.

    Raises:
        CheckpointError: A setting that decides the numbers has been changed, or the line has.
    """
    try:
        with open_plain(path) as file:
            first = file.readline().decode(errors="replace")
    except OSError as error:
        raise CheckpointError("cannot be read", where=path, got=error) from None
    found = _BEGUN_WITH.match(first)
    if found is None or config.is_digest(found[1]):
        return
    raise CheckpointError(
        "it is not what this run was begun with",
        where=path,
        expected=found[1],
        got=config.digest(),
        hint="put it back; to go on with another setting, say so: --resume DIR -o key=value",
    )
