"""What objects show in a notebook: small tables, escaped; in a terminal as before."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import numbert
from numbert.system import html
from numbert.testing.gradcheck import check

from common import CLASSES, config, ids, stressed
from report_cases import EVIL, evil, right, wrong

VOCAB = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5,
         "<b>": 6, "&": 7, "<script>": 8}


def rows(text):
    """The cells of all rows of some HTML, which has to be well-formed."""
    tree = ElementTree.fromstring(f"<x>{text}</x>")
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]


def tags(text):
    return set(re.findall(r"</?(\w+)", text))


def tokenizer():
    found = numbert.BertTokenizer(VOCAB)
    found.add_tokens(["<script>", "<b>"])
    return found


def objects():
    """One of everything that shows itself, with names that try to be more."""
    model = stressed(numbert.BertForMaskedLM, config(id2label={0: EVIL, 1: "<b>"}))
    trace = numbert.Trace()
    output, _ = model.forward(ids(), labels=ids(), trace=trace,
                              output_hidden_states=True)
    trace.arrays[EVIL] = np.ones(3)
    halves = numbert.EncoderDecoderModel(
        encoder=stressed(numbert.BertModel), decoder=stressed(
            numbert.BertLMHeadModel, config(is_decoder=True, add_cross_attention=True)))
    batch = tokenizer()(["a <script> & <b>", "a"], padding=True)
    return [model.config, halves.config, model, halves, output, trace, batch,
            numbert.BatchEncoding({EVIL: [EVIL], "<b>": np.ones((3, 9))}),
            right(), wrong(), evil(),
            check(lambda v: float(v[EVIL] @ v[EVIL]), {EVIL: np.arange(3.0)},
                  {EVIL: np.arange(3.0)})]


@pytest.mark.parametrize("value", objects(), ids=lambda value: type(value).__name__)
def test_only_tables_come_out_and_nothing_foreign_is_markup(value):
    text = value._repr_html_()
    assert tags(text) <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td"}
    assert "\x1b" not in text and "\u202e" not in text
    assert "color" not in text and "background" not in text     # those of the page
    assert 2 <= len(rows(text)) <= 60 and len(text) < 20_000


def test_a_foreign_text_is_there_to_be_read():
    text = html.table("<i>, x", ["<u>"], [["<script>alert(1)</script>"]])
    assert rows(text) == [["<u>"], ["<script>alert(1)</script>"]]
    assert "&lt;i&gt;</b>, x" in text


def test_what_a_terminal_shows_has_not_changed():
    model = stressed(numbert.BertForMaskedLM)
    assert repr(model) == str(model) == (
        f"BertForMaskedLM({model.num_parameters():,} parameters, float64, 2 layers of "
        "12)")
    assert repr(model.config).startswith('BertConfig {\n  "_')  or \
        repr(model.config).startswith("BertConfig {")
    trace = numbert.Trace()
    output = model(ids(), trace=trace)
    assert repr(trace).startswith("<Trace of ") and "\n" not in repr(trace)
    assert repr(output).startswith("MaskedLMOutput(loss=None, logits=array([")
    batch = tokenizer()("a")
    assert repr(batch) == str(dict(batch))
    assert str(check(lambda v: float(v["x"] @ v["x"]), {"x": np.ones(2)}, {
        "x": 2 * np.ones(2)})) == "1 gradients checked along 3 directions: 0 wrong, " \
        "0 unsure"


@pytest.mark.parametrize("cls", CLASSES)
def test_the_parts_of_a_model_add_up(cls):
    model = stressed(cls)
    found = rows(model._repr_html_())
    assert found[0] == ["part", "tensors", "parameters"]
    assert found[1][0] == "embeddings" and found[2][0] == "each of 2 layers"
    tensors = [int(row[1]) * (2 if "each" in row[0] else 1) for row in found[1:]]
    numbers = [int(row[2].replace(",", "")) * (2 if "each" in row[0] else 1)
               for row in found[1:]]
    assert sum(tensors) == len(model.params)
    assert sum(numbers) == model.num_parameters()


@pytest.mark.parametrize("options", [{}, {"return_tensors": "np"}])
def test_a_batch_shows_each_token_above_its_numbers(options):
    made = tokenizer()
    text = made("a <b> &", "a", **options)._repr_html_()
    batch = made("a <b> &", "a")
    assert rows(text) == [["token", *batch.tokens()]] + [
        [name, *map(str, batch[name])] for name in batch]


def test_a_large_batch_shows_shapes():
    batch = tokenizer()(["a a"] * 5, return_tensors="np")
    assert rows(batch._repr_html_())[1:] == [
        [name, "5 x 4", "int64", ""] for name in batch]
    assert rows(tokenizer()(["a", "a a"])._repr_html_())[0][0] == "token"    # ragged


def test_an_output_shows_small_values_and_the_size_of_large_ones():
    output = stressed(numbert.BertForMaskedLM)(ids(), labels=ids(),
                                               output_hidden_states=True)
    loss, logits, states = rows(output._repr_html_())[1:]
    assert loss[:3] == ["loss", "one number", "float64"]
    assert float(loss[3]) == pytest.approx(float(output.loss), rel=1e-3)
    size = np.sqrt(np.mean(output.logits ** 2))
    assert logits == ["logits", "2 x 5 x 37", "float64", f"RMS {size:.3g}"]
    assert states[:3] == ["hidden_states", "3 of 2 x 5 x 12", "float64"]


def test_a_trace_shows_names_shapes_and_sizes_of_the_first_and_the_last():
    trace = numbert.Trace()
    stressed(numbert.BertForMaskedLM)(ids(), trace=trace)
    found = rows(trace._repr_html_())
    names = list(trace)
    assert found[1][0] == names[0] and found[-1][0] == names[-1]
    assert len(found) == html.MOST + 1
    gap, = [row[0] for row in found if len(row) == 1]
    assert gap == f"... {len(names) - html.MOST + 1} more"
    size = np.sqrt(np.mean(trace[names[0]] ** 2))
    assert found[1] == [names[0], "2 x 5 x 12", f"{size:.3g}"]


def test_masked_scores_have_a_size_without_a_warning():
    with np.errstate(all="raise"):
        assert html.rms(np.full(3, np.finfo("float64").min)) == np.finfo("float64").max
        assert html.rms(np.zeros(3)) == 0
        assert html.rms(np.array([3.0, -4])) == pytest.approx(np.sqrt(12.5))
        assert html.rms(np.array([1])) is html.rms(np.array(["a"])) is None


def test_a_report_begins_with_the_first_wrong_step_and_names_the_bug():
    report = wrong()
    text = report._repr_html_()
    assert "<b>FAIL</b>, a candidate judged as fp32: 6 tensors, 5 wrong" in text
    found = rows(text)
    assert found[1] == ["model: bert.encoder.layer.0.intermediate.out", "fail", "154",
                        "77", "618"]
    assert found[-1][0] == "C1-tanh"
    assert "<b>PASS</b>" in right()._repr_html_()


def test_a_gradient_check_lists_what_is_wrong():
    report = check(lambda v: float(v["x"] @ v["x"] + v["y"] @ v["y"]),
                   {"x": np.ones(2), "y": np.ones(2)},
                   {"x": 2 * np.ones(2), "y": np.ones(2)})
    assert {row[0] for row in rows(report._repr_html_())[1:]} == {"y"}
