"""report.html: a run on one page that opens from the disk. Pictures are inside; nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import quote

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.machine.versions import versions
from paddle_umsft.runs.folder import read_metrics, write_safely

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT = "report.html"
_UNITS = {"PSNR": "dB", "SAM": "°", "PSNR_HSI": "dB", "PSNR_MSI": "dB", "SAM_HSI": "°", "SAM_MSI": "°"}
_THUMBNAIL_WIDTH = 900

_STYLE = """
body { font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; color: #1a1a1a; background: #fff;
  max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p.sub, figcaption, caption { color: #555; } figure { margin: 1rem 0; } caption { text-align: left; }
img { max-width: 100%; height: auto; } img.maps { max-width: 42rem; width: 100%; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #888; }
table.facts td { text-align: left; overflow-wrap: anywhere; vertical-align: top; }
table.facts td:first-child { white-space: nowrap; }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: .85rem; } .bad { color: #a00; }
"""


def scene_report(
    case: Case,
    result: FusionResult,
    metrics: Mapping[str, Any],
    config: Config,
    figures: Mapping[str, Figure],
    bicubic: Optional[np.ndarray] = None,
) -> str:
    """The page of one scene.

    Args:
        case: Observation and, where there is one, the truth.
        result: What the method returned.
        metrics: Content of metrics.json.
        config: All settings.
        figures: Pictures that the run made already: `overview`, `spectra`, `psf_srf`, as far as they exist.
        bicubic: (H, W, C) bicubic's cube, to be compared with in the maps.

    Returns:
        HTML.
    """
    from paddle_umsft.figures import curves, error_maps, residual_per_band, sam_maps
    from paddle_umsft.figures.curves import has_curves

    seen, truth = case.observation, case.reference
    parts = [_metrics_section(metrics), _picture("What the cameras saw, and what came out", figures.get("overview"))]
    if truth is not None:
        cubes = {result.method: result.fused, **({} if bicubic is None else {"bicubic": bicubic})}
        parts += [
            _picture("Error", error_maps(cubes, truth), kind="maps"),
            _picture("Spectral angle", sam_maps(cubes, truth), "Pixels without any light have none: grey.", "maps"),
            _picture("Error of each band", residual_per_band(cubes, truth, wavelengths_nm=seen.wavelengths_nm)),
        ]
    parts.append(_picture("Spectra", figures.get("spectra")))
    parts.append(_picture("PSF and SRF", figures.get("psf_srf")))
    if has_curves(result.history):
        caption = f"{len(result.history)} records, also in history.csv"
        parts.append(_picture("Curves", curves(result.history), caption))
    elif result.history:
        parts.append(_section("Steps", _history_table(result.history)))
    parts += [
        _section("Observation", _facts(_observation_facts(case))),
        _section("Method", _facts({"seconds": f"{result.seconds:.2f}", "seed": config.seed, **result.extras})),
        _config_section(config),
        _section("Versions", _facts(versions())),
    ]
    height, width = seen.shape
    sub = f"{result.method}, ×{seen.scale}, {height}×{width}, {seen.bands} HSI bands, {seen.msi_bands} MSI bands"
    return _page(seen.name, sub, parts)


def write_scene_report(folder: Path, text: str) -> None:
    """Write a scene's page, whole or not at all.

    Raises:
        DataError: If it cannot be written.
    """
    write_safely(folder / REPORT, lambda path: path.write_text(text, encoding="utf-8"))


def write_run_report(folder: Path, config: Config, failed: Optional[Mapping[str, str]] = None) -> None:
    """Write the page of a whole run: a row per finished scene, their mean, and what failed.

    Args:
        folder: The run's folder; finished scenes are those with a metrics.json.
        config: All settings.
        failed: Scene -> why it could not be fused.

    Raises:
        DataError: If it cannot be written.
    """
    found = {path.name: read_metrics(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    finished = {name: metrics for name, metrics in found.items() if metrics is not None}
    parts = [_summary_section(finished)]
    if failed:
        rows = [f"<li><b>{_text(name)}</b>: <span class='bad'>{_text(why)}</span></li>" for name, why in failed.items()]
        parts.append(_section("Failed", f"<ul>{''.join(rows)}</ul>"))
    for name in finished:
        picture = _thumbnail(folder / name / "overview.png")
        if picture:
            link = f"<p><a href='{quote(name)}/{REPORT}'>report of {_text(name)}</a></p>"
            image = f"<figure><img alt='overview of {_text(name)}' src='{picture}'></figure>"
            parts.append(_section(name, image + link))
    parts += [_config_section(config), _section("Versions", _facts(versions()))]
    count = f"{len(finished)} scene{'' if len(finished) == 1 else 's'}"
    text = _page(f"Run {folder.name}", f"{config.method}, {count} fused", parts)
    write_safely(folder / REPORT, lambda path: path.write_text(text, encoding="utf-8"))


def _page(title: str, sub: str, parts: Iterable[str]) -> str:
    """The whole page. Its policy forbids scripts and any loading, so that it stays as harmless as it is offline."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z")
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<link rel='icon' href='data:,'>\n<title>{_text(title)} – paddle_umsft</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{_text(title)}</h1>\n<p class='sub'>{_text(sub)}; made {made}</p>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _text(value: Any) -> str:
    """Text made safe for HTML, inside tags and attributes alike; names of scenes come from the user's files."""
    return html.escape(str(value), quote=True)


def _number(value: Any) -> str:
    if value is None:  # what metrics.json has for NaN and infinity
        return "–"
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else _text(value)


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>" if content else ""


def _picture(title: str, figure: Optional[Figure], caption: str = "", kind: str = "") -> str:
    """A section with a figure inside the page; nothing where there is no figure."""
    if figure is None:
        return ""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150)
    source = _data_uri(stream.getvalue(), "image/png")
    below = f"<figcaption>{_text(caption)}</figcaption>" if caption else ""
    return _section(title, f"<figure><img class='{kind}' alt='{_text(title)}' src='{source}'>{below}</figure>")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _thumbnail(path: Path) -> Optional[str]:
    """A picture file, made smaller, as a data URI; None where there is none."""
    if not path.is_file():
        return None
    import cv2

    # Through memory: cv2.imread cannot open paths with letters outside the Windows code page.
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return None
    factor = min(1.0, _THUMBNAIL_WIDTH / picture.shape[1])
    if factor < 1.0:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return _data_uri(encoded.tobytes(), "image/jpeg")


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    head = "".join(f"<th scope='col'>{_text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_number(value)}</td>' for value in row)}</tr>\n" for row in rows)
    above = f"<caption>{_text(caption)}</caption>" if caption else ""
    return f"<div class='wide'><table>{above}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"


def _facts(values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{_text(name)}</td><td>{_fact(value)}</td></tr>\n" for name, value in values.items())
    return f"<table class='facts'><tbody>\n{rows}</tbody></table>"


def _fact(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return _text(json.dumps(value, default=str, ensure_ascii=False))
    return _number(value)


def _with_unit(name: str) -> str:
    return f"{name} ({_UNITS[name]})" if name in _UNITS else name


def _metrics_section(metrics: Mapping[str, Any]) -> str:
    rows = [(metrics.get("method"), metrics.get("fused")), ("bicubic", metrics.get("bicubic"))]
    known = [(name, values) for name, values in rows if values]
    content = "<p>There is no truth to compare with.</p>"
    if known:
        names = list(known[0][1])
        caption = f"Against the truth; convention: {metrics.get('convention')}"
        cells = [[name, *(values.get(n, "") for n in names)] for name, values in known]
        content = _table(["", *map(_with_unit, names)], cells, caption)
    fit = metrics.get("consistency")
    if fit:
        caption = "How well the result, degraded by the PSF and SRF below, agrees with the two images"
        content += "<br>" + _table(["", *map(_with_unit, fit)], [[metrics.get("method"), *fit.values()]], caption)
    return _section("Quality", content)


def _summary_section(finished: Mapping[str, Mapping[str, Any]]) -> str:
    with_truth = [m for m in finished.values() if m.get("fused")]
    names = list(with_truth[0]["fused"]) if with_truth else []
    columns = ["scene", "method", "convention", *map(_with_unit, names)]
    columns += ["bicubic PSNR (dB)", "bicubic SAM (°)", "seconds"]
    rows: list[list[Any]] = []
    for scene, metrics in finished.items():
        fused, bicubic = metrics.get("fused") or {}, metrics.get("bicubic") or {}
        first = [scene, metrics.get("method", ""), metrics.get("convention", "")]
        last = [bicubic.get("PSNR", ""), bicubic.get("SAM", ""), metrics.get("seconds", "")]
        rows.append([*first, *(fused.get(name, "") for name in names), *last])
    if len(rows) > 1 and len({(row[1], row[2]) for row in rows}) == 1:  # no mean over several conventions
        mean: list[Any] = ["mean", rows[0][1], rows[0][2]]
        for values in list(zip(*rows))[3:]:
            numbers = [value for value in values if isinstance(value, (int, float))]
            mean.append(float(np.mean(numbers)) if len(numbers) == len(rows) else "")
        rows.append(mean)
    return _section("Scenes", _table(columns, rows) if rows else "<p>No scene is finished.</p>")


def _history_table(history: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for record in history for name in record))
    return _table(columns, [[record.get(name, "") for name in columns] for record in history])


def _observation_facts(case: Case) -> dict[str, Any]:
    seen = case.observation
    nm = seen.wavelengths_nm
    facts: dict[str, Any] = {
        "LR-HSI": "×".join(map(str, seen.lr_hsi.shape)),
        "HR-MSI": "×".join(map(str, seen.hr_msi.shape)),
        "scale": seen.scale,
        "wavelengths": "not known" if nm is None else f"{nm[0]:g}–{nm[-1]:g} nm",
        "PSF": "known" if seen.psf is not None else "estimated, where the method needs it",
        "SRF": "known" if seen.srf is not None else "estimated, where the method needs it",
        "supports (HSI bands)": "not known" if seen.supports is None else [list(pair) for pair in seen.supports],
    }
    return {**facts, **{name: value for name, value in seen.meta.items() if value not in (None, [], ())}}


def _config_section(config: Config) -> str:
    content = f"<details><summary>config.yml</summary><pre>{_text(config.to_yaml())}</pre></details>"
    return _section("Configuration", content)
