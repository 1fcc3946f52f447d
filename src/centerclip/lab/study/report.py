"""The report of a study: its table, its plot, and all figures as JSON."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from centerclip import metrics
from centerclip.atomic import write_atomically
from centerclip.lab.bench.report import check_page
from centerclip.lab.study.plot import plot
from centerclip.lab.study.results import Study, VariantResult

__all__ = ["write_into", "write_report"]


def write_report(study: Study) -> None:
    """Write `study.md` (the table), `study.json` (all figures and their origin) and `study.png` (the plot).

    Raises:
        ConfigError: matplotlib is missing.
    """
    folder = study.config.output
    write_atomically(folder / "study.md", _table(study) + "\n")
    write_atomically(folder / "study.json", json.dumps(_figures(study), indent=1) + "\n")
    plot(study, folder / "study.png")


def write_into(study: Study, document: Path, name: str) -> None:
    """Insert table and plot between `<!-- study NAME -->` and `<!-- end NAME -->` in a Markdown file.

    The plot is saved as `images/study-NAME.png` in the document's folder.

    Raises:
        ConfigError: the document can't be read or lacks these lines, or matplotlib is missing.
    """
    before, after = check_page(document, f"<!-- study {name} -->", f"<!-- end {name} -->")
    picture = Path("images", f"study-{name}.png")
    plot(study, document.parent / picture)
    content = f"![{study.config.title}: recall against cost]({picture})\n\n{_table(study)}"
    write_atomically(document, f"{before}\n{content}\n{after}")


def _table(study: Study) -> str:
    """A Markdown table: each variant's recall, the difference to the plain model, and its cost."""
    results, costs = study.results, study.costs
    plain = next((result for result in results if result.variant.name == "none"), None)
    directed = any(result.directions() for result in results)
    heads = ["reducer", "schedule", "R@1", "by seed", "against `none`", "p", "MnR", "V2T R@1"]
    heads += ["right way"] if directed else []
    heads += ["G mult-adds", "saved MB", "ms per step", "ms per video"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for result in results:
        cost = costs[result.variant.name]
        there, back = result.summary(), result.reverse_summary()
        cells = [
            result.variant.label,
            f"`{result.variant.schedule}`",
            _interval(there.recall_at_1),
            " ".join(f"{recall:.1f}" for recall in result.by_seed()),
            *_against(result, plain),
            f"{there.mean_rank.value:.2f}",
            f"{back.recall_at_1.value:.1f}",
        ]
        if directed:
            direction = result.directions()
            cells.append(_interval(direction) if direction else "")
        cells += [
            f"{cost.multiply_adds / 1e9:.3f}",
            f"{cost.saved_bytes / 2**20:.1f}",
            f"{1000 * cost.step_seconds:.0f}",
            f"{1000 * cost.video_seconds:.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _against(result: VariantResult, plain: VariantResult | None) -> tuple[str, str]:
    if plain is None or result is plain:
        return "", ""
    difference = result.compared_with(plain).recall_at_1
    return (
        f"{difference.value:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]",
        f"{difference.p_value:.3f}",
    )


def _interval(estimate: metrics.Estimate) -> str:
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


def _figures(study: Study) -> dict[str, Any]:
    packages = ("centerclip", "torch", "transformers", "numpy")
    return {
        "plan": study.config.model_dump(mode="json"),
        "machine": {"processor": platform.processor() or platform.machine(), "system": platform.platform()},
        "versions": {package: version(package) for package in packages},
        "variants": [
            {
                "name": result.variant.name,
                **result.variant.model_dump(),
                "text_to_video": asdict(result.summary()),
                "video_to_text": asdict(result.reverse_summary()),
                "recall_at_1_by_seed": result.by_seed(),
                "direction": (direction := result.directions()) and asdict(direction),
                "cost": asdict(study.costs[result.variant.name]),
            }
            for result in study.results
        ],
    }
