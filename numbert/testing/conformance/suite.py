"""What pytest calls: options, the list of tests, expected failures, and reports."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from ...system.saving import atomic_write_text
from ...verify.noise import PROFILES
from .. import vectors
from ..properties.laws import missing
from ..properties.targets import OperationsTarget
from . import golden, page
from .expected import check_used, read_expected
from .models import model_of
from .programs import ProgramTarget
from .target import LEVELS, OPERATIONS, TargetError, answer, load, part
from .tokenizers import made_of_operations

KEY = pytest.StashKey["Suite"]()
PACKAGE = "numbert.testing.conformance"
LAWS = {"tokenizer": ("tokenizer",), "forward": ("forward", "operation"),
        "backward": ("backward", "operation"), "masking": ("masking",),
        "generation": ("generation",), "training_step": ("training",)}
FLOAT64 = ("gradients_are_slopes", "finite_differences_converge")
BACKWARD = ("layer_norm_backward", "cross_entropy")     # operations with gradients


def pytest_addoption(parser):
    """Declare the options; see the docstring of the package."""
    group = parser.getgroup("numbert conformance suite")
    group.addoption("--target", metavar="MODULE",
                    help="the adapter, as mypkg.adapter or mypkg.adapter:object")
    group.addoption("--exec", metavar="COMMAND", dest="command",
                    help="a program that answers the vectors by JSON lines")
    group.addoption("--level", metavar="LEVELS", default=",".join(LEVELS),
                    help=f"some of {','.join(LEVELS)}")
    group.addoption("--dialect", choices=vectors.DIALECTS,
                    help="whose rules the tokenizer follows; by default the target's "
                    "own dialect, or hf-fast")
    group.addoption("--examples", type=int, default=50, metavar="N",
                    help="how many examples each law is tried on (%(default)s)")
    group.addoption("--expected-failures", metavar="FILE",
                    help="a file with lines PATTERN : REASON")
    group.addoption("--conformance-report", metavar="FILE",
                    help="write a page in Markdown")


def pytest_configure(config):
    """Load the target, before anything is collected."""
    try:
        config.stash[KEY] = Suite(config)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_unconfigure(config):
    """End the program."""
    suite = config.stash.get(KEY, None)
    if suite is not None and isinstance(suite.target, ProgramTarget):
        suite.target.close()


class Suite:
    """The target, the options, and what has come out."""

    def __init__(self, config):
        options = config.option
        self.levels = [name.strip() for name in options.level.split(",")]
        for name in self.levels:
            if name not in LEVELS:
                raise ValueError(f"--level is {name!r}, expected some of "
                                 f"{','.join(LEVELS)}: correct it")
        if options.examples < 1:
            raise ValueError(f"--examples is {options.examples}, expected 1 or more: "
                             "leave it out for 50")
        if (options.target is None) == (options.command is None):
            raise TargetError("the suite has no target, expected one of --target "
                              "mypkg.adapter and --exec PROGRAM: copy "
                              "numbert/testing/conformance/template.py")
        self.target = load(options.target) if options.target else ProgramTarget(
            options.command, options.dialect or "hf-fast")
        self.where = options.target or options.command
        self.dialect = options.dialect or getattr(self.target, "dialect", "hf-fast")
        vectors.reading.check_dialect(self.dialect)
        self.profile = getattr(self.target, "profile", "fp32")
        if self.profile not in PROFILES:
            raise ValueError(f"profile of the target is {self.profile!r}, expected one "
                             f"of {', '.join(PROFILES)}: name its precision")
        self.examples, self.path = options.examples, options.expected_failures
        self.expected = read_expected(self.path) if self.path else []
        self.reports: list[Any] = []

    # --------------------------------------------------------------------- the tests

    def vectors(self, level):
        """Return the vectors of a level."""
        return [vector for vector in vectors.every(dialect=self.dialect)
                if vector["operation"] in OPERATIONS.get(level, ())]

    @staticmethod
    def laws(level):
        """Return the properties of a level; what needs a gradient is of backward."""
        from ..properties.table import PROPERTIES
        return [entry for entry in PROPERTIES if entry.law.level in LAWS[level]
                and (entry.law.level != "operation" or
                     (level == "backward") == (entry.law.needs[0] in BACKWARD))]

    def check_vector(self, vector):
        """Fail unless the answer to a vector is right."""
        said = self.target.answers[vector["id"]] if isinstance(
            self.target, ProgramTarget) else answer(self.target, vector)
        if "skip" in said:
            raise NotImplementedError(vector["operation"])
        problem = vectors.check(vector, said, self.dialect)
        if problem:
            asked = vectors.request(vector)
            bugs = f"\n  it catches {', '.join(vector['catches'])}; see " \
                "numbert/testing/vectors/README.md" if vector["catches"] else ""
            pytest.fail(f"{vector['id']}: {problem}\n  {vector['operation']} of "
                        f"{ascii(asked['input']):.300}, {ascii(vector['settings'])}\n"
                        f"  {vector['comment']}{bugs}", pytrace=False)

    def check_law(self, entry):
        """Fail unless a law holds."""
        from ..properties.table import check
        target = self.tested(entry.law)
        lacking = missing(target, entry.law.needs)
        if lacking:
            raise NotImplementedError(", ".join(lacking))
        if entry.name in FLOAT64 and self.dtype != "float64":
            raise NotImplementedError("float64, for slopes")
        found: list[Any] = []
        failing(check, entry._replace(function=trying(entry.function, found)), target,
                max_examples=self.examples)
        if found and all(isinstance(x, NotImplementedError) for x in found):
            raise found[0]

    def tested(self, law):
        """Return the target of a law."""
        if law.level == "tokenizer":
            return self.tokenizer
        if law.level == "masking":
            return part(self.target, "masking")
        if law.level in ("operation", "training"):
            return getattr(self.target, "operations", None) or OperationsTarget()
        return self.model(law.model)

    @functools.cached_property
    def tokenizer(self):
        """The tokenizer that the laws are tried on."""
        own = getattr(self.target, "tokenizer", None)
        return made_of_operations(self.target, self.dialect) if own is None else own

    @property
    def dtype(self):
        """The precision of the weights that a target is given."""
        return "float64" if self.profile == "fp64" else "float32"

    @functools.cache
    def model(self, name):
        """Return the model of a class that laws are about."""
        return model_of(self.target, name, self.dtype)

    @functools.cached_property
    def golden(self):
        """The target, compared with the golden pack."""
        return golden.Golden(self.target)

    def check_golden(self, level, case, kind):
        """Fail unless the tensors of a case are right."""
        failing(self.golden.check, level, case, kind)

    def check_choice(self, name):
        """Fail if the target chose otherwise than transformers."""
        failing(self.golden.check_choice, name)


def trying(function, found):
    """Return a law that notes what it gave, and what the target does not have.

    Hypothesis would take a NotImplementedError for a failure, and shrink the example.
    """
    @functools.wraps(function)
    def tried(*args, **named):
        try:
            ratio = function(*args, **named)
        except NotImplementedError as error:
            found.append(error)
            return None
        found.append(ratio)
        return ratio
    return tried


def failing(function, *args, **named):
    """Fail with the message of an AssertionError, without a traceback through numbert.
    """
    try:
        function(*args, **named)
        return
    except AssertionError as error:
        said = "\n".join([str(error), *getattr(error, "__notes__", ())])
    pytest.fail(said, pytrace=False)


@pytest.fixture(scope="session")
def suite(pytestconfig):
    """What is tested, and how."""
    return pytestconfig.stash[KEY]


# ------------------------------------------------------------------------ collecting

def pytest_generate_tests(metafunc):
    """Make a test for each vector, law and golden case of a level."""
    if not metafunc.module.__name__.startswith(PACKAGE):
        return
    suite, level = metafunc.config.stash[KEY], metafunc.module.LEVEL
    if "vector" in metafunc.fixturenames:
        found = suite.vectors(level)
        metafunc.parametrize("vector", found, ids=[vector["id"] for vector in found])
    if "law" in metafunc.fixturenames:
        laws = suite.laws(level)
        metafunc.parametrize("law", laws, ids=[entry.name for entry in laws])
    if "case" in metafunc.fixturenames:
        found = golden.tests(level)
        metafunc.parametrize("case, kind", found, ids=[
            f"{case}-{kind.replace(' ', '-')}" for case, kind in found])


def ours(items):
    """Return the tests of the suite, among others."""
    return [item for item in items if getattr(item, "module", None) is not None
            and item.module.__name__.startswith(PACKAGE)]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark expected failures; leave out levels that were not asked for."""
    suite, mine = config.stash[KEY], ours(items)
    whole = any(arg in (PACKAGE, "numbert/testing/conformance") for arg in config.args)
    if suite.path and whole:
        try:
            check_used(suite.path, suite.expected, [item.nodeid for item in mine])
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
    for item in mine:
        entry = next((e for e in suite.expected if e.fits(item.nodeid)), None)
        if entry is not None:
            item.add_marker(pytest.mark.xfail(reason=entry.reason, strict=True))
    dropped = [item for item in mine if item.module.LEVEL not in suite.levels]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in set(dropped)]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip what the target does not have."""
    try:
        return (yield)
    except NotImplementedError as error:
        if not ours([pyfuncitem]):
            raise
        pytest.skip(f"not provided: {error}")


# --------------------------------------------------------------------------- reports

def pytest_runtest_logreport(report):
    """Keep what came out; with several processes, this one sees it all."""
    if RUNNING and (report.when == "call" or report.outcome != "passed"):
        RUNNING[-1].reports.append(report)


RUNNING: list[Suite] = []


def pytest_sessionstart(session):
    """Begin to keep reports."""
    RUNNING.append(session.config.stash[KEY])


def pytest_sessionfinish(session):
    """Write the page; nothing was collected if the command was wrong."""
    suite, path = RUNNING.pop(), session.config.option.conformance_report
    worker = hasattr(session.config, "workerinput")
    if path and suite.reports and not worker:
        atomic_write_text(path, page.markdown(page.counted(suite.reports), suite))


def pytest_terminal_summary(terminalreporter, config):
    """Print a table of levels."""
    suite = config.stash[KEY]
    if suite.reports:
        terminalreporter.section(f"conformance of {page.title(suite)}")
        terminalreporter.write_line(page.text(page.counted(suite.reports)))
