"""The small world: the same from a seed, split as promised, and true to itself."""

import hashlib
import json
import re
from collections import Counter

import pytest

from numbert.tasks import metrics
from numbert.tasks import TASKS
from numbert.world import (HELD_OUT, TRAIN, choices, cloze, documents, opinion_texts,
                           questions, statements, tagged_texts)
from numbert.world import files, lexicon, opinions, stories
from numbert.world.exercises import alike, short
from numbert.world.facts import topics
from numbert.world.templates import Dice, belongs, fill, line

MAKERS = (documents, opinion_texts, tagged_texts, questions, choices)


def sentences(text):
    """The sentences of a text; a question stays with its answer."""
    return re.findall(r"(?:[^.!?]*\?)?[^.!?]+[.!]", text)


@pytest.fixture(scope="module", name="made")
def fixture_made():
    return {maker.__name__: {split: maker(1500 if split == TRAIN else 400, split)
                             for split in (TRAIN, HELD_OUT)} for maker in MAKERS}


# ------------------------------------------------------------------- reproducible

@pytest.mark.parametrize("maker", MAKERS)
def test_same_seed_same_text_and_other_seed_other_text(maker):
    assert maker(20, TRAIN, 3) == maker(20, TRAIN, 3)
    assert maker(20, TRAIN, 3) != maker(20, TRAIN, 4)
    assert maker(20, TRAIN, 3) != maker(20, HELD_OUT, 3)
    assert maker(20, TRAIN, 3)[:5] == maker(5, TRAIN, 3)


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'test', expected 'train' or 'held-out': "):
        documents(1, "test")


def test_dice_do_not_depend_on_the_version_of_python():
    """Python promises not to change random(); pick and some draw from it alone."""
    dice, twin = Dice("x"), Dice("x")
    assert dice.pick("abcde") == "abcde"[int(twin.random() * 5)]
    picked = dice.some("abcde", 5)
    assert sorted(picked) == list("abcde")
    counts = Counter(Dice(i).between(2, 4) for i in range(600))
    assert set(counts) == {2, 3, 4} and min(counts.values()) > 140


# ----------------------------------------------------------------------- the split

def test_no_document_sentence_is_in_both_splits(made):
    train, held_out = ({sentence for document in made["documents"][split]
                        for sentence in document} for split in (TRAIN, HELD_OUT))
    assert len(held_out) > 500
    assert not train & held_out


@pytest.mark.parametrize("name, field", [("opinion_texts", "text"),
                                         ("questions", "context")])
def test_no_sentence_of_a_task_is_in_both_splits(made, name, field):
    train, held_out = ({sentence.strip() for example in made[name][split]
                        for sentence in sentences(getattr(example, field))}
                       for split in (TRAIN, HELD_OUT))
    assert len(held_out) > 200
    assert not train & held_out
    corpus = {sentence for document in made["documents"][TRAIN]
              for sentence in document}
    assert not corpus & held_out, "pre-training must not see test sentences either"


def test_no_tagged_text_is_in_both_splits(made):
    train, held_out = ({" ".join(x.words) for x in made["tagged_texts"][split]}
                       for split in (TRAIN, HELD_OUT))
    assert not train & held_out


def test_no_choice_is_in_both_splits(made):
    train, held_out = ({(x.context, x.choices[x.label]) for x in made["choices"][split]}
                       for split in (TRAIN, HELD_OUT))
    assert not train & held_out


def test_made_up_names_of_the_splits_differ(made):
    known = {word for name in lexicon.MEN + lexicon.WOMEN + lexicon.SURNAMES
             + lexicon.CITIES + lexicon.COMPANIES for word in name.split()}
    names = [{word for example in made["tagged_texts"][split]
              for word, tag in zip(example.words, example.tags)
              if tag[2:] == "PER"} - known for split in (TRAIN, HELD_OUT)]
    assert min(map(len, names)) > 100
    assert not names[0] & names[1]


def test_about_one_sentence_in_ten_is_held_out():
    count = sum(belongs(f"This is sentence {i}.", HELD_OUT) for i in range(10_000))
    assert abs(count - 1000) < 120             # 4 standard deviations of a binomial


def test_every_fact_is_stated_in_training():
    """What a held-out sentence says, training has said in another sentence."""
    for topic in topics().values():
        for words in topic.subjects:
            told = [line for line in topic.lines
                    if belongs(fill(line.text, words).text, TRAIN)]
            slots = {slot for line in told for slot in line.slots}
            assert slots == set().union(*(line.slots for line in topic.lines)), words


