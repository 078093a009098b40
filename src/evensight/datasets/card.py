"""The dataset card."""

from evensight.datasets.examples import SetInfo
from evensight.runs import RunManifest

CARD_NAME = "README.md"


def card(info: SetInfo, manifest: RunManifest, certificate: str | None = None) -> str:
    return "x"
