"""Both ways of drawing: the program dot, and the pygraphviz wheel."""

import pytest

from tests.pictures.graphs import RENDERERS


@pytest.fixture(params=RENDERERS)
def renderer(request, monkeypatch):
    if not RENDERERS[request.param]:
        pytest.skip(f"{request.param} is not here")
    if request.param == "pygraphviz":
        monkeypatch.setenv("PATH", "")
    return request.param