# ------------------------------------------------------------------ what is written

def test_fill_places_words_articles_and_spans():
    filled = fill("a {animal} sees a {other} and a {animal}.",
                  {"animal": "owl", "other": "wolf"})
    assert filled.text == "An owl sees a wolf and an owl."
    assert {slot: filled.text[slice(*span)] for slot, span in filled.spans.items()} \
        == {"animal": "owl", "other": "wolf"}
    assert fill("He is a {job} at a {place}.", {"job": "actor", "place": "university"}
                ).text == "He is an actor at a university."


def test_line_reads_several_questions():
    made = line("{a} is {b}.", b="What is {a}? / How is {a}?")
    assert made.questions == (("What is {a}?", "b"), ("How is {a}?", "b"))
    assert made.slots == {"a", "b"}


def test_tables_name_a_broken_row():
    with pytest.raises(ValueError, match="Paris.*2 cells, expected 3: write country"):
        lexicon.table("France, Paris\nItaly", "country", "capital", "continent")


@pytest.mark.parametrize("lines, words", [
    (lines, words) for topic in topics().values()
    for lines, words in [(topic.lines, topic.subjects[0])]])
def test_facts_fill_every_slot(lines, words):
    for made in lines:
        text = fill(made.text, words).text
        assert "{" not in text and text[0].isupper() or text[0].isdigit()
        for question, slot in made.questions:
            assert slot in made.slots
            assert fill(question, words).text.endswith("?")


def test_story_lines_fill_every_slot():
    words = stories.person_words(Dice(0), TRAIN)
    groups = [*stories.PERSON.values(), *stories.COMPANY.values(),
              stories.FIRST_PERSON, stories.NEWS]
    for made in (made for group in groups for made in group):
        assert "{" not in fill(made.text, words).text
        for question, slot in made.questions:
            assert slot in made.slots, made
            assert fill(question, words).text.endswith("?")
    for causes, effects in stories.CAUSES:
        for text in (*causes, *effects):
            assert "{" not in fill(text, words).text


def test_real_facts():
    """A few that anybody can check."""
    capital = {row["country"]: row["capital"] for row in lexicon.COUNTRIES}
    assert capital["France"] == "Paris" and capital["Japan"] == "Tokyo"
    assert len(set(capital.values())) == len(capital) == 30
    assert [row["c"] for row in topics()["sum"].subjects
            if (row["a"], row["b"]) == ("seven", "eight")] == ["fifteen"]
    assert {row["month"]: row["next"] for row in topics()["month"].subjects
            }["December"] == "January"
    assert {row["item"]: row["kind"] for row in topics()["kind"].subjects
            }["an oak"] == "tree"


def test_documents_are_of_two_to_six_sentences(made):
    lengths = Counter(map(len, made["documents"][TRAIN]))
    assert min(lengths) == 2 and max(lengths) <= 6
    text = " ".join(sentence for document in made["documents"][TRAIN]
                    for sentence in document)
    assert not re.search(r"[{}]|  | a [aeio]", text)


# ---------------------------------------------------------------------- the tasks

def test_opinions_are_balanced_and_labels_follow_the_words(made):
    labels = Counter(x.label for x in made["opinion_texts"][TRAIN])
    assert labels["POSITIVE"] == labels["NEGATIVE"]
    for example in made["opinion_texts"][TRAIN]:
        found = re.fullmatch(r"The \w+ was (\w+)\.", example.text)
        if found and found[1] in opinions.GOOD + opinions.BAD:
            assert (found[1] in opinions.GOOD) == (example.label == "POSITIVE")


def test_unseen_patterns_are_not_in_training():
    patterns = opinions.patterns(), opinions.patterns(unseen=True)
    assert not set(patterns[0]) & set(patterns[1]) and len(patterns[1]) == 6
    text = " ".join(x.text for x in opinion_texts(3000))
    assert "If you ask me" not in text
    assert "If you ask me" in " ".join(x.text for x in opinion_texts(200, unseen=True))


