"""`umsft fuse`: two files, or a folder of pairs, to a file or a folder of files; no run folder, no report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from paddle_umsft.command.base import BAD_USAGE, DONE, SETTINGS, Command
from paddle_umsft.command.choices import choices
from paddle_umsft.errors import ConfigError, UmsftError

if TYPE_CHECKING:
    from paddle_umsft.config.run import Config
    from paddle_umsft.data.listing import SceneEntry
    from paddle_umsft.data.records import Record
    from paddle_umsft.data.scene import Observation

# A trained method says where it is so often: every so many steps.
STEPS_BETWEEN_LINES = 50
OUTPUT_HINT = "choose another -o"
FORMATS = ("auto", "npy", "mat", "tif", "envi", "nc")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("hsi", metavar="HSI", help="the hyperspectral image, or a folder of them")
    parser.add_argument("msi", metavar="MSI", nargs="?", help="the sharper one, or a folder with names alike; none: HSI"
        " is a folder of pairs (a_hsi.tif, a_msi.tif)")  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="file (its ending is its format) or folder"
    )
    parser.add_argument("-c", "--config", default="fast.yml", metavar="FILE", help="configuration (default: fast.yml)")
    parser.add_argument("-m", "--method", help="instead of the configuration's")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key.sub=value",
        help=f"{SETTINGS} observe.srf=sentinel2a observe.known_srf=true ...")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, help="of the files in an output folder (default: auto)")
    parser.add_argument("--alone", action="store_true", help="no expected error and no mask beside the result")
    parser.add_argument("--skip-existing", action="store_true", help="leave out pairs whose result is there already")
    parser.add_argument("--quiet", action="store_true", help="only what went wrong, and the files")


def run(arguments: argparse.Namespace) -> int:
    """Fuse; in a folder a pair that fails does not stop the others, and the worst of their codes is returned."""
    from paddle_umsft.config.load import load_config
    from paddle_umsft.data.listing import list_scenes
    from paddle_umsft.runs.folder import check_writable
    from paddle_umsft.runs.run import check_names
    from paddle_umsft.runs.writers.table import check_format

    output = Path(arguments.output).expanduser()
    msi = arguments.msi or arguments.hsi
    overrides = [f"data.lr_hsi={arguments.hsi}", f"data.hr_msi={msi}", *arguments.set]
    if arguments.method is not None:
        overrides.append(f"method={arguments.method}")
    config = load_config(arguments.config, overrides)
    check_names(config)
    if arguments.alone:
        config.output.trust = False
    is_folder = Path(arguments.hsi).expanduser().is_dir() and _is_folder(output)
    format = _asked_format(output, arguments.format, is_folder=is_folder)
    check_format(format)
    check_writable(output.parent)
    entries = list_scenes(config.data)
    if len(entries) > 1 and not is_folder:
        raise ConfigError(
            "several pairs and one file",
            where="-o",
            expected="a folder",
            got=str(output),
        )
    code = DONE
    for place, entry in enumerate(entries, start=1):
        if len(entries) > 1:
            print(f"pair {place} of {len(entries)}: {entry.name}")
        target: Optional[Path] = output
        if is_folder:
            target = None
        try:
            arguments.interrupted = f"{place - 1} of {len(entries)} pairs are written"
            _fuse_one(entry, config, format, target, output, arguments)
        except UmsftError as error:
            if len(entries) == 1 or error.exit_code == BAD_USAGE:
                raise
            print(f"error: {entry.name}: {error}", file=sys.stderr)
            code = max(code, error.exit_code)
    return code


def _is_folder(output: Path) -> bool:
    """Return whether an output is meant as a folder: it is one, or its name has no ending."""
    return output.is_dir() or not output.suffix


def _asked_format(output: Path, asked: Optional[str], *, is_folder: bool) -> str:
    """Return the format that the options ask for.

    Raises:
        ConfigError: The file's ending asks for none, or for another one than --format.
    """
    from paddle_umsft.runs.writers.table import AUTO, format_of

    if is_folder:
        return asked or AUTO
    by_name = format_of(output)
    if asked not in (None, AUTO, by_name):
        raise ConfigError("two formats", where="--format", expected=f"{by_name}, as -o {output.name} says", got=asked)
    return by_name


def _fuse_one(
    entry: SceneEntry,
    config: Config,
    format: str,
    target: Optional[Path],
    folder: Path,
    arguments: argparse.Namespace,
) -> None:
    """Read, fuse and write one pair.

    Args:
        entry: The pair.
        config: All settings.
        format: One of the writers', or auto.
        target: The result's file; None: by the pair's name, in `folder`.
        folder: Where results of a folder of pairs go.
        arguments: The options.
    """
    from paddle_umsft.machine.failures import in_one_line
    from paddle_umsft.methods.table import run_method
    from paddle_umsft.runs.folder import made_by
    from paddle_umsft.runs.handed import Handed
    from paddle_umsft.runs.large_run import fuse_to_file, work_beside
    from paddle_umsft.runs.plan_ahead import plan_ahead
    from paddle_umsft.runs.scene import case_lines, make_case
    from paddle_umsft.runs.strip_plan import goes_by_strips
    from paddle_umsft.runs.writers.beside import write_beside
    from paddle_umsft.runs.writers.product import make_product, pair_under
    from paddle_umsft.runs.writers.table import FORMATS, settled_format, write_product

    if target is None and arguments.skip_existing and _is_there(folder, entry.name):
        print(f"{entry.name}: is there already, skipped")
        return
    with in_one_line(entry.name):
        ahead = plan_ahead(entry, config, work_beside(target or folder / entry.name), format)
        said = None
        if ahead is not None:
            said = ahead.plan
            if not arguments.quiet:
                print("\n".join(ahead.lines), flush=True)
        case = make_case(entry, config)
        if not arguments.quiet:
            print("\n".join(case_lines(case, config)))
        if goes_by_strips(case.observation, config):
            settled, _ = settled_format(format, case.observation)
            if target is None:
                target = folder / f"{entry.name}{FORMATS[settled].suffix}"
            handed = Handed(case.observation)
            del case
            fuse_to_file(
                entry,
                handed,
                config,
                target,
                settled,
                alone=arguments.alone,
                quiet=arguments.quiet,
                said=said,
            )
            return
        on_record = None
        if not arguments.quiet:
            on_record = _say_step
            _say_tiles(case.observation, config)
        result = run_method(case.observation, config, on_record)
        # What makes a result doubtful is said before where it is.
        verdict = result.verdict
        notes = list(result.notes)
        if verdict is not None:
            notes = [note for note in notes if note != verdict.line]
            print(f"verdict    {verdict.line}")
        for note in notes:
            print(f"note       {note}", file=sys.stderr)
        settled, why = settled_format(format, case.observation)
        if why is not None:
            print(f"note       {why}", file=sys.stderr)
        if target is None:
            target = folder / f"{entry.name}{FORMATS[settled].suffix}"
        under = pair_under(result, case.observation)
        product = make_product(result.fused, under, made_by(case.observation, result), result.valid)
        files = write_product(target, product, settled, hint=OUTPUT_HINT)
        if not arguments.alone:
            prefix = f"{target.stem}_"
            files += write_beside(target.parent, prefix, result, under, settled, hint=OUTPUT_HINT)
    print(f"fused in {result.seconds:.1f} s by {result.method}: {', '.join(str(file) for file in files)}")


def _is_there(folder: Path, name: str) -> bool:
    """Return whether a folder holds a pair's result, in whatever format."""
    from paddle_umsft.runs.writers.table import FORMATS

    return any((folder / f"{name}{row.suffix}").is_file() for row in FORMATS.values())


