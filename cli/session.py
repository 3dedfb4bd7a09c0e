"""What every command gets first, and the one place where failures become exit codes.

`@reads` and `@changes` add the common options to a command and hand it a `Session`; the command itself names
only its own arguments.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from cli import values
from cli.calls import at
from cli.errors import CliError, ExitCode
from cli.screen import Format, Screen
from cli.target import Target, find_target

if TYPE_CHECKING:
    from cli.client import Client

P = ParamSpec("P")
Command = Callable[Concatenate["Session", P], int | None]

Options = Mapping[str, tuple[Any, Any]]
"""What a decorator adds: name → (annotation for typer, default)."""


def _shared(*names: str, **more: Any) -> Any:
    """An option of many commands: in the help it stands behind the command's own."""
    return typer.Option(*names, rich_help_panel="Options of most commands", **more)


_COMMON: Options = {
    "data_dir": (
        Annotated[
            Path | None,
            _shared("--data-dir", help="Berth's data directory; beats BERTH_URL and BERTH_DATA_DIR."),
        ],
        None,
    ),
    "output": (Annotated[Format | None, _shared("-o", "--output", help="How to print the data.")], None),
    "as_json": (Annotated[bool, _shared("--json", help="Short for -o json.")], False),
    "quiet": (Annotated[bool, _shared("-q", "--quiet", help="Names or ids only, no progress.")], False),
    "no_input": (Annotated[bool, _shared("--no-input", help="Never ask; fail instead.")], False),
    "project": (
        Annotated[
            str | None,
            _shared("--project", envvar="BERTH_PROJECT", help="One of yours, where you have several."),
        ],
        None,
    ),
    "no_color": (Annotated[bool, _shared("--no-color", help="As NO_COLOR=1.")], False),
}
_WAITING: Options = {
    "wait": (
        Annotated[
            bool | None,
            _shared("--wait/--no-wait", help="Wait for the end; by default on a terminal only."),
        ],
        None,
    ),
    "timeout": (
        Annotated[str, _shared("--timeout", metavar="TIME", help="How long to wait: 30s, 5m, 1h.")],
        "30m",
    ),
}


class Session:
    """One run of one command."""

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        screen: Screen | None = None,
        wait: bool | None = None,
        timeout: float = 1800.0,
        project: str | None = None,
    ) -> None:
        self.screen = screen or Screen()
        self.data_dir = data_dir
        self.project = project
        self.wait = self.screen.is_terminal if wait is None else wait
        self.timeout = timeout

    @cached_property
    def target(self) -> Target:
        """The Berth this command acts on."""
        return find_target(self.data_dir)

    @cached_property
    def client(self) -> Client:
        """The connection, opened by the first call."""
        from cli.client import Client

        return Client(self.target, on_silence=self._on_silence, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """What every request says beside who asks: for whom."""
        return {"Berth-Project": at(self.project).strip("/")} if self.project else {}

    def look_again(self) -> None:
        """Forget where Berth was: one that was started anew may answer elsewhere, to another token."""
        if "client" in self.__dict__:
            self.client.close()
        self.__dict__.pop("client", None)
        self.__dict__.pop("target", None)

    def berth(self, command: str) -> str:
        """A command line to show: names directory and project again where the caller had to."""
        where = f" --data-dir {self.data_dir}" if self.data_dir else ""
        chosen = f" --project {self.project}" if self.project and not os.environ.get("BERTH_PROJECT") else ""
        return f"berth {command}{chosen}{where}"

    def _doubt(self) -> str:
        if "client" not in self.__dict__ or not self.client.in_doubt:
            return ""
        from cli.client import DOUBT

        return f"{DOUBT}, with {self.berth('operations list')}"

    def _on_silence(self, what: str) -> None:
        if self.screen.is_live:
            self.screen.note(f"{what} Trying again …")

    def run(self, command: Callable[[], int | None]) -> int:
        """Run to an exit code; every failure is shown here and nowhere else."""
        try:
            return command() or ExitCode.OK
        except CliError as error:
            self.screen.error(error)
            return error.code
        except KeyboardInterrupt:
            self.screen.note("", "interrupted" + self._doubt())
            return ExitCode.INTERRUPTED
        except BrokenPipeError:
            self.screen.abandon()
            return ExitCode.READER_GONE
        finally:
            if "client" in self.__dict__:
                self.client.close()


def reads(command: Command[P]) -> Callable[..., None]:
    """A command that only looks."""
    return _with_options(command, _COMMON)


def changes(command: Command[P]) -> Callable[..., None]:
    """A command that starts an operation and may wait for it."""
    return _with_options(command, {**_COMMON, **_WAITING})


def _with_options(command: Command[P], options: Options) -> Callable[..., None]:
    def run(*, context: typer.Context, **given: Any) -> None:
        if context.invoked_subcommand is not None:
            return  # `hosts cordon`: the group's own command is for `hosts` alone
        chosen = {name: given.pop(name) for name in options}
        chosen["data_dir"] = chosen["data_dir"] or _said_before(context)
        code = _run(chosen, lambda session: command(session, **given))  # type: ignore[call-arg]
        if code:
            raise typer.Exit(int(code))

    context: Options = {"context": (typer.Context, Parameter.empty)}
    return with_signature(run, command, {**context, **options}, hidden="session")


def _said_before(context: typer.Context) -> Path | None:
    """The directory where it stood before the command's name: `berth --data-dir D list`."""
    outer = context.parent
    while outer is not None:
        if outer.params.get("data_dir"):
            return Path(outer.params["data_dir"])
        outer = outer.parent
    return None


def with_signature(
    run: Callable[..., Any], command: Callable[..., Any], options: Options, *, hidden: str
) -> Callable[..., Any]:
    """Give `run` the parameters of `command` without the `hidden` one, and the options behind them."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    own = [p for p in parameters if p.name != hidden]
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]
    # An option may stand before one without default: typer goes by names, not by places.
    both = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in own] + added
    run.__name__ = getattr(command, "__name__", "command")
    run.__doc__ = command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in both} | {"return": None}
    run.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    return run


def _run(chosen: dict[str, Any], command: Callable[[Session], int | None]) -> int:
    if chosen["no_color"]:
        os.environ["NO_COLOR"] = "1"  # for what others draw too
    screen = Screen(_format(chosen), chosen["quiet"], chosen["no_input"])
    try:
        timeout = values.seconds(chosen.get("timeout", "30m"))
    except CliError as error:
        screen.error(error)
        return error.code
    session = Session(
        data_dir=chosen["data_dir"],
        screen=screen,
        wait=chosen.get("wait"),
        timeout=timeout,
        project=chosen["project"],
    )
    return session.run(lambda: command(session))


def _format(chosen: dict[str, Any]) -> Format:
    output: Format | None = chosen["output"]
    if chosen["as_json"]:
        return Format.JSON
    if output is None:
        return Format.NAME if chosen["quiet"] else Format.TABLE
    return output
