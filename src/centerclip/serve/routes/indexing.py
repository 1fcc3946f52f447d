"""Index jobs: start, watch and cancel them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse

from centerclip.api import Job, JobList, JobRequest, JobStarted
from centerclip.serve.services import Services, Use

__all__ = ["router"]

router = APIRouter(prefix="/api/index", tags=["indexing"])

_LOOK_SECONDS = 0.25
_QUIET_LOOKS = 60
"""Looks without news after which a comment is sent, so that no proxy closes the connection."""


@router.post("", status_code=202)
async def start_job(services: Use, request: JobRequest) -> JobStarted:
    """Bring the library up to date: index new and changed files.

    Answers 409 while another job or another process is indexing, and 403 if the server only reads.
    """
    if services.settings.replica:
        raise HTTPException(403, "this server only reads its index: index with `centerclip index`")
    return JobStarted(job=await services.reading.run(partial(services.jobs.start, request)))


@router.get("")
async def list_jobs(services: Use) -> JobList:
    """List the jobs that the server remembers, the newest first, those it started by itself among them."""
    return services.jobs.recent()


@router.get("/{job}")
async def get_job(services: Use, job: str) -> Job:
    """Get the progress of a job. The server remembers the last 20 jobs until it stops."""
    return services.jobs.get(job)


@router.delete("/{job}")
async def cancel_job(services: Use, job: str) -> Job:
    """Stop a job after the current batch; what it has indexed stays."""
    return services.jobs.cancel(job)


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events named `progress`."}},
)
async def watch_job(services: Use, job: str) -> StreamingResponse:
    """Watch a job until it ends: server-sent events named `progress`, each with the job as JSON."""
    services.jobs.get(job)  # 404 unless there is one
    return StreamingResponse(_events(services, job), media_type="text/event-stream")


async def _events(services: Services, job: str) -> AsyncIterator[str]:
    sent, quiet = None, 0
    while not services.is_stopping():
        now = services.jobs.get(job)
        if now is not sent:
            sent, quiet = now, 0
            yield f"event: progress\ndata: {now.model_dump_json()}\n\n"
        elif (quiet := quiet + 1) % _QUIET_LOOKS == 0:
            yield ": still here\n\n"
        if now.state != "running":
            return
        await asyncio.sleep(_LOOK_SECONDS)
