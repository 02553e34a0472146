"""How far one forward pass sends its reader: which rooms, and how often to and fro."""

import itertools
import sys
from pathlib import Path

import numpy as np

import numbert
from common import config, ids
from numbert.bert import ops

PACKAGE = Path(numbert.__file__).parent


def file_of(frame):
    """The file of numbert that a frame runs, or None."""
    path = Path(frame.f_code.co_filename)
    inside = path.is_relative_to(PACKAGE)
    return path.relative_to(PACKAGE).as_posix() if inside else None


def files_read(run):
    """The files of numbert whose functions a call enters or comes back to, in order."""
    seen = []

    def watch(frame, event, argument):
        if event == "call":
            seen.append(file_of(frame))
        elif event == "return" and file_of(frame):
            back = frame.f_back
            while back is not None and file_of(back) is None:
                back = back.f_back
            seen.append(file_of(back) if back else None)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(before)
    return [file for file in seen if file]


def test_a_classifier_is_read_in_two_rooms():
    """From the class to the mathematics and back, and not over and over again."""
    model = numbert.BertForSequenceClassification(config(num_hidden_layers=1))
    inputs = {"input_ids": ids(), "labels": np.array([0, 1])}
    model(**inputs)                                  # what is made once is made here
    files = files_read(lambda: model(**inputs))
    assert len(set(files)) <= 19, sorted(set(files))
    rooms = [file.split("/")[0] for file in files]
    switches = sum(a != b for a, b in itertools.pairwise(rooms))
    assert set(rooms) == {"models", "bert"}
    assert switches <= 10, f"{switches} switches between rooms"


def test_the_walk_is_recorded():
    walk = files_read(lambda: ops.gelu(np.ones(3)))
    assert walk[0] == walk[-1] == "bert/ops.py" and "bert/erf.py" in walk
