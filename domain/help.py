"""For every error code: what it means and what helps. One table for the API, the docs and the tests.

The API puts the sentence and the link into `error.help` and into a problem's `type`; docs/errors.md is generated
from it by scripts/errors_docs.py.
"""

from __future__ import annotations

from html import escape

from domain.help_refusals import REFUSALS, Help

ERRORS_PAGE = "/docs/errors"


HELP: dict[str, Help] = {
    **REFUSALS,
    # What makes an operation fail.
    "transient": Help(
        "The provider failed again and again",
        "The provider answered with errors that usually pass, for longer than the retries last.",
        "Look at the provider's state, then retry.",
    ),
    "throttled": Help(
        "The provider asks for patience",
        "The provider refused calls because there were too many.",
        "Wait a little, then retry; do less at once.",
    ),
    "no-capacity": Help(
        "No room at the provider",
        "The provider has no capacity for what was asked.",
        "Ask for less, free something, or retry later; what was kept is listed in `kept`.",
    ),
    "quota": Help(
        "A quota is used up",
        "A limit of the account or the host is reached.",
        "Raise the limit or delete something, then retry.",
    ),
    "auth": Help(
        "The provider does not accept the credentials",
        "The provider refused Berth's own credentials or rights.",
        "Correct the worker's credentials, then retry.",
    ),
    "invalid": Help(
        "The provider refuses this for good",
        "What was asked cannot work at the provider; trying again changes nothing.",
        "Modify the spec as the message says, or delete the instance.",
    ),
    "not-ready": Help(
        "It runs but does not serve",
        "The object exists, but its readiness probe did not pass in time.",
        "Read the instance's logs, correct the parameters, then retry or restart.",
    ),
    "timed-out": Help(
        "It took too long",
        "The step did not end within its time-out, retries included.",
        "Look at the provider and the logs; retry, with longer `timeouts` where it really takes longer.",
    ),
    "cancelled": Help(
        "It was cancelled",
        "Somebody cancelled the operation, or a delete pre-empted it.",
        "Nothing is wrong; start what you want next.",
    ),
    "not-attempted": Help(
        "Its turn did not come",
        "The operation failed at another instance before this one was touched.",
        "Mend the instance that failed first, then retry.",
    ),
    "database-server-failed": Help(
        "Its database server does not run",
        "The database server that the instance needs failed, is half deleted, or is in maintenance.",
        "Read the server's own error and mend that; then retry: the same database and credentials are used.",
    ),
    "database-lost": Help(
        "Its database is gone",
        "The server that held its data was forgotten. Berth never puts an empty database in the place of data.",
        "Delete the instance; create it anew to begin with an empty database, and restore a backup into that.",
    ),
    "data-lost": Help(
        "Its data is gone",
        "The directory that held the instance's data was removed outside Berth. No start and no retry brings it "
        "back, and Berth never puts an empty instance in its place.",
        "Delete the instance; create it anew to begin with empty data. Whoever has a copy of the whole directory "
        "can put it back where it was, with its owners and modes, and start the instance then.",
    ),
    "not-yet": Help(
        "What it waits for did not come in time",
        "A step waited for another instance, such as its database server, and its time was over first.",
        "Look at the instance that the message names; then retry: it goes on from what there is.",
    ),
    "delete-unfinished": Help(
        "Gone, but still recorded",
        "The object is gone at its provider; the operation failed elsewhere before the record went.",
        "Retry: it removes the record.",
    ),
    "interrupted": Help(
        "The delete was interrupted",
        "The run of a delete was cancelled from outside after it had begun.",
        "Retry: it finishes the delete.",
    ),
    "run-lost": Help(
        "The run is gone",
        "The Temporal run that carried the operation ended without telling how: terminated, timed out or lost.",
        "Look at the instance's state, then retry; nothing is made twice.",
    ),
    "database-unavailable": Help(
        "Berth's database did not answer",
        "The worker could not read or write Berth's records for longer than its retries last.",
        "Look at the database (`/readyz?verbose`), then retry.",
    ),
    "database-refused": Help(
        "Berth's database refused a statement",
        "A statement of Berth's own was refused; that is a defect, not a mistake of yours.",
        "Retry; if it stays, report it with the message and the operation's id.",
    ),
    "crashed": Help(
        "It crashed", "The instance ended by itself with an error.", "Read its logs, then start or restart it."
    ),
    "absent": Help(
        "The real object is missing",
        "The provider says that the object does not exist any more.",
        "Start it: where its data is still there, that may bring it back; else it says so, and the way on is to "
        "delete or forget it.",
    ),
    "attempt-over": Help(
        "A later attempt took over",
        "A provider call went on after its time was over, and stopped before it touched anything more.",
        "Nothing is wrong; the later attempt does the work.",
    ),
    "abandoned": Help(
        "Nobody works on it any more",
        "It showed a change in progress, and there was no operation that carried it out; Berth gave it up.",
        "Start or restart it; where it was being created or deleted, delete it.",
    ),
    "fence-lost": Help(
        "Another run took over",
        "A run that no longer owned its deployment stopped before touching anything.",
        "Nothing is wrong; look at the operation that owns the deployment now.",
    ),
    "not-sealed": Help(
        "Not a question of this Berth",
        "Somebody asked a worker through Temporal without this installation's key, or an old question came again.",
        "Nothing was answered. If it was you, ask the API; else look who can reach Temporal.",
    ),
    "wrong-key": Help(
        "The key file does not fit",
        "The key file does not belong to this database, so secrets cannot be read.",
        "Restore the file `keys` of the data directory from a backup.",
    ),
}

_OTHER = Help(
    "Something went wrong",
    "This code has no section of its own.",
    "Read the message; the operation's steps show where it happened.",
)


def help_for(code: str) -> Help:
    """The section of `code`, or what can be said of any error."""
    return HELP.get(code.replace("_", "-"), _OTHER)


def help_url(code: str) -> str:
    """Where the section of `code` is served."""
    return f"{ERRORS_PAGE}#{code.replace('_', '-')}"


def errors_page() -> str:
    """All sections as one small page, for whoever follows the `type` of a problem."""
    sections = "".join(
        f'<h2 id="{code}">{escape(h.title)} <code>{code}</code></h2><p>{escape(h.means)}</p>'
        f"<p><b>What helps:</b> {escape(h.helps)}</p>"
        for code, h in HELP.items()
    )
    style = "body{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Errors of Berth</title>"
        f"<style>{style}</style><h1>Errors</h1>{sections}</html>"
    )
