"""The state of the server and its library: figures, health, metrics."""

from __future__ import annotations

import shlex
from calendar import monthrange
from pathlib import Path

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from centerclip import api
from centerclip.serve.examples import is_nano
from centerclip.serve.services import Services, Use, UseAlways

__all__ = ["router"]

router = APIRouter(tags=["operation"])


@router.get("/api/stats")
async def get_stats(services: Use) -> api.LibraryStats:
    """Get what the library contains, its model, and example queries."""
    return await services.reading.run(lambda: _stats(services))


@router.get("/api/months")
async def get_months(services: Use) -> api.MonthList:
    """Count the videos recorded in each month, for a timeline."""

    def count() -> api.MonthList:
        months = [
            api.Month(
                month=f"{first:%Y-%m}",
                after=first.isoformat(),
                before=first.replace(day=monthrange(first.year, first.month)[1]).isoformat(),
                videos=videos,
                seconds=seconds,
            )
            for first, videos, seconds in reversed(services.index.months())
        ]
        return api.MonthList(months=months)

    return await services.reading.run(count)


@router.get("/healthz")
async def get_health() -> dict[str, str]:
    """Check that the server is running."""
    return {"status": "ok"}


@router.get("/readyz")
async def get_readiness(services: UseAlways) -> dict[str, str]:
    """Check that the server should get requests: it can read its index, and isn't about to stop."""
    await services.reading.run(services.check_ready)
    return {"status": "ready"}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
)
async def get_metrics(services: UseAlways) -> Response:
    """Get the metrics since the server started."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _command(services: Services) -> str:
    """The command line that fills this index; on a machine of one's own, one that can be copied."""
    parts = ["centerclip", "index", "~/Videos"]
    own = services.settings.names_paths
    if own:
        parts += ["--index", shlex.quote(services.location)]
    if services.index.model is None:  # later, the index knows its model
        name = services.encoder.name if own else Path(services.encoder.name).name
        parts += ["--model", shlex.quote(name)]
    return " ".join(parts)


def _stats(services: Services) -> api.LibraryStats:
    stats, card = services.library.stats(), services.encoder.card()
    # The name may be the path of the model's folder, which visitors must not see.
    name = Path(card.name).name if Path(card.name).is_absolute() else card.name
    model = api.Model(
        name=name,
        schedule=card.schedule,
        reducer=card.reducer,
        frames=card.frames,
        fingerprint=card.fingerprint,
        nano=is_nano(services.encoder),
    )
    return api.LibraryStats(
        videos=stats.videos if stats else 0,
        windows=stats.windows if stats else 0,
        cues=stats.cues if stats else 0,
        seconds=stats.footage_seconds if stats else 0.0,
        bytes=stats.size_bytes if stats else 0,
        failed=stats.failed if stats else 0,
        model=model,
        version=stats.version if stats else 0,
        examples=services.examples.choose(),
        folders=services.library.folders(),
        command=_command(services),
        roots=[services.library.root_name(root) for root in services.library.roots()],
        watching=services.watch is not None,
        replica=services.settings.replica,
    )
