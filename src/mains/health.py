"""Whether this process is up and whether it can work: open to everybody, and saying nothing else."""

from functools import lru_cache

import psycopg
import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout

from mains.base.db import Database
from mains.base.http import problem_response
from mains.base.log import facts_of
from mains.base.migrate import baseline, forward
from mains.base.problems import Problem
from mains.identity import queries

router = APIRouter(include_in_schema=False)
log = structlog.get_logger("mains.health")


class NotReady(Problem):
    """This server cannot work yet: its database does not answer, or is of another version."""

    status = 503


@router.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"status": "up"})


@router.get("/readyz")
def readyz(request: Request) -> Response:
    """The database answers, and was built from the files of this version."""
    try:
        missing = not_applied(request.app.state.database)
    except (psycopg.Error, PoolTimeout) as error:
        log.warning("not ready", **facts_of(error))
        return problem_response(request, NotReady("the database does not answer", cure="see mains db status"))
    if missing:
        log.warning("not ready", missing=missing)
        return problem_response(request, NotReady("the database is of another version", cure="mains db migrate"))
    return JSONResponse({"status": "ready"})


def not_applied(database: Database) -> list[str]:
    """Files of this version that the database was not built from, or built from in another wording; what runs after a release may wait."""
    with database.anonymous() as conn:
        applied = queries.applied_migrations(conn)
    return sorted(name for name, checksum in _needed().items() if applied.get(name) != checksum)


@lru_cache(maxsize=1)
def _needed() -> dict[str, str]:
    steps = [*baseline(), *forward(phase="pre")]
    return {step.name: step.checksum for step in steps if step.extension is None}
