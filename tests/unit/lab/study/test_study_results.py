"""What results of runs say: choices by validation, and answers corrected for all planned comparisons."""

from __future__ import annotations

from centerclip.lab.study import Study, StudyConfig, Variant, VariantResult, verdict
from centerclip.lab.study.results import Ranks, RunResult


def test_a_matrix_is_chosen_by_validation_and_tested_with_all_comparisons() -> None:
    good, bad = [1.0] * 6, [2.0] * 6

    def result(name: str, hits: list[float], *, seeds: int = 3) -> VariantResult:
        ranks = {name: Ranks(hits, good, [], 10.0), "other": Ranks(bad, good, [], 20.0)}
        runs = (RunResult("p", "s", name, seed, [0, 0, 1, 1, 2, 2], [], ranks) for seed in range(seeds))
        return VariantResult("s", Variant(reducer="pool", schedule=name), tuple(runs))

    first = result("pool_B1-2,3", good)
    first = VariantResult("s", Variant(reducer="pool", schedule="B1-2,3"), first.runs)
    assert first.chosen() == "other"  # though its test figures are worse
    assert first.table(under="other").mean() == 0
    second = VariantResult(
        "s", Variant(reducer="pool", schedule="B1-2,4"), result("pool_B1-2,4", bad, seeds=2).runs
    )
    config = StudyConfig.model_validate(
        {
            "title": "t", "output": "o", "starts": {"s": "x"}, "margin": 1.0,
            "data": {"dataset": "toy-world", "videos": "v"}, "optimization": {"steps": 1},
            "variants": [{"reducers": ["pool"], "schedules": ["B1-2,3", "B1-2,4", "B1-2,5"]}],
            "comparisons": [
                {"question": "a", "variant": "pool_B1-2,3", "baseline": "pool_B1-2,4"},
                {"question": "b", "variant": "pool_B1-2,5", "baseline": "pool_B1-2,4"},
            ],
        }
    )  # fmt: skip
    (answer,) = Study(config, (first, second), {}).answers()
    assert (answer.difference.value, answer.p_value, answer.equivalence) == (100.0, 0.0, 1.0)
    assert verdict(answer) == "better"
    assert second.by_seed() == [0.0, 0.0]
