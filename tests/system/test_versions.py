"""What a file says of the software that made it."""

import importlib.metadata
import platform

from numbert.system import versions


def test_versions_are_those_of_the_installed_packages():
    want = {name: importlib.metadata.version(name) for name in ("numbert", "numpy")}
    assert versions() == {**want, "python": platform.python_version()}
