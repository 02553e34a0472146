"""The plugin of pytest: it does nothing unless the conformance suite is asked for.

pytest reads options before it finds a package by --pyargs, so the options can't be
declared in a conftest.py there.
"""

NAMES = ("numbert.testing.conformance", "numbert/testing/conformance")


def pytest_load_initial_conftests(early_config, args):
    """Add the options and the rest, if the suite is among the arguments."""
    if any(name in str(arg) for arg in args for name in NAMES):
        from . import suite
        early_config.pluginmanager.register(suite, suite.__name__)
