"""Where atheris is not installed (extra `fuzz`), what is guided by it is left out."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("atheris") else ["coverage.py"]
