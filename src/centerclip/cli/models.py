"""`centerclip models`: suggested models, and which of them are on this machine."""

from __future__ import annotations

from dataclasses import asdict

from centerclip.cli import options
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_tabs

__all__ = ["models"]


def models(json: options.Json = False) -> None:
    """List suggested models and whether they are on this machine.

    You can also use any other CLIP, SigLIP or SigLIP 2 (fixed resolution) by its name on the hub or by
    the path of its folder.

    Piped output has one model per line, tab-separated: name, license, millions of parameters, whether it
    is on this machine (yes or no), note.
    """
    from centerclip.model.hub import is_local
    from centerclip.model.registry import DEFAULT_MODEL
    from centerclip.model.registry import models as known_models

    listed = [(model, is_local(model.name)) for model in known_models()]
    for model, local in listed:
        if json:
            write_json(asdict(model) | {"local": local, "default": model.name == DEFAULT_MODEL})
        elif not on_terminal():
            write_tabs((model.name, model.license, model.parameters, "yes" if local else "no", model.note))
    if json or not on_terminal():
        return
    rows = table("model", "size", "here", "good for", right=("size",))
    for model, local in listed:
        rows.add_row(model.name, f"{model.parameters or '<1'} M", "yes" if local else "", model.note)
    stdout().print(rows)
    licenses = " or ".join(sorted({model.license for model, _ in listed}))
    note(f"Size: number of parameters. Licenses: {licenses}.", style="dim")
    note("You can use any other CLIP or SigLIP on the hub by its name.", style="dim")
