"""Measures known models on this machine, and keeps the results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from centerclip.cli.costs import Measured, keep_costs, machine_name
from centerclip.cli.output import note
from centerclip.cli.progress import Bar
from centerclip.cores import available_cores
from centerclip.model.registry import KnownModel, presets

__all__ = ["measure_models"]

_BUSY = 0.6
"""Below this share of the cores' time, other programs got much of it."""


def measure_models(models: Sequence[KnownModel], device: str, precision: str) -> None:
    """Measure models with random weights under each preset, one after the other.

    Raises:
        ModelError: a model's family can't be made.
        ConfigError: the device or the precision can't be used.
    """
    from centerclip.embedding.costs import measure_costs
    from centerclip.embedding.device import choose_device, precision_of, prepare
    from centerclip.model.random import random_model

    place = choose_device(device)
    total = len(presets())
    for model in models:
        with Bar(f"Measuring {model.name}", unit="schedules") as bar:
            bar.advance(0, total)
            made = prepare(random_model(model), place, precision)
            schedules = {preset: model.schedule(preset) for preset in presets()}
            costs = measure_costs(made, schedules, on_schedule=lambda done, bar=bar: bar.advance(done, total))  # type: ignore[misc]
        name = machine_name(place)
        try:
            keep_costs(model, Measured(date.today().isoformat(), name, precision_of(made), costs))
        except OSError as error:
            note(f"The measurement of {model.name} can't be kept: {error}", style="yellow")
        shares = [cost.processor_seconds / cost.seconds / available_cores() for cost in costs.values()]
        if place.type == "cpu" and min(shares) < _BUSY:
            note(
                f"{model.name}: other programs used the processor, so it is faster than this. Measure again "
                "when they have ended.",
                style="yellow",
            )
