"""Progress bars: shown on a terminal if tqdm is there, and never in the way."""

import io
import sys

import pytest

from numbert.system.progress import NoBar, bar, progress


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self):
        return True


class Bar:
    """Stands in for tqdm and notes what it is told."""

    made: list = []

    def __init__(self, **options):
        self.options, self.count, self.closed = options, 0, False
        self.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True

    def update(self, count=1):
        self.count += count


@pytest.fixture
def made(monkeypatch):
    """The bars that were made, in a world where tqdm is installed."""
    monkeypatch.setattr(Bar, "made", [])
    monkeypatch.setitem(sys.modules, "tqdm", type("tqdm", (), {"tqdm": Bar}))
    return Bar.made


@pytest.mark.parametrize("stream, enabled, shown", [
    (Terminal(), None, True), (io.StringIO(), None, False), (None, None, False),
    (Terminal(), False, False), (io.StringIO(), True, True), (None, True, False)])
def test_when_a_bar_is_shown(stream, enabled, shown, made, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    assert isinstance(bar(3, enabled=enabled), Bar if shown else NoBar)
    assert len(made) == shown


def test_without_tqdm_there_is_no_bar(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)           # importing it now fails
    with bar(3, enabled=True) as shown:
        shown.update(2)
        shown.set_postfix(loss=1.0)
    assert isinstance(shown, NoBar)


def test_what_the_bar_is_told(made):
    bar(7, "embed", True, " texts")
    bar(enabled=True)
    assert [(b.options["total"], b.options["desc"], b.options["unit"]) for b in made
            ] == [(7, "embed", " texts"), (None, None, "it")]


@pytest.mark.parametrize("items, total, known", [
    ([1, 2, 3], None, 3), (iter([1, 2, 3]), None, None), (iter([1, 2, 3]), 3, 3),
    ([1, 2, 3], 5, 5)])
def test_every_item_passes_and_counts(items, total, known, made):
    assert list(progress(items, total, enabled=True)) == [1, 2, 3]
    shown, = made
    assert shown.options["total"] == known and shown.count == 3 and shown.closed


def test_an_item_counts_when_its_work_is_done(made):
    counts = [made[0].count for _ in progress("ab", enabled=True)]
    assert counts == [0, 1]


def test_the_bar_closes_after_an_error(made):
    def broken():
        yield 1
        raise ValueError
    with pytest.raises(ValueError):
        list(progress(broken(), enabled=True))
    assert made[0].closed and made[0].count == 1


def test_tqdm_itself():
    pytest.importorskip("tqdm")
    with bar(3, "work", enabled=True) as shown:
        shown.update(2)
        assert (shown.n, shown.total) == (2, 3)