def test_tags_are_bio_and_cover_whole_names(made):
    kinds = Counter()
    for example in made["tagged_texts"][TRAIN]:
        assert len(example.words) == len(example.tags)
        for kind, start, stop in metrics.entities(example.tags):
            assert example.tags[start] == f"B-{kind}"
            assert all(word[0].isupper() or word == "of"
                       for word in example.words[start:stop])
            kinds[kind] += 1
    assert set(kinds) == {"PER", "LOC", "ORG"} and min(kinds.values()) > 200
    plain = sum(set(x.tags) == {"O"} for x in made["tagged_texts"][TRAIN])
    assert plain > 100


def test_answers_stand_where_they_say(made):
    for example in made["questions"][TRAIN] + made["questions"][HELD_OUT]:
        if example.start >= 0:
            end = example.start + len(example.answer)
            assert example.answer and example.context[example.start:end] \
                == example.answer
        else:
            assert example.answer == ""
    share = sum(x.start < 0 for x in made["questions"][TRAIN]) / 1500
    assert 0.12 < share < 0.3


@pytest.mark.parametrize("split", [TRAIN, HELD_OUT])
@pytest.mark.parametrize("passages", [alike, short])
def test_the_same_is_said_of_two_persons(passages, split):
    dice = Dice(3)
    for _ in range(20):
        told, _ = passages(dice, split)
        said = {}
        for made, filled, words in told:
            said.setdefault(words["person"], []).append(made)
            assert belongs(filled.text, split)
        first, second = said.values()
        assert first == second and len(first) <= (1 if passages is short else 3)
    example = questions(1, split, 3, passages)[0]
    assert example.context[example.start:].startswith(example.answer)


def test_a_question_has_one_answer():
    """Ask every question of a passage by brute force: no other line may answer it."""
    from numbert.world.exercises import ask, passage
    dice = Dice(7)
    for _ in range(400):
        told, others = passage(dice, TRAIN)
        asked = ask(dice, told, others)
        if asked is None:
            continue
        answers = {words[slot].lower() for line, _, words in told
                   for question, slot in line.questions
                   if fill(question, words).text == asked.question}
        assert answers == ({asked.answer.lower()} if asked.answer else set())


def test_only_one_choice_is_right(made):
    true = {}
    for topic in topics().values():
        for words in topic.subjects:
            for made_line in topic.lines:
                for question, slot in made_line.questions:
                    true.setdefault(fill(question, words).text, set()).add(words[slot])
    places = Counter()
    for example in made["choices"][TRAIN]:
        assert len(set(example.choices)) == len(example.choices) == 4
        places[example.label] += 1
        if example.context in true:
            right = [i for i, x in enumerate(example.choices)
                     if x in true[example.context]]
            assert right == [example.label]
    assert min(places.values()) > 300


def test_statements_are_all_facts_once():
    train, held_out = statements(), statements(HELD_OUT)
    assert len(set(train + held_out)) == len(train) + len(held_out) > 2500
    assert "Paris is the capital of France." in train + held_out
    assert 0.07 < len(held_out) / len(train) < 0.14


def test_cloze_masks_the_answer():
    rows = cloze(HELD_OUT)
    assert len(rows) > 100
    assert all(row.text.count("[MASK]") == 1 for row in rows)
    assert ("[MASK] is the capital of France.", "Paris") in {
        (row.text, row.answer) for row in cloze(HELD_OUT) + cloze(TRAIN)}


# ------------------------------------------------------------------------ the files

def test_files_are_read_by_the_tasks(tmp_path):
    files.write_all(tmp_path, seed=1, scale=0.005)
    for task, kind in (("text-classification", "opinions"),
                       ("token-classification", "names"),
                       ("question-answering", "questions"),
                       ("multiple-choice", "choices")):
        for split in (TRAIN, HELD_OUT):
            assert len(TASKS[task].read(files.path(tmp_path, kind, split))) >= 10
    lines = files.path(tmp_path, "questions", TRAIN).read_text().splitlines()
    row = json.loads(lines[0])
    assert set(row) == {"question", "context", "answers"}
    text = files.path(tmp_path, "corpus", TRAIN).read_text()
    assert [block.split("\n") for block in text.strip().split("\n\n")] \
        == documents(round(files.SIZES["corpus"][0] * 0.005), TRAIN, 1)


def test_text_of_seed_0_is_the_text_that_shipped_models_learnt_from():
    """A change of the world means that the shipped models must be trained again."""
    text = repr([*(maker(50) for maker in MAKERS), questions(50, passages=short)])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "5d1af98142b3cee5"
