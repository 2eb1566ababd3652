"""The first names that ship with the package."""

from string import ascii_lowercase

from autograd_lite import datasets
from autograd_lite.datasets.lines import alphabet_of


def test_names_are_whole():
    names = datasets.names()
    assert (len(names), names[0], names[-1]) == (32_033, "emma", "zzyzx")
    assert alphabet_of(names, "the names") == ascii_lowercase
    assert len(set(names)) > 29_000
    assert {min(map(len, names)), max(map(len, names))} == {2, 15}
