"""`umsft convert`: an image into another kind of file, with all that its own file says; or weights, by their ending."""

from __future__ import annotations

import argparse
from pathlib import Path

from paddle_umsft.command import weights
from paddle_umsft.command.base import DONE, Command

WEIGHT_SUFFIXES = (".pth", ".pt", ".pdparams", ".safetensors")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("source", metavar="SRC", help="an image, or weights (.pth, .pt, .pdparams, .safetensors)")
    parser.add_argument("target", metavar="DST", help="image: .tif, .hdr, .nc, .npy, .mat; weights: .pdparams, .pth")
    parser.add_argument("--key", help="array in a .mat, .npz or HDF5 file; entry of a checkpoint")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="data.key=value",
        help="how the image is read: data.layout=chw, data.crop=[0,0,100,100] ...")  # fmt: skip
    weights.add_more(parser.add_argument_group("weights only"))


def run(arguments: argparse.Namespace) -> int:
    """Convert an image or weights."""
    if Path(arguments.source).suffix.lower() in WEIGHT_SUFFIXES:
        return weights.run(arguments)
    from paddle_umsft.config.load import load_config
    from paddle_umsft.data.reading import read_scene
    from paddle_umsft.data.scene import Observation
    from paddle_umsft.runs.writers.product import make_product
    from paddle_umsft.runs.writers.table import check_format, format_of, write_product

    target = Path(arguments.target).expanduser()
    format = format_of(target, where="DST")
    check_format(format)
    # What is divided by nothing need not be multiplied again.
    overrides = [f"data.path={arguments.source}", "data.normalise=none", *arguments.set]
    if arguments.key is not None:
        overrides.append(f"data.key={arguments.key}")
    scene = read_scene(load_config(None, overrides).data)
    # A product is made of a pair; of one image, both are the same.
    image = Observation(
        lr_hsi=scene.hr_hsi,
        hr_msi=scene.hr_hsi,
        scale=1,
        wavelengths_nm=scene.wavelengths_nm,
        meta={"divisor": scene.divisor},
        hsi_facts=scene.facts,
        msi_facts=scene.facts,
    )
    product = make_product(scene.hr_hsi, image, f"converted from {Path(arguments.source).name}", scene.mask_hsi)
    for note in scene.notes:
        print(f"note       {note}")
    files = write_product(target, product, format)
    print(f"written    {', '.join(str(file) for file in files)}")
    return DONE


CONVERT = Command(
    name="convert",
    summary="Write an image as another kind of file, with everything that its own says; or convert weights.",
    add_options=add_options,
    run=run,
    details=(
        "Examples:\n"
        "  %(prog)s cube.hdr cube.tif\n"
        "  %(prog)s scene.mat scene.hdr --key data --set data.wavelengths_nm=[400,1000]\n"
        "  %(prog)s published.pth model.pdparams"
    ),
    interrupted="nothing was written",
)