def _say_tiles(observation: Observation, config: Config) -> None:
    """Say in which tiles a network will be trained, if it will be in tiles."""
    from paddle_umsft.machine.environment import import_paddle
    from paddle_umsft.methods.table import find_method, tiles_for

    if find_method(config.method).memory_of is None:
        return
    import_paddle()
    plan = tiles_for(observation, config)
    if plan is not None:
        print("\n".join(plan.lines()), flush=True)


def _say_step(record: Record) -> None:
    """Say where a trained method is, now and then."""
    iteration = int(record.get("iteration", 0))
    # A method that fuses in one go has a record too, of no iteration.
    if iteration > 0 and iteration % STEPS_BETWEEN_LINES == 0:
        loss = record.get("loss", float("nan"))
        print(f"{record.get('stage', '')} {iteration}: loss {loss:.4g}", file=sys.stderr)


FUSE = Command(
    name="fuse",
    summary="Fuse two files into one: the HSI's bands and units, on the MSI's grid. Also a folder of pairs.",
    add_options=add_options,
    run=run,
    details=(
        "Examples:\n"
        "  %(prog)s hsi.hdr s2.tif -o fused.tif\n"
        "  %(prog)s prisma.he5 s2.tif -o fused.tif --set observe.srf=sentinel2a observe.known_srf=true\n"
        "  %(prog)s pairs -o results          (a_hsi.tif with a_msi.tif, b_hsi.tif with b_msi.tif ...)\n"
        "  %(prog)s hsi_folder msi_folder -o results\n"
        "The ending of OUT is the format: .tif, .hdr (ENVI), .nc, .npy, .mat. For checkpoints, resuming and reports:\n"
        "umsft train.\n\n" + choices("--set")
    ),
    interrupted="nothing was written",
)
