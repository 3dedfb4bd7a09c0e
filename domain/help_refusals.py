"""The part of `domain.help` about requests that were not accepted. Nothing was written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Help:
    """One code's section: a title, what happened, and what helps."""

    title: str
    means: str
    helps: str


REFUSALS: dict[str, Help] = {
    "bad-request": Help(
        "The request could not be read",
        "The request is not well-formed HTTP or JSON, so it was not looked at any further.",
        "Send a JSON object in UTF-8; the detail says where reading stopped.",
    ),
    "invalid-input": Help(
        "Some fields are wrong",
        "One or more fields have a value that cannot work. `errors` lists each with a JSON pointer.",
        "Correct the fields named in `errors` and send the request again; nothing was written.",
    ),
    "unauthorized": Help(
        "Who are you?",
        "The call carries no bearer token, or one that this Berth does not know.",
        "Send `Authorization: Bearer TOKEN` with the content of the file `token` in the data directory.",
    ),
    "not-signed": Help(
        "Not signed by billing",
        "What arrives here is believed by its signature alone: it is missing, of another secret, or too old.",
        "Sign as Standard Webhooks has it: `webhook-id`, `webhook-timestamp` (now) and `webhook-signature` over "
        "the body as sent, with a secret of `BERTH_BILLING_SECRETS`.",
    ),
    "forbidden": Help(
        "Not you, or not from there",
        "Your role or project does not allow this, or the Host or Origin is not one that this Berth serves.",
        "The detail says which. Ask an administrator for a role, or use the address that `berth status` prints.",
    ),
    "rate-limited": Help(
        "Too many requests",
        "You, or somebody with your credentials, sent more requests than the policy in `RateLimit-Policy` allows.",
        "Wait for `Retry-After` seconds. An administrator can raise `BERTH_RATE_…`.",
    ),
    "limit-reached": Help(
        "The project has no room for this",
        "`limit` names what the project may have at once, what it has, and what was asked for.",
        "Delete something or ask for less. An administrator can raise the project's limits.",
    ),
    "no-room": Help(
        "The disk is nearly full",
        "Nothing new is accepted, so that what runs can be recorded and what is not needed can be deleted.",
        "Delete what is not needed, or make room on the disk; deleting and stopping go on working.",
    ),
    "not-found": Help(
        "There is no such thing",
        "Nothing lives under this id or name, or the path is not one of the API's; an operation fails with it "
        "where the provider has no such object any more.",
        "List what exists; a name resolves to the living only, finished lives are under `/runs`. After a failed "
        "operation: delete the instance, whose object is gone.",
    ),
    "terminated": Help(
        "It is gone",
        "The instance lived once and was terminated. Its finished life and its history remain.",
        "Follow `run_url` for its finished life; `/instances/{id}/history` works by its old id, too.",
    ),
    "method-not-allowed": Help(
        "This path has no such method",
        "The path exists, but it does not take this HTTP method.",
        "Use one of the methods in the `Allow` header.",
    ),
    "unsupported-media-type": Help(
        "Send JSON",
        "The body is not declared as JSON.",
        "Set `Content-Type: application/json` (or `application/merge-patch+json` for PATCH).",
    ),
    "too-large": Help(
        "The body is too large",
        "A request body may have at most 256 KiB.",
        "Send less: no field of the API needs that much.",
    ),
    "invalid-transition": Help(
        "Not allowed in this status",
        "The table of moves does not list this operation from the instance's present status.",
        "Choose one of `allowed_actions`, or wait until the instance has settled.",
    ),
    "on-hold": Help(
        "It is suspended",
        "A hold stands on the deployment; until it is lifted nothing may start there, whatever its status.",
        "The detail names the hold and who can lift it: billing when a payment succeeds, an administrator with "
        "`unsuspend`.",
    ),
    "deletion-protected": Help(
        "Protected against deletion",
        "The deployment has `deletion_protection`; nothing of it may be deleted, by nobody.",
        'Lift it first, `PATCH {"deletion_protection": false}`, and send the delete again.',
    ),
    "operation-in-progress": Help(
        "Another operation holds the deployment",
        "One operation at a time works on a deployment; `operation` names the one that does now.",
        "Wait for it (`GET /operations/{id}?wait=30`), cancel it, or delete, which pre-empts it.",
    ),
    "name-taken": Help(
        "The name is taken",
        "Names are unique among what lives; something alive has this name.",
        "Choose another name, or delete what has it.",
    ),
    "port-taken": Help(
        "The port is taken",
        "Another instance on the same host has this port for life.",
        "Choose another port, or leave it out and get a free one.",
    ),
    "code-refused": Help(
        "The code opens nothing",
        "A login code or a socket ticket works once, and for a short time.",
        "Ask for another: `berth open` makes a new login link.",
    ),
    "host-unavailable": Help(
        "No host can take it",
        "No host that offers this provider is known, seen within 30 s, and not cordoned.",
        "Start a worker on it (`berth up`, or `berth-worker --host`), or lift the cordon; delete and forget work.",
    ),
    "provider-unavailable": Help(
        "This provider cannot be used here",
        "The provider is not part of this version or is not configured; `/providers` says why.",
        "Configure what the detail names: a worker tries again every 15 s. Or choose an available one.",
    ),
    "provider-swapped": Help(
        "The provider is another one",
        "Another engine, cluster or account answers than the one that holds the instances.",
        "Lead the provider back, or set the `BERTH_…_ACCEPT_IDENTITY` that the message names.",
    ),
    "several-members": Help(
        "Change the deployment instead",
        "The instance is one of several members, and they share one spec.",
        "Send the change to the deployment named in the detail.",
    ),
    "idempotency-key-reused": Help(
        "The key was used for something else",
        "This Idempotency-Key came before with another body.",
        "Use a new key for a new request; the same key repeats the same request only.",
    ),
    "precondition-failed": Help(
        "It changed since you read it",
        "The version in `If-Match`, or the plan, does not describe the present state any more.",
        "Read it again, look at what changed, and send the change with the new ETag or a new plan.",
    ),
    "precondition-required": Help(
        "Say which version you read",
        "A change of a spec needs `If-Match`, so that two people do not overwrite each other.",
        "Send the ETag of your last GET in `If-Match`, or the `plan_id` of a plan.",
    ),
    "invalid-page-token": Help(
        "The page token does not fit",
        "A page token is good only for the list and the filter that it was given for.",
        "Start again without `page_token`, and keep the filter the same from page to page.",
    ),
    "conflict": Help("Somebody was faster", "Two requests met, and this one lost the race.", "Send it again."),
    "unavailable": Help(
        "A part does not answer",
        "A part that this request needs – the database, Temporal or a worker – does not answer now.",
        "Try again after the time in `Retry-After`; `/readyz?verbose` names the part.",
    ),
    "internal": Help(
        "A defect of Berth",
        "Something happened that should not; it is in the API's log under the `trace_id`.",
        "Try again; if it stays, report it with the `trace_id`.",
    ),
}
