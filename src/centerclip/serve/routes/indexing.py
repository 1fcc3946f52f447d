"""Index jobs: begin one, watch it, cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from centerclip.api import Job, JobStarted, JobWanted
from centerclip.serve.services import Services, Use

__all__ = ["router"]

router = APIRouter(prefix="/api/index", tags=["indexing"])

_LOOK_SECONDS = 0.25
_QUIET_LOOKS = 60
"""Looks without news after which a comment is sent, so that nobody on the way thinks the line is dead."""


@router.post("", status_code=202)
async def start_job(services: Use, wanted: JobWanted) -> JobStarted:
    """Bring the library up to date: what is new or changed is indexed, the rest left alone."""
    return JobStarted(job=await services.reading.run(partial(services.jobs.start, wanted)))


@router.get("/{job}")
async def get_job(services: Use, job: str) -> Job:
    """Tell how far a job is."""
    return await services.reading.run(partial(services.jobs.get, job))


@router.delete("/{job}")
async def cancel_job(services: Use, job: str) -> Job:
    """Ask a job to end after the batch in hand; what it has done is kept."""
    return await services.reading.run(partial(services.jobs.cancel, job))


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events named `progress`."}},
)
async def watch_job(services: Use, job: str) -> StreamingResponse:
    """Watch a job: server-sent events named `progress`, each with the job as JSON, until it has ended."""
    await services.reading.run(partial(services.jobs.get, job))
    return StreamingResponse(_events(services, job), media_type="text/event-stream")


async def _events(services: Services, job: str) -> AsyncIterator[str]:
    told, quiet = "", 0
    while not services.stopping.is_set():
        now = await asyncio.to_thread(services.jobs.get, job)
        text = now.model_dump_json()
        if text != told:
            told, quiet = text, 0
            yield f"event: progress\ndata: {text}\n\n"
        elif (quiet := quiet + 1) % _QUIET_LOOKS == 0:
            yield ": still here\n\n"
        if now.state != "running":
            return
        await asyncio.sleep(_LOOK_SECONDS)
