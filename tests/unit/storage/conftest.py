"""A ledger that has lived, made once for each worker and copied for each test."""

import pytest

from ledger_case import copied, lived


@pytest.fixture(scope="session", params=[1, 4], ids=["one lane", "four lanes"])
def life(request, tmp_path_factory):
    """A closed data directory; never to be changed."""
    return lived(tmp_path_factory.mktemp("life") / "data", request.param)


@pytest.fixture
def data(life, tmp_path):
    """A copy of it, to be changed at will."""
    return copied(life, tmp_path / "data")
