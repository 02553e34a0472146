"""The page of a report, as HTML and in a browser: headless Chromium."""

import html
import json
import math
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from numbert.verify.page import SCRIPT, STYLE, digest, highest, page, part_of, y_of
from numbert.verify.report import number, shown
from report_cases import EVIL, LAYER, evil, judged, report, right, wrong

VOID = {"meta", "input", "br"}
MARKS = {"path", "rect", "circle"}           # of a picture: they may close themselves


class Reader(HTMLParser):
    """Reads a page; checks that what is opened is closed, in the right order."""

    def __init__(self, source):
        super().__init__()
        self.open, self.elements, self.cells = [], [], []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag == "td":
            self.cells[-1].append("")

    def handle_startendtag(self, tag, attributes):
        assert tag in MARKS
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.cells[-1][-1] += data


def marks(source, kind):
    """The marks of a class in the pictures, without those that explain the marks."""
    pictures = source[source.index("<div class=charts>"):]
    return [x for tag, x in Reader(pictures[:pictures.index("<h2>")]).elements
            if tag in MARKS and x.get("class") == kind]


# ------------------------------------------------------------------------- as HTML

def test_the_table_has_a_row_for_each_tensor():
    found = wrong()
    rows = Reader(page(found)).cells[1:]
    assert [row[:5] for row in rows] == [
        [str(i), x.case, x.name, x.kind, x.status]
        for i, x in enumerate(found.tensors, 1)]
    assert [row[5:] for row in rows] == [
        [number(x.error), number(x.peak), number(x.step), x.detail]
        for x in found.tensors]


def test_each_tensor_has_its_mark():
    said = page(wrong())
    assert [len(marks(said, kind)) for kind in
            ("good", "bad", "wrong", "first", "gap", "gate")] == [1, 5, 1, 1, 1, 3]
    assert len(marks(page(right()), "good")) == 6 and not marks(page(right()), "bad")


def test_marks_lie_where_their_errors_are():
    """On a log scale: equal ratios are equal distances, and 1 is on the line."""
    said = page(report([judged("model", f"x{i}.out", 10.0 ** i, peak=0.0)
                        for i in range(-2, 3)]))
    ys = [float(x["cy"]) for x in marks(said, "good") + marks(said, "bad")]
    steps = [high - low for low, high in zip(ys[1:], ys)]
    assert steps == pytest.approx([steps[0]] * 4, abs=0.11) and steps[0] > 10
    gate, = marks(said, "gate")
    assert float(re.search(r"M\d+ ([\d.]+)H", gate["d"])[1]) == ys[2]
    xs = [float(x["cx"]) for x in marks(said, "good") + marks(said, "bad")]
    assert xs == sorted(xs)


def test_errors_beyond_the_picture_lie_at_its_edge():
    tensors = [judged("model", "x.out", error, error) for error in (0.0, 1e300)]
    assert highest(tensors) == 12 and highest([]) == 1
    assert y_of(0.0, 12) == y_of(1e-3, 12) > y_of(1.0, 12) > y_of(1e300, 12)
    assert y_of(math.inf, 12) == y_of(1e12, 12)
    Reader(page(report(tensors)))


@pytest.mark.parametrize("name, part", [
    (f"grad:{LAYER}output.out", "layer 0"), ("encoder.layer.11.output.out", "layer 11"),
    ("bert.embeddings.out", "words"), ("embeddings.word", "words"), ("loss", "head"),
    ("dparam:bert.pooler.dense.weight", "head")])
def test_parts_of_the_model(name, part):
    assert part_of(name) == part


def test_the_cause_is_on_the_page():
    said = page(wrong(partly=True))
    for part in ("GELU in its tanh form", "C1-tanh", "Two formulas", "Use the one",
                 "something else is wrong too", "Cases without any tensor: choice."):
        assert part in said
    assert "known bug" not in page(wrong(diagnosis=[], diagnosed=False))
    assert "No known bug explains what fails." in page(wrong(diagnosis=[]))


def test_what_the_first_wrong_step_reads_is_on_the_page():
    said = page(wrong(sources=("embeddings.out", "<b>attention_mask")))
    assert "It is computed from: embeddings.out, &lt;b&gt;attention_mask." in said
    assert "computed from" not in page(wrong())


@pytest.mark.parametrize("found", [right(), wrong(), evil(), report([])])
def test_it_is_one_file(found):
    """Nothing is loaded: no address but places in the page itself."""
    said = page(found)
    assert said == page(found) and said.startswith("<!doctype html>")
    for tag, attributes in Reader(said).elements:
        assert tag not in ("link", "img", "iframe", "object")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import|https?:|fetch|XMLHttp", STYLE + SCRIPT)
    assert "default-src 'none'" in said


def test_foreign_text_is_shown_as_it_is():
    said = page(evil())
    elements = Reader(said).elements
    assert sum(tag == "script" for tag, _ in elements) == 1
    assert [x for tag, x in elements if tag == "tr"][1] == {"id": "t0", "class": "bad"}
    assert Reader(said).cells[1][1] == shown(EVIL) == Reader(said).cells[2][2]
    assert "\x1b" not in said and "\u202e" not in said
    said.encode("utf-8")


