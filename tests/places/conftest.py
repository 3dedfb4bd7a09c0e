"""Whole Berths whose instances live at real places: containers, a cluster, a cloud."""

from tests.support.whole import make_whole

__all__ = ["make_whole"]
