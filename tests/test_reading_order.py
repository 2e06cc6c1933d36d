"""The reading order in the package's docstring names modules that exist."""

import importlib
import re

import streamrec


def test_every_module_named_exists() -> None:
    names = re.findall(r"`(streamrec\.[a-z_.]+)`", streamrec.__doc__ or "")
    assert len(names) > 15
    for name in names:
        importlib.import_module(name)
