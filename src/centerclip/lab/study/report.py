"""A study as a page: its table, its plot, and the plan that gave them."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from centerclip import metrics
from centerclip.errors import ConfigError
from centerclip.lab.study.plot import plot
from centerclip.lab.study.results import Study, VariantResult

__all__ = ["write_into", "write_report"]


def write_report(study: Study) -> None:
    """Write the table, all figures with where they come from, and the plot into the plan's output folder.

    Raises:
        ConfigError: matplotlib is missing.
    """
    folder = study.config.output
    (folder / "study.md").write_text(_table(study) + "\n", encoding="utf-8")
    (folder / "study.json").write_text(json.dumps(_figures(study), indent=1) + "\n", encoding="utf-8")
    plot(study, folder / "study.png")


def write_into(study: Study, document: Path, name: str) -> None:
    """Put table and plot between `<!-- study NAME -->` and `<!-- end NAME -->` of a Markdown file.

    The plot goes to `images/study-NAME.png` beside the document.

    Raises:
        ConfigError: the document can't be read, has no such lines, or matplotlib is missing.
    """
    first, last = f"<!-- study {name} -->", f"<!-- end {name} -->"
    try:
        before, _, rest = document.read_text(encoding="utf-8").partition(first)
    except OSError as error:
        raise ConfigError(f"{document}: can't be read ({error.strerror}); give a Markdown file") from error
    _, found, after = rest.partition(last)
    if not found:
        raise ConfigError(f"{document}: has no lines {first} and {last}, between which the results would go")
    picture = Path("images", f"study-{name}.png")
    plot(study, document.parent / picture)
    content = f"![{study.config.title}: recall against cost]({picture})\n\n{_table(study)}"
    document.write_text(f"{before}{first}\n{content}\n{last}{after}", encoding="utf-8")


def _table(study: Study) -> str:
    """Markdown, a variant a line: recall, what it costs, and how it compares with the plain model."""
    results, costs = study.results, study.costs
    plain = next((result for result in results if result.variant.name == "none"), None)
    directed = any(result.directions() for result in results)
    heads = ["reducer", "schedule", "R@1", "by seed", "against `none`", "p", "MnR", "V2T R@1"]
    heads += ["right way"] if directed else []
    heads += ["G mult-adds", "saved MB", "ms a step", "ms a video"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for result in results:
        cost = costs[result.variant.name]
        there, back = result.summary(), result.reverse_summary()
        cells = [
            result.variant.kind + (" + temporal" if result.variant.temporal else ""),
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
