"""The pictures show the numbers that they were given, with labels that can be read."""

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import numbert
from numbert.verify.cases import make_cases
from numbert.verify.parents import parents
from numbert.verify.run import run

from common import CLASSES, SMALL, config, ids, stressed
from report_cases import EVIL, judged, report, right, wrong

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure                                     # noqa: E402
from matplotlib.text import Text                                         # noqa: E402

from numbert import plots                                                # noqa: E402
from numbert.plots import flow                                           # noqa: E402

C, N = SMALL["hidden_size"], SMALL["num_attention_heads"]
TOKENS = ["[CLS]", "a", "$b$", "[SEP]"]
RNG = np.random.default_rng(0)
PROBS = RNG.dirichlet(np.ones(4), size=(3, 4))                           # (N, T, S)


def images(figure):
    """The arrays of all images that are no colour bar, in order."""
    return [np.asarray(image.get_array()) for axes in figure.axes
            for image in axes.get_images()]


def curve(axes, name):
    """x and y of the curve with this name in the legend."""
    line, = [x for x in axes.lines if x.get_label() == name]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def words(axis):
    """The labels of the ticks of an axis."""
    return [text.get_text() for text in axis.get_ticklabels()]


def overlapping(figure):
    """Pairs of labels along one axis that cover each other; it has been drawn."""
    found = []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            texts = [x for x in axis.get_ticklabels() if x.get_text() and axes.axison]
            boxes = [x.get_window_extent() for x in texts]
            found += [(a.get_text(), b.get_text()) for i, a in enumerate(texts)
                      for j, b in enumerate(texts[:i]) if boxes[i].overlaps(boxes[j])]
    return found


def outside(figure):
    """The texts that reach over the edge of the figure, which has been drawn."""
    undrawn = [text for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
               for tick in axis.get_major_ticks() + axis.get_minor_ticks()
               if not axes.axison or not min(axis.get_view_interval()) - 1e-9 <=
               tick.get_loc() <= max(axis.get_view_interval()) + 1e-9
               for text in (tick.label1, tick.label2)]
    width, height = figure.get_size_inches() * figure.dpi
    return [text.get_text() for text in figure.findobj(
        lambda x: isinstance(x, Text) and x.get_visible() and x.get_text().strip()
        and x not in undrawn)
        for box in [text.get_window_extent()]
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]


def everything():
    """{name: a picture} of every function, with labels that are hard to place."""
    model = stressed(numbert.BertForPreTraining)
    batch = {"input_ids": ids(), "labels": ids(), "next_sentence_label": [0, 1]}
    _, saved = model.forward(**batch)
    x = np.linspace(-2, 2, 30)
    text = "Ünder\t東京, $x$ and $y$"
    vocab = {"[UNK]": 0, "un": 1, "##der": 2, "$": 3, "x": 4, ",": 5}
    steps = [step for step in proof_steps()]
    return {
        "attention": plots.attention_maps(PROBS, TOKENS, title="layer $0$ of $1$"),
        "one head": plots.attention_maps(PROBS[0], TOKENS),
        "long": plots.attention_maps(np.full((2, 60, 60), 1 / 60), ["token"] * 60),
        "masks": plots.masks({"a": np.eye(4, dtype=bool), "b": PROBS[0]}, TOKENS),
        "heat map": plots.heat_map(PROBS[0], TOKENS, TOKENS, numbers=True),
        "positions": plots.positions(RNG.standard_normal((9, 5))),
        "flow": plots.data_flow(model, batch, title="a model"),
        "gradients": plots.gradient_norms(model.backward(saved)),
        "curves": plots.curves(x, {"$a$ $b$": x ** 2, "b": x}, xlabel="x"),
        "log": plots.curves(x, {"a": np.exp(x), "b": np.exp(3 * x)}, log=True),
        "errors": plots.errors_by_depth({"a": [0.1, 0, np.inf], "b": [np.nan, 1, 2]}),
        "report": plots.errors_by_depth(wrong()),
        "evil": plots.errors_by_depth(report([judged(EVIL, EVIL, 20.0, 30.0)])),
        "digits": plots.digits_by_depth(steps),
        "shares": plots.shares([0.5, 9], [0.4, 5], [0.3, 4], [0.6, 6], ["a", "b $c$"]),
        "scores": plots.scores({"a": 1, "b": 2}, low={"a": 0.5, "b": 1}, high={
            "a": 2, "b": 3}, reference={"chance": 0.5}),
        "losses": plots.loss_curves([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2}]),
        "landscape": plots.landscape(lambda a, b: a * a + b, path=[(1, 1), (0, 0)]),
        "log landscape": plots.landscape(lambda a, b: np.exp(9 * a + b), log=True),
        "tokenizer": plots.tokenizer_steps(text, plots.tokenizer_stages(text, vocab))}


