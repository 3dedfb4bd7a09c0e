"""Write the tables of metrics and alerts in docs/monitoring.md from the catalogue and the rules.

Run by `make docs`; `--check`, run by `make check` and by tests/eyes, fails when the committed page differs.
"""

from __future__ import annotations

import sys

import yaml

from domain.metrics import METRICS, From, Kind, Metric
from scripts.generated import ROOT, settle

PAGE = ROOT / "docs" / "monitoring.md"
RULES = ROOT / "deploy" / "monitoring" / "rules.yml"
BEGIN, END = "<!-- {}: written by `make docs` -->", "<!-- /{} -->"


def page() -> str:
    """The page with both tables as the code says."""
    text = PAGE.read_text()
    for name, table in (("metrics", metrics()), ("alerts", alerts())):
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return text


def metrics() -> str:
    """One row for each metric, by where it is served."""
    lines = ["| metric | kind | labels | means |", "|---|---|---|---|"]
    for source in From:
        lines.append(f"| **{source.value}** | | | |")
        lines += [_row(metric) for metric in METRICS if metric.source is source]
    return "\n".join(lines)


def _row(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    labels = " ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{name}` | {metric.kind.value} | {labels} | {metric.help} |"


def alerts() -> str:
    """One row for each alert, with its section of the runbook."""
    lines = ["| alert | for | severity | says |", "|---|---|---|---|"]
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            name, words = rule["alert"], rule["annotations"]["summary"]
            for label in ("provider", "host", "status", "kind", "scope", "check", "route", "instance"):
                words = words.replace(f"{{{{ $labels.{label} }}}}", label.upper())
            for form in ("| humanizeDuration ", "| humanizePercentage ", "| humanize ", ""):
                words = words.replace(f"{{{{ $value {form}}}}}", "N")
            lines.append(
                f"| [{name}](runbook.md#{name.lower()}) | {rule['for']} | {rule['labels']['severity']} | {words} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(settle({PAGE: page()}, check="--check" in sys.argv[1:]))
