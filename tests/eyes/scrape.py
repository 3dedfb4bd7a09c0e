"""Read `/metrics` as Prometheus does."""

from __future__ import annotations

import time
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from api import exposition
from tests.support.api import Api


@dataclass(frozen=True)
class Scrape:
    """One answer."""

    text: str

    @property
    def families(self) -> set[str]:
        """As they are called in rules; a counter without `_total`."""
        return {family.name for family in text_string_to_metric_families(self.text)}

    def value(self, sample: str, **labels: str) -> float:
        """The one sample of this name with exactly these labels."""
        found = [
            one.value
            for family in text_string_to_metric_families(self.text)
            for one in family.samples
            if one.name == sample and one.labels == labels
        ]
        assert len(found) == 1, f"{sample}{labels}: {found}\n{self.text[:4000]}"
        return float(found[0])


def scraped(api: Api, *, fresh: bool = False) -> Scrape:
    """`fresh`: past what is kept."""
    if fresh:
        time.sleep(exposition._KEPT_SECONDS)
    answer = api.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)