# ---------------------------------------------------------------------- in a browser

DRIVER = """
const order = () => [...document.querySelectorAll("tbody tr")]
  .filter(row => !row.hidden).map(row => row.id);
const click = name => { [...document.querySelectorAll("thead button")]
  .find(button => button.textContent === name).click(); return order(); };
const type = text => { search.value = text; search.oninput(); return order(); };
const color = (selector, name) => { const found = document.querySelector(selector);
  return found && getComputedStyle(found)[name]; };
const found = {
  start: order(), largest: click("error"), smallest: click("error"),
  names: click("tensor"), back: click("tensor"),
  sorted: [...document.querySelectorAll("[aria-sort]")].map(
    head => [head.textContent, head.getAttribute("aria-sort")]),
  again: click("#"), searched: type("MODEL layer.0"), cleared: type(""),
  wrong: (wrong.click(), order()), all: (wrong.click(), order()),
  width: [document.documentElement.scrollWidth, innerWidth],
  paper: color("body", "backgroundColor"), ink: color("body", "color"),
  verdict: color(".verdict", "color"), soft: color("footer", "color"),
  good: color("figure .good", "fill"), bad: color("figure .bad", "fill"),
  pictures: [...document.querySelectorAll("figure svg")].map(
    picture => [picture.clientWidth, picture.clientHeight]),
};
const out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify(found);
document.body.append(out);
"""
DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(name="browse")
def fixture_browse(tmp_path):
    """Opens a page in Chromium: what a driver found there, or the page itself."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")

    def run(source, *options, driver=DRIVER):
        if driver:
            # The policy lets the page's own script run, and this one beside it.
            source = source.replace("script-src ", f"script-src {digest(driver)} ") \
                .replace("</body>", f"<script>{driver}</script>\n</body>")
        (tmp_path / "page.html").write_text(source, "utf-8")
        options = [*options, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        done = subprocess.run(
            [chromium, "--headless", "--disable-gpu", "--dump-dom",
             f"--user-data-dir={tmp_path / 'profile'}", *options,
             (tmp_path / "page.html").as_uri()],
            capture_output=True, timeout=100, check=True)
        dom = done.stdout.decode("utf-8")
        if not driver:
            return dom
        found = re.search('<pre id="found">(.*?)</pre>', dom, re.S)
        assert found, dom[-3000:]
        return json.loads(html.unescape(found[1]))
    return run


def test_a_click_sorts_the_table(browse):
    found = browse(page(wrong()))
    tensors = wrong().tensors
    ids = [f"t{i}" for i in range(len(tensors))]
    assert found["start"] == found["again"] == found["cleared"] == found["all"] == ids
    measured = [i for i, x in enumerate(tensors) if x.error is not None]
    unknown = {f"t{i}" for i in range(len(tensors)) if i not in measured}
    upwards = [f"t{i}" for i in sorted(measured, key=lambda i: tensors[i].error)]
    assert found["smallest"][:len(upwards)] == upwards
    assert found["largest"][:len(upwards)] == upwards[::-1]
    for name in ("smallest", "largest"):            # what was not measured comes last
        assert set(found[name][len(upwards):]) == unknown
    names = [tensors[int(x[1:])].name for x in found["names"]]
    assert names == sorted(names)
    assert [tensors[int(x[1:])].name for x in found["back"]] == names[::-1]
    assert found["sorted"] == [["tensor", "descending"]]
    assert found["searched"] == ["t1", "t2"]
    assert found["wrong"] == ["t1", "t2", "t3", "t4", "t5"]


def luminance(color):
    """The relative luminance of "rgb(1, 2, 3)", as WCAG 2 defines it."""
    parts = [int(x) / 255 for x in re.findall(r"\d+", color)[:3]]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
                        for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("options, is_light", [
    (["--window-size=1300,900", "--blink-settings=preferredColorScheme=1"], True),
    (["--window-size=1300,900", DARK], False), (["--window-size=500,900"], True)])
def test_it_can_be_read(browse, options, is_light):
    """In light and dark, and on a narrow screen; text has a contrast of 4.5 or more."""
    found = browse(page(wrong()), *options)
    paper = luminance(found["paper"])
    assert (paper > 0.9) == is_light and (paper < 0.02) == (not is_light)
    for name in ("ink", "soft", "verdict", "bad", "good"):
        low, high = sorted((paper, luminance(found[name])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, name
    width, window = found["width"]
    assert width <= window
    assert len(found["pictures"]) == 3
    for across, down in found["pictures"]:
        assert window / 4 < across < window and down == pytest.approx(
            across * 180 / 380, abs=1)


def test_no_foreign_script_runs(browse):
    found = browse(page(evil()))
    assert found["start"] == ["t0", "t1"]
    dom = browse(page(evil()), driver="")
    assert re.search("<title>(.*?)</title>", dom, re.S)[1].startswith("fail: ")
    planted = page(right()).replace("<h2>", "<script>document.title = 'x'</script>"
                                    "<h2 onclick=0>", 1)
    assert "<title>x</title>" not in browse(planted, driver="")
