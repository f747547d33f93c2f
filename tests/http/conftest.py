"""A fresh installation and a client for each test."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from tests.http.installation import BASE, Installation, installation


@pytest.fixture
def site() -> Installation:
    """An installation that accepts any write key."""
    return installation()


@pytest.fixture
def client(site: Installation) -> TestClient:
    """A browser, or a Segment client, on the same machine. An exception in the application fails the test."""
    return TestClient(make_app(site), base_url=BASE)
