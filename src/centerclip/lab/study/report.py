"""The report of a study: its tables, its plot, and all figures as JSON."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from centerclip.atomic import write_atomically
from centerclip.lab.bench.report import check_page
from centerclip.lab.study.plot import plot
from centerclip.lab.study.results import Answer, Study, VariantResult
from centerclip.lab.study.statistics import ALPHA, Effect, detectable

__all__ = ["verdict", "write_into", "write_report"]


def write_report(study: Study) -> None:
    """Write `study.md` (the tables), `study.json` (all figures and their origin) and `study.png` (the plot).

    Raises:
        ConfigError: matplotlib is missing.
    """
    folder = study.config.output
    write_atomically(folder / "study.md", _tables(study) + "\n")
    write_atomically(folder / "study.json", json.dumps(_figures(study), indent=1) + "\n")
    plot(study, folder / "study.png")


def write_into(study: Study, document: Path, name: str) -> None:
    """Insert tables and plot between `<!-- study NAME -->` and `<!-- end NAME -->` in a Markdown file.

    The plot is saved as `images/study-NAME.png` in the document's folder.

    Raises:
        ConfigError: the document can't be read or lacks these lines, or matplotlib is missing.
    """
    before, after = check_page(document, f"<!-- study {name} -->", f"<!-- end {name} -->")
    picture = Path("images", f"study-{name}.png")
    plot(study, document.parent / picture)
    content = f"![{study.config.title}: recall against cost]({picture})\n\n{_tables(study)}"
    write_atomically(document, f"{before}\n{content}\n{after}")


def verdict(answer: Answer) -> str:
    """Say what a comparison shows; `open` if neither test succeeds."""
    differs, same = answer.p_value < ALPHA, answer.equivalence < ALPHA
    if differs:
        word = "better" if answer.difference.value > 0 else "worse"
        return f"{word}, within the margin" if same else word
    return "as good" if same else "open"


def _tables(study: Study) -> str:
    """Markdown: the variants of each start, the comparisons, and the train by run matrix if there is one."""
    planned, arms = len(study.config.seeds), len(study.config.arms)
    runs = sum(len(result.runs) for result in study.results)
    parts = []
    if runs < planned * arms:
        parts.append(f"**Unfinished: {runs} of {planned * arms} runs.**")
    if lacking := sum(_lacking(study, result) for result in study.results):
        parts.append(f"**Unfinished: {lacking} runs of trained models under other variants are missing.**")
    parts.append(_variants(study))
    if study.config.comparisons:
        parts.append(_comparisons(study))
    if study.config.run_under and study.results:
        parts.append(_matrix(study))
    return "\n\n".join(parts)


def _grid(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, *rows]
    texts = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([texts[0], "|" + "---|" * len(heads), *texts[1:]])


def _variants(study: Study) -> str:
    several = len(study.config.starts) > 1
    opposed = any(result.level("opposite") for result in study.results)
    heads = [*(["start"] if several else []), "variant", "schedule", "R@1", "by seed"]
    heads += [*(["against opposites"] if opposed else []), "MnR", "V2T R@1"]
    heads += ["G mult-adds", "saved MB", "ms per step", "ms per video"]
    return _grid(heads, [_row(study, result, several, opposed) for result in study.results])


def _row(study: Study, result: VariantResult, several: bool, opposed: bool) -> list[str]:
    cost = study.costs[result.variant.name]
    cells = [result.start] if several else []
    cells += [result.variant.label, f"`{result.variant.schedule}`", _interval(result.level())]
    cells += [" ".join(f"{recall:.1f}" for recall in result.by_seed())]
    cells += [_interval(result.level("opposite"))] if opposed else []
    cells += [f"{result.figure('mean_rank'):.2f}", f"{result.figure('backward'):.1f}"]
    return [
        *cells,
        f"{cost.multiply_adds / 1e9:.3f}",
        f"{cost.saved_bytes / 2**20:.1f}",
        f"{1000 * cost.step_seconds:.0f}",
        f"{1000 * cost.video_seconds:.1f}",
    ]


def _comparisons(study: Study) -> str:
    margin, several = study.config.margin, len(study.config.starts) > 1
    heads = ["question", *(["start"] if several else []), "variant", "baseline", "difference", "p"]
    heads += [f"p of ±{margin:g}", "shown", "80 % power from"]
    rows = []
    answers = study.answers()
    for answer in answers:
        found, asked = answer.difference, answer.comparison
        rows.append(
            [
                asked.question,
                *([answer.start] if several else []),
                f"`{asked.variant}`",
                f"`{asked.baseline}`",
                f"{found.value:+.1f} [{found.low:+.1f}, {found.high:+.1f}]",
                f"{answer.p_value:.3f}",
                f"{answer.equivalence:.3f}",
                verdict(answer),
                f"{detectable(found.error, found.freedom, tests=len(study.config.pairs())):.1f}",
            ]
        )
    return _grid(heads, rows)


def _lacking(study: Study, result: VariantResult) -> int:
    """How many variants the finished models of a result are yet to be run under."""
    names = [each.name for each in study.config.columns(result.variant)]
    return sum(name not in run.under for run in result.runs for name in names)


def _matrix(study: Study) -> str:
    """Mean test R@1 by the variant trained (rows) and run (columns); the one chosen on val is bold."""
    several = len(study.config.starts) > 1
    names = [variant.name for variant in study.config.others()]
    heads = [*(["start"] if several else []), "trained under", "its own", *(f"`{name}`" for name in names)]
    rows = []
    for result in study.results:
        own, chosen = result.variant.name, result.chosen()
        cells = {name: f"{result.table(under=name).mean():.1f}" for name in result.names()}
        if not _lacking(study, result):
            cells[chosen] = f"**{cells[chosen]}**"
        row = [cells.get(name, "") for name in (own, *names)]
        rows.append([*([result.start] if several else []), f"`{own}`", *row])
    return _grid(heads, rows)


def _interval(found: Effect | None) -> str:
    return f"{found.value:.1f} [{found.low:.1f}, {found.high:.1f}]" if found else ""


def _figures(study: Study) -> dict[str, Any]:
    packages = ("centerclip", "torch", "transformers", "numpy", "scipy")
    return {
        "plan": study.config.model_dump(mode="json"),
        "machine": {"processor": platform.processor() or platform.machine(), "system": platform.platform()},
        "versions": {package: version(package) for package in packages},
        "variants": [
            {
                "start": result.start,
                "name": result.variant.name,
                **result.variant.model_dump(),
                "seeds": result.seeds,
                "recall_at_1": _known(result.level()),
                "recall_at_1_by_seed": result.by_seed(),
                "against_opposites": _known(result.level("opposite")),
                "under": {name: result.table(under=name).mean() for name in result.names()},
                "chosen": result.chosen(),
                "cost": asdict(study.costs[result.variant.name]),
            }
            for result in study.results
        ],
        "comparisons": [{**_answer(answer), "shown": verdict(answer)} for answer in study.answers()],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        **answer.comparison.model_dump(include={"question", "variant", "baseline"}),
        "start": answer.start,
        "difference": asdict(answer.difference),
        "p_value": answer.p_value,
        "equivalence": answer.equivalence,
    }


def _known(found: Effect | None) -> dict[str, float] | None:
    return None if found is None else asdict(found)
