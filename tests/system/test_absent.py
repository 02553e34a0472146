"""Names that numbert leaves out: each error gives the reason and the remedy."""

import re

import pytest

from numbert.system.absent import (ABSENT, REASONS, no_attribute, refuse_arguments)


def test_a_name_has_one_reason():
    names = [name for _, names in REASONS for name in names.split()]
    assert len(names) == len(set(names)) == len(ABSENT)
    assert all(re.fullmatch(r"([A-Z]\w+\.)?[A-Za-z_]\w*", name) for name in names)


def test_a_known_absence_gives_the_reason_and_another_name_python_s_message():
    assert "huggingface_hub.upload_folder" in str(no_attribute("BertModel",
                                                               "push_to_hub"))
    with pytest.raises(AttributeError) as python:
        object().spelling
    assert str(no_attribute("object", "spelling")) == str(python.value)


@pytest.mark.parametrize("given, message", [
    ({"device_map": "auto"}, r"load takes no device_map, on purpose: .*leave it out"),
    ({"dtyp": None}, r"load has no argument dtyp, expected one of dtype, rng: check"),
])
def test_arguments_are_refused_by_name(given, message):
    with pytest.raises(TypeError, match=message):
        refuse_arguments("load", given, ("dtype", "rng"))


@pytest.mark.parametrize("value", [None, False])
def test_an_argument_that_asks_for_nothing_passes(value):
    refuse_arguments("load", {"trust_remote_code": value}, ())
