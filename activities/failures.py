"""The one place where our errors become Temporal's, so that retryable means the same everywhere.

The message travels into the history and is shown to people: `ProviderError` promises that it holds no secret.
Causes are cut off, because a history stores the whole chain.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio import activity
from temporalio.exceptions import ApplicationError

from db.vault import NotSealed
from domain.errors import BerthError, CallCancelled, EndedByItself, FenceLost, ProviderError, Refused, TimedOut
from domain.limits import MOST_ENDINGS

AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""What the records raise that are away: no server, no answer, or every connection waits for one."""


@contextmanager
def as_temporal_failures() -> Iterator[None]:
    """Translate what the block raises."""
    try:
        yield
    except ApplicationError:
        raise
    except ProviderError as error:
        delay = timedelta(seconds=error.retry_after) if error.retry_after else None
        final = not error.retryable or (
            isinstance(error, EndedByItself) and activity.info().attempt >= MOST_ENDINGS
        )
        raise ApplicationError(
            error.message, type=error.code, non_retryable=final, next_retry_delay=delay
        ) from None
    except (FenceLost, CallCancelled, NotSealed, Refused, TimedOut) as error:
        raise ApplicationError(error.message, type=error.code, non_retryable=True) from None
    except BerthError as error:
        raise ApplicationError(error.message, type=error.code) from None
    except AWAY:
        raise ApplicationError("Berth's database does not answer", type="database-unavailable") from None
    except DBAPIError as error:
        raise ApplicationError(
            f"Berth's database refused a statement ({type(error.orig).__name__})", type="database-refused"
        ) from None
    except Exception as error:  # noqa: BLE001 - an unknown text may hold a secret: only its type goes on
        where = "".join(traceback.format_tb(error.__traceback__))
        activity.logger.error("unexpected %s\n%s", type(error).__name__, where)
        raise ApplicationError(f"unexpected {type(error).__name__}", type="internal") from None
