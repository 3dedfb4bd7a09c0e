"""Which image a reference means: the one that bears this name, never one whose id happens to begin so."""

from __future__ import annotations

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from tests.support.docker_instances import WEB, Dock, a_web

pytestmark = [pytest.mark.processes, pytest.mark.docker]


@pytest.mark.parametrize("length", [2, 12, 64, 71])
def test_the_beginning_of_an_image_id_is_no_image(dock: Dock, length: int) -> None:
    image_id = str(dock.client.images.get(WEB).id)
    reference = image_id if length == len(image_id) else image_id.removeprefix("sha256:")[:length]
    with pytest.raises(ProviderError, match=f"image {reference} is not on this host") as refused:
        dock.provider.create(dock.work(a_web(image=reference)), dock.call)
    assert refused.value.kind is ProviderErrorKind.INVALID
    assert dock.client.containers.list(all=True) == []


@pytest.mark.parametrize(
    "reference",
    [WEB, f"docker.io/{WEB}", f"index.docker.io/{WEB}", "plain", "library/plain:latest", "localhost:5000/a/b"],
)
def test_every_way_to_write_a_name_leads_to_its_image(dock: Dock, reference: str) -> None:
    image = dock.client.images.get(WEB)
    names = ("plain", "localhost:5000/a/b")
    for name in names:
        image.tag(name)
    try:
        work = dock.created(a_web(image=reference))
        assert dock.inspected(work)["Image"] == image.id
        dock.provider.delete(work, dock.call)
    finally:
        for name in names:
            dock.client.images.remove(name)
