"""Compare this machine's Paddle with the published code's numbers: python -m paddle_umsft.parity."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Optional

from paddle_umsft.errors import ConfigError, UmsftError
from paddle_umsft.machine.environment import import_paddle, thread_facts
from paddle_umsft.machine.screen import screen_may_close

# Steps of AdamW that the golden files have.
ALL_STEPS = 5


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m paddle_umsft.parity",
        description="Run the golden cases in float64 and print how far each seam, gradient and AdamW loss is from "
        "what the published code gave.",
        epilog="Exit codes: 0 all holds, 1 a tolerance is broken, 2 bad usage, 3 files that cannot be used.",
    )
    parser.add_argument(
        "--golden",
        metavar="STEM",
        help="check STEM.npz and STEM.json, of UMSFT or uHNTC, instead of the built-in pairs",
    )
    parser.add_argument(
        "--case",
        action="append",
        metavar="NAME",
        help="only this case; repeatable",
    )
    parser.add_argument("--quick", action="store_true", help="the smallest case, without the AdamW steps")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Compare and print.

    Raises:
        UmsftError: If files or arguments cannot be used.
    """
    from paddle_umsft.parity.reference import BUILT_IN, BUILT_IN_UHNTC, GoldenCase, read_golden

    stems = [BUILT_IN, BUILT_IN_UHNTC]
    if args.golden:
        stems = [args.golden]
    files = [read_golden(stem) for stem in stems]
    cases = [case for golden in files for case in golden.cases]
    if args.case:
        known = [case.name for case in cases]
        unknown = [name for name in args.case if name not in known]
        if unknown:
            raise ConfigError(
                "no such case",
                where="--case",
                expected=", ".join(known),
                got=", ".join(unknown),
            )
        cases = [case for case in cases if case.name in args.case]
    if args.quick:

        def pixels(case: GoldenCase) -> int:
            return case.height * case.width

        cases = [min(cases, key=pixels)]
    if args.list:
        print("\n".join(f"{case.name}: {case.describe()}" for case in cases))
        return 0
    import_paddle()  # quietly, and with an error of one line where there is none
    warnings.filterwarnings("ignore", message="When training, we now always track")  # as published: batch statistics
    import paddle

    from paddle_umsft.methods.networks.ops import mode
    from paddle_umsft.parity.golden import check_case
    from paddle_umsft.parity.table import case_table, verdict

    paddle.set_device("cpu")
    for golden in files:
        print(f"reference: {golden.source}")
    print(f"here: paddlepaddle {paddle.__version__}, CPU; {thread_facts()}")
    print(f"float32 rows: {mode.active()}\n", flush=True)
    steps = ALL_STEPS
    if args.quick:
        steps = 1
    outcomes = []
    for case in cases:
        outcome = check_case(case, steps=steps)
        print(case_table(outcome) + "\n", flush=True)
        outcomes.append(outcome)
    print(verdict(outcomes))
    everything_holds = all(outcome.ok for outcome in outcomes)
    return int(not everything_holds)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 1 (a tolerance is broken), 2 (bad usage), 3 (unusable files) or 130 (interrupted)."""
    args = parse(argv)
    screen_may_close()
    try:
        return run(args)
    except UmsftError as error:
        if args.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
