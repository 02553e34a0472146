"""Say what is missing if the suite is started without its plugin."""


def pytest_pycollect_makemodule(module_path, parent):
    """Refuse to collect tests that can't run."""
    if not parent.config.pluginmanager.has_plugin("numbert.testing.conformance.suite"):
        raise parent.CollectError(
            "the conformance suite runs without its plugin, expected its options: add "
            "-p numbert.testing.conformance.plugin to the command")