def proof_steps():
    from numbert.verify.proofs import Digits, Step
    inf = np.inf
    return [Step("embeddings.sum", (1,), 30.0, Digits(inf, inf), Digits(7.0, 6.0)),
            Step("encoder.layer.0.output.out", (1,), 29.0, Digits(15.0, 12.0),
                 Digits(6.5, 3.0))]


# ------------------------------------------------------------------ what all have

@pytest.fixture(scope="module")
def drawn():
    """{name: a picture and its PNG}; drawing it gives no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {name: (figure, figure._repr_png_())
                for name, figure in everything().items()}


@pytest.fixture
def figures(drawn):
    return {name: figure for name, (figure, _) in drawn.items()}


def test_every_function_makes_a_picture_that_a_notebook_can_show(drawn):
    for name, (figure, data) in drawn.items():
        assert isinstance(figure, Figure), name
        assert data.startswith(b"\x89PNG") and len(data) < 150_000, name


def test_labels_do_not_cover_each_other_and_stay_inside(figures):
    for name, figure in figures.items():
        assert overlapping(figure) == [], name
        assert outside(figure) == [], name


def test_labels_are_large_enough(figures):
    for name, figure in figures.items():
        for axes in figure.axes:
            for text in [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title]:
                assert text.get_fontsize() >= 9, name


def test_an_overlap_and_a_text_outside_are_seen():
    figure = plots.curves([0, 1], {"a": [0, 1]})
    figure.axes[0].set_xticks([0, 0.01], ["wide label", "another"])
    figure.axes[0].text(3, 0, "far away", in_layout=False)
    figure._repr_png_()
    assert overlapping(figure) == [("another", "wide label")]
    assert "far away" in outside(figure)


def test_it_draws_on_axes_that_are_given():
    figure = Figure()
    first, second = figure.subplots(1, 2)
    assert plots.curves([0, 1], {"a": [3, 4]}, axes=first) is first
    assert curve(first, "a")[1].tolist() == [3, 4] and not second.lines
    given = [first, second]
    assert plots.attention_maps(PROBS, TOKENS, heads=[2, 0], axes=given) is given
    with pytest.raises(ValueError, match="axes are 1, expected 2: pass one for each"):
        plots.attention_maps(PROBS, TOKENS, heads=[2, 0], axes=[first])


def test_the_style_of_other_pictures_stays():
    import matplotlib
    before = dict(matplotlib.rcParams)
    plots.curves([0, 1], {"a": [3, 4]})
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_the_error_says_what_to_install():
    code = ("import sys; sys.modules['matplotlib'] = None\n"
            "from numbert import plots\n"
            "try: plots.curves([0], {'a': [0]})\n"
            "except ImportError as error: print(error)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout == ("matplotlib is not installed, expected it for pictures: pip "
                           'install "numbert[notebooks]"\n')


def test_importing_the_pictures_imports_no_matplotlib():
    code = "import sys; from numbert import plots; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True,
                          text=True).stdout == "False\n"


# ---------------------------------------------------------------------- the numbers

def test_attention_maps_show_the_heads_that_were_asked_for():
    figure = plots.attention_maps(PROBS[None], TOKENS, heads=[2, 0], keys=list("wxyz"))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["head 2", "head 0"]
    shown = images(figure)
    assert np.array_equal(shown[0], PROBS[2]) and np.array_equal(shown[1], PROBS[0])
    assert words(figure.axes[0].yaxis) == TOKENS
    assert words(figure.axes[0].xaxis) == list("wxyz")
    assert figure.axes[0].get_images()[0].get_clim() == (0, 1)


@pytest.mark.parametrize("probs, options, says", [
    (PROBS, {"tokens": TOKENS[1:]}, r"\(3, 4, 4\), expected \(heads, 3, 3\)"),
    (np.stack([PROBS, PROBS]), {"tokens": TOKENS}, "select one text, as in probs"),
    (PROBS, {"tokens": TOKENS, "heads": [3]}, "heads has 3, expected 0 to 2")])
def test_wrong_shapes_of_attention(probs, options, says):
    with pytest.raises(ValueError, match=says):
        plots.attention_maps(probs, **options)


def test_masks_cross_out_what_is_hidden():
    mask = np.tril(np.ones((4, 4), bool))
    scores = np.where(mask, PROBS[0], np.finfo("float32").min)
    figure = plots.masks({"mask": mask, "scores": scores}, TOKENS)
    for axes in figure.axes[:2]:
        x, y = curve(axes, "hidden")
        assert sorted(zip(y, x)) == sorted(map(tuple, np.argwhere(~mask)))
    shown = figure.axes[1].get_images()[0].get_array()
    assert np.array_equal(shown.compressed(), PROBS[0][mask])
    with pytest.raises(ValueError, match=r"shape \(4, 3\), expected \(4, 4\)"):
        plots.masks({"mask": mask[:, :3]}, TOKENS)


def test_positions_are_compared_by_their_angle():
    table = np.array([[1.0, 0], [2, 0], [0, 3], [-1, 0]])
    want = [[1, 1, 0, -1], [1, 1, 0, -1], [0, 0, 1, 0], [-1, -1, 0, 1]]
    assert images(plots.positions(table))[0].tolist() == want


def test_a_heat_map_writes_its_numbers():
    figure = plots.heat_map([[1, 0.25], [-3, 4]], ["a", "b"], ["c", "d"], numbers=True)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said == ["1", "0.25", "-3", "4"]
    image = figure.axes[0].get_images()[0]
    assert image.get_clim() == (-4, 4)                   # 0 is in the middle: paper
    assert min(image.cmap(0.5)[:3]) > 0.95


def test_errors_lie_where_they_should():
    figure = plots.errors_by_depth({"float32": [0.5, 0, 3], "float16": [1, np.inf, 2]})
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    np.testing.assert_equal(curve(axes, "float32")[1], [0.5, np.nan, 3])
    np.testing.assert_equal(curve(axes, "float16")[1], [1, np.nan, 2])
    marks = {line.get_marker(): line.get_xdata().tolist() for line in axes.lines
             if line.get_marker() in "v^"}
    assert marks == {"v": [1], "^": [1]}                 # 0 below, infinity above
    assert [line.get_ydata() for line in axes.lines if list(line.get_xdata()) == [0, 1]
            ] == [[1, 1]]                                # the line at the bound
    assert axes.get_ylim()[0] < 0.5 and axes.get_ylim()[1] > 3


def test_curves_by_tap_share_the_taps():
    figure = plots.errors_by_depth({
        "all": {"embeddings.out": 1, "encoder.layer.0.output.out": 2,
                "encoder.layer.1.output.out": 3, "loss": 4},
        "some": {"loss": 9, "encoder.layer.0.output.out": 8}})
    axes = figure.axes[0]
    np.testing.assert_equal(curve(axes, "some")[1], [np.nan, 8, np.nan, 9])
    assert words(axes.xaxis) == ["words", "layer 0", "layer 1", "head"]


def test_a_report_is_drawn_in_the_case_of_its_first_wrong_step():
    axes = plots.errors_by_depth(wrong()).axes[0]
    assert axes.get_title() == "case model"
    assert curve(axes, "error")[1].tolist() == [0.01, 154, 99.6]
    assert curve(axes, "the step by itself")[1].tolist() == [0.02, 618, 0.5]
    assert [x.get_text() for x in axes.texts][1] == "first wrong: intermediate.out"
    axes = plots.errors_by_depth(right()).axes[0]
    assert axes.get_title() == "case masked-lm"          # it has the most tensors
    assert curve(axes, "error")[1].tolist() == [0.75, 0.25, 0.3]
    with pytest.raises(ValueError, match="case is 'x', expected one of model, masked"):
        plots.errors_by_depth(right(), case="x")
    with pytest.raises(ValueError, match="errors are empty"):
        plots.errors_by_depth({})


def test_digits_that_are_all_right_leave_a_gap():
    axes = plots.digits_by_depth(proof_steps()).axes[0]
    np.testing.assert_equal(curve(axes, "float64, median")[1], [np.nan, 15])
    np.testing.assert_equal(curve(axes, "float32, fewest")[1], [6, 3])
    with pytest.raises(ValueError, match="steps are empty"):
        plots.digits_by_depth([])


def test_shares_are_drawn_as_distances_from_the_expected():
    axes = plots.shares([0.5, 9], [0.4, 5], [0.3, 4], [0.6, 6], ["a", "b"]).axes[0]
    assert np.allclose(curve(axes, "observed"), [[0.1], [1]])     # the upper row
    assert np.allclose(curve(axes, "outside"), [[4], [0]])
    assert np.allclose([(bar.get_x(), bar.get_width()) for bar in axes.patches],
                       [(-0.1, 0.3), (-1, 2)])
    assert words(axes.yaxis) == ["a: 0.5 (0.4)", "b: 9 (5)"]
    with pytest.raises(ValueError, match="observed 1, expected 2, low 2"):
        plots.shares([0.5], [0.4, 5], [0.3, 4], [0.6, 6], ["a", "b"])
    with pytest.raises(ValueError, match="low is larger than high"):
        plots.shares([0.5], [0.4], [0.6], [0.3], ["a"])


def test_scores_have_the_ends_that_were_given():
    axes = plots.scores({"a": 1, "b": 2}, low={"b": 1.5, "a": 0}, high={
        "a": 3, "b": 2}).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [1, 2]
    ends = axes.collections[0].get_segments()
    assert [x[:, 0].tolist() for x in ends] == [[0, 3], [1.5, 2]]
    with pytest.raises(ValueError, match="expected both ends"):
        plots.scores({"a": 1}, low={"a": 0})


def test_losses_come_from_rows_and_from_files(tmp_path):
    from numbert.training.log import write_log
    rows = [{"step": 1, "loss": 3.0, "lr": 0.1}, {"step": 1, "eval_loss": 4.0},
            {"step": 5, "loss": 2.5, "lr": 0.1}, {"step": 6, "loss": None}]
    write_log(tmp_path / "a.jsonl", rows)
    write_log(tmp_path / "a.csv", rows)
    for run_, name in ((rows, "rows"), (tmp_path / "a.jsonl", "jsonl"),
                       (str(tmp_path / "a.csv"), "csv")):
        axes = plots.loss_curves({name: run_}).axes[0]
        assert np.array_equal(curve(axes, f"{name}: loss"), [[1, 5], [3, 2.5]])
        assert np.array_equal(curve(axes, f"{name}: eval_loss"), [[1], [4]])
    (tmp_path / "bad.jsonl").write_text("{\n")
    with pytest.raises(ValueError, match="bad.jsonl is not a log"):
        plots.loss_curves(tmp_path / "bad.jsonl")
    with pytest.raises(ValueError, match="no row has x"):
        plots.loss_curves(rows, fields=["x"])


def test_gradients_are_gathered_by_layer_and_kind():
    model = stressed(numbert.BertForMaskedLM, config(num_hidden_layers=2))
    _, saved = model.forward(ids(), labels=ids())
    grads = model.backward(saved)
    axes = plots.gradient_norms(grads).axes[0]
    one = "bert.encoder.layer.1.attention.self.value."
    both = np.concatenate([grads[one + "weight"].ravel(), grads[one + "bias"]])
    x, y = curve(axes, "value")
    assert x.tolist() == [1, 2]
    assert y[1] == pytest.approx(np.sqrt(np.mean(both ** 2)), rel=1e-12)
    assert words(axes.xaxis) == ["embeddings", "0", "1", "head"]
    drawn = {line.get_label() for line in axes.lines}
    assert drawn >= {"query", "key", "value", "attention output", "intermediate",
                     "output", "LayerNorm", "tables, head"}
    with pytest.raises(ValueError, match="no gradient has the name of a layer"):
        plots.gradient_norms({"x": np.ones(3)})


def test_a_landscape_takes_a_function_or_its_values():
    a, b = np.linspace(0, 1, 4), np.linspace(2, 3, 5)
    values = np.array([[x + 10 * y for x in a] for y in b])
    of_function = plots.landscape(lambda x, y: x + 10 * y, a, b)
    of_values = plots.landscape(values, a, b)
    assert of_function._repr_png_() == of_values._repr_png_()
    low, high = of_values.axes[0].collections[0].get_clim()
    assert low < 20.01 and high > 30.99
    with pytest.raises(ValueError, match=r"shape \(4, 5\), expected \(5, 4\)"):
        plots.landscape(values.T, a, b)


# ------------------------------------------------------------------- the tokenizer

VOCAB = {"[UNK]": 0, "un": 1, "##der": 2, "cafe": 3, "!": 4, "[CLS]": 5, "[SEP]": 6}


def test_the_stages_end_with_the_pieces_of_the_tokenizer():
    text = "Under\tCafé 東 bar!"
    stages = plots.tokenizer_stages(text, VOCAB)
    tokenizer = numbert.BertTokenizer({**VOCAB, "[PAD]": 7, "[MASK]": 8})
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert [(x[3], x[1:3]) for x in stages[-1][1]] == list(zip(
        found["input_ids"], map(tuple, found["offset_mapping"])))
    assert [name for name, _ in stages] == ["text", "clean", "isolate CJK",
                                            "strip accents", "lower case", "words",
                                            "pieces"]
    assert "".join(c for c, _, _ in stages[4][1]) == "under cafe  東  bar!"
    assert [name for name, _ in plots.tokenizer_stages(text, VOCAB, lowercase=False)
            ] == ["text", "clean", "isolate CJK", "words", "pieces"]


def test_the_boxes_say_what_became_of_each_character():
    from matplotlib.colors import same_color
    text = "Under é"
    figure = plots.tokenizer_steps(text, plots.tokenizer_stages(text, VOCAB))
    axes = figure.axes[0]
    said = {(text.get_position()[0], round(text.get_position()[1])): text.get_text()
            for text in axes.texts}
    colours = {}
    for box in axes.patches:
        x, y = box.get_x(), box.get_y()
        for kind in ("kept", "changed", "cut"):
            if same_color(box.get_edgecolor(), plots.tokenizer.KINDS[kind][0]):
                colours[round(x), round(y + 0.36)] = kind
    assert colours[0, 0] == "kept" and said[0.5, 0] == "U"
    assert colours[0, 4] == "changed" and said[0.5, 4] == "u"          # lower case
    assert colours[6, 3] == "changed" and said[6.5, 3] == "e"          # accents
    assert colours[1, 4] == "kept" and said[5.5, 4] == "␣"
    assert colours[0, 5] == "kept" and said[2.5, 5] == "under"         # a word
    assert colours[0, 6] == colours[2, 6] == "cut" and said[1, 6] in ("un", "1")
    assert colours[6, 6] == "changed"                                  # [UNK]


def test_a_span_outside_of_the_text_is_refused():
    with pytest.raises(ValueError, match="has the span 1:9, expected one in 0:2"):
        plots.tokenizer_steps("ab", [("x", [("b", 1, 9)])])


# ------------------------------------------------------------------------ the flow

@pytest.mark.parametrize("cls", CLASSES)
def test_every_step_of_a_layer_is_drawn_with_its_shape(cls):
    model = stressed(cls, config(num_hidden_layers=2))
    shape = (2, 3, 4) if cls is numbert.BertForMultipleChoice else (2, 4)
    figure = plots.data_flow(model, {"input_ids": ids(shape)})
    said = [text.get_text() for text in figure.axes[0].texts]
    trace = numbert.Trace()
    model(ids(shape), trace=trace)
    first = [name for name in trace if ".layer.1." not in name]
    boxes = [x for x in said if re.fullmatch(r"[\w.]+", x) and x != "embeddings"
             and x != "head"]
    assert len(boxes) == len(first)
    assert "attention, × 2" in said
    rows = shape[0] * (shape[1] if len(shape) == 3 else 1)
    assert f"B N T S  =  {rows} x {N} x 4 x 4" in said or "B M N T S" in str(said)
    assert f"B T C  =  {rows} x 4 x {C}" in said or "B M T C" in str(said)


def test_the_arrows_are_the_true_sources_of_each_step():
    """Nudging finds what each step depends on; steps that a pack leaves out aside."""
    case, = [x for x in make_cases() if x.name == "model"]
    found = parents(case, run(case))
    model = numbert.BertModel(numbert.BertConfig(**case.config), params={
        name: x for name, x in case.params.items()})
    trace = numbert.Trace()
    model(**{name: x for name, x in case.inputs.items()}, trace=trace)
    columns = flow.columns_of(model, trace)
    skipped = {"softmax": "masked_scores", "masked_scores": "scores",
               "LayerNorm": "sum"}
    scopes = {"embeddings": "embeddings.", "attention": "encoder.layer.0.attention.",
              "feed forward": "encoder.layer.0.", "head": ""}
    for column, steps in columns.items():
        given = {"attention": "embeddings.out",
                 "feed forward": "encoder.layer.0.attention.output.out",
                 "head": f"encoder.layer.{case.config['num_hidden_layers'] - 1}"
                         ".output.out"}.get(column)

        def full(name):
            while name in skipped:
                name = skipped[name]
            inner = "self." if column == "attention" and "." not in name else ""
            return f"{scopes[column]}{inner}{name}"

        drawn = {}
        for source, target in flow.sources(column, steps):
            drawn.setdefault(target, set()).update(
                {given} - {None} if source == flow.INPUT else {full(source)})
        for target, sources in drawn.items():
            if target not in skipped:
                true = {x for x in found[full(target)] if ":" not in x}
                assert sources == true, target
    assert set(columns) == set(scopes)


def test_an_encoder_decoder_is_refused():
    model = numbert.EncoderDecoderModel(
        encoder=stressed(numbert.BertModel),
        decoder=stressed(numbert.BertLMHeadModel, config(
            is_decoder=True, add_cross_attention=True)))
    with pytest.raises(TypeError, match="draw its halves"):
        plots.data_flow(model, {"input_ids": ids()})


def test_a_decoder_shows_its_cross_attention():
    model = stressed(numbert.BertLMHeadModel, config(
        is_decoder=True, add_cross_attention=True))
    source = RNG.standard_normal((2, 7, C)).astype(model.dtype)
    figure = plots.data_flow(model, {"input_ids": ids((2, 4)),
                                     "encoder_hidden_states": source})
    said = [text.get_text() for text in figure.axes[0].texts]
    layers = model.config.num_hidden_layers
    assert f"cross-attention, × {layers}" in said
    assert f"B N T S  =  2 x {N} x 4 x 7" in said
