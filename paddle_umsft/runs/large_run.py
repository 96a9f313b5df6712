"""Large scenes in their places: in a run's folder with log and metrics, and from two files to one."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import SceneEntry
from paddle_umsft.data.scene import Case, FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.machine.memory import peak_bytes
from paddle_umsft.runs.assess import assess
from paddle_umsft.runs.folder import OUTPUT_HINT, made_by, read_metrics, save_array, write_history, write_metrics
from paddle_umsft.runs.handed import Handed
from paddle_umsft.runs.inputs import Facts, input_facts
from paddle_umsft.runs.large_errors import error_output, write_errors
from paddle_umsft.runs.large_rows import Output
from paddle_umsft.runs.large_scene import LargeResult, fuse_large
from paddle_umsft.runs.results import FILES, result_sums
from paddle_umsft.runs.run_share import share_of_work
from paddle_umsft.runs.shown import show_finished
from paddle_umsft.runs.strip_plan import StripPlan
from paddle_umsft.runs.trust import log_verdict, with_verdict
from paddle_umsft.runs.writers.beside import write_beside
from paddle_umsft.runs.writers.table import FORMATS, settled_format

# Folder within a scene's for what is on the way.
WORK = "strips"


def check_given(case: Case) -> None:
    """Check that a large scene is a pair of files: a simulation holds the truth whole.

    Raises:
        DataError: It is not.
    """
    if case.reference is not None:
        raise DataError(
            "a simulated scene that does not fit into memory",
            where=case.observation.name,
            hint="write the pair with umsft simulate, then fuse the two files; or a data.crop",
        )


def fuse_and_write_large(
    handed: Handed,
    config: Config,
    folder: Path,
    facts: Facts,
    log: logging.Logger,
    fuse: Callable[..., Optional[dict[str, Any]]] = fuse_large,
) -> Optional[dict[str, Any]]:
    """Fuse a scene piece by piece into its folder.

    Args:
        handed: The pair.
        config: All settings.
        folder: The scene's.
        facts: Of the files that it was read from.
        log: The run's.
        fuse: `fuse_large`, or what answers to the same call.

    Returns:
        The content of metrics.json; None: another process has written it.

    Raises:
        DataError: It cannot be fused or written.
    """
    observation = handed.sizes
    format, note = settled_format(config.output.format, observation)
    if note is not None:
        log.warning("note       %s", note)
    outputs = [Output(folder / "fused.npy", "npy", is_product=False)]
    if format != "npy":
        outputs.append(Output(folder / f"fused{FORMATS[format].suffix}", format, is_product=FORMATS[format].is_product))
    rank, size = share_of_work()

    def finish(made: LargeResult) -> dict[str, Any]:
        metrics = _metrics_of(made, observation, config)
        log_verdict(made.sample, log)
        write_history(folder, made.sample.history)
        arrays = {
            "psf": made.sample.psf,
            "srf": made.sample.srf,
            "wavelengths_nm": observation.wavelengths_nm,
            "valid": made.valid,
        }
        for name, array in arrays.items():
            if array is not None:
                save_array(folder / f"{name}.npy", array)
        if config.output.trust:
            _save_errors(made, folder, format)
        metrics[FILES] = result_sums(folder)
        write_metrics(folder, metrics)
        overview = made.overview
        show_finished(Case(overview.pair), overview.shown(made.sample), metrics, config, folder, log, None)
        return metrics

    if read_metrics(folder) is not None and not (folder / WORK).is_dir():
        # Finished by another process while this one read the data.
        return None
    return fuse(
        handed,
        config,
        folder / WORK,
        outputs,
        facts={"files": facts},
        history=made_by(observation, FusionResult(observation.lr_hsi, method=config.method)),
        finish=finish,
        first_share=rank / size,
        say=lambda line: log.info("%s", line),
    )


def _save_errors(made: LargeResult, folder: Path, format: str) -> None:
    """Write the expected error, and beside a product for other programs that of the product and its mask."""
    outputs = [error_output(folder, "", "npy", is_product=False)]
    if FORMATS[format].is_product:
        outputs.append(error_output(folder, "", format))
        mask_alone = replace(made.sample, trust=None, valid=made.valid)
        write_beside(folder, "", mask_alone, made.whole, format, hint=OUTPUT_HINT)
    write_errors(made.errors, made.sample, made.whole, outputs, made.valid, made.memory)


def _metrics_of(made: LargeResult, observation: Observation, config: Config) -> dict[str, Any]:
    """What metrics.json holds of a large scene; what is measured is measured on its sample."""
    metrics = assess(Case(observation=made.pair), made.sample, config)
    metrics = with_verdict(metrics, made.sample)
    peak = peak_bytes()
    if peak is not None:
        metrics["peak_bytes"] = peak
    metrics["observation"] = observation.meta
    return metrics


def work_beside(target: Path) -> Path:
    """Return the folder for what is on the way to a file."""
    return target.with_name(f".strips_{target.name}")


def fuse_to_file(
    entry: SceneEntry,
    handed: Handed,
    config: Config,
    target: Path,
    format: str,
    *,
    alone: bool,
    quiet: bool,
    said: Optional[StripPlan] = None,
) -> None:
    """Fuse a pair of files strip by strip into one file.

    Args:
        entry: The pair.
        handed: What was read of it.
        config: All settings.
        target: The result's file; beside it lies a folder for what is on the way, until it is done.
        format: Of the result.
        alone: No expected error and no mask beside it.
        quiet: Only what went wrong, and the file.
        said: The plan that was told before the pair was read; None: none was.

    Raises:
        DataError: It cannot be fused or written.
    """
    work = work_beside(target)
    observation = handed.sizes
    say = _say
    if quiet:
        say = _say_nothing
    # In the HSI's own units, whatever the format: the only file there is.
    output = Output(target, format, is_product=True)

    def finish(made: LargeResult) -> tuple[LargeResult, list[Path]]:
        files = [target]
        if not alone:
            prefix = f"{target.stem}_"
            outputs = [error_output(target.parent, prefix, format)]
            files += write_errors(made.errors, made.sample, made.whole, outputs, made.valid, made.memory)
            mask_alone = replace(made.sample, trust=None, valid=made.valid)
            files += write_beside(target.parent, prefix, mask_alone, made.whole, format, hint=OUTPUT_HINT)
        return made, files

    finished = fuse_large(
        handed,
        config,
        work,
        [output],
        facts={"files": input_facts(entry, config)},
        history=made_by(observation, FusionResult(observation.lr_hsi, method=config.method)),
        finish=finish,
        said=said,
        say=say,
    )
    if finished is None:
        print(f"written by another process: {target}")
        return
    made, files = finished
    verdict = made.sample.verdict
    assert verdict is not None
    print(f"verdict    {verdict.line}")
    for note in made.sample.notes:
        if note != verdict.line:
            say(f"note       {note}")
    print(f"fused in {made.seconds:.1f} s by {config.method}: {', '.join(str(file) for file in files)}")


def _say(line: str) -> None:
    """Say it at once: whoever waits for strips wants to know."""
    print(line, flush=True)


def _say_nothing(line: str) -> None:
    """Say nothing."""
