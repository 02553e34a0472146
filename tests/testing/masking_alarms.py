"""Right pipelines of masking with many seeds: how often the report calls them wrong.

    python tests/testing/masking_alarms.py --seeds 2000 --tokens 10000

Each seed is one file of one pipeline, all of them in turn: numbert's, the collator of
transformers, google's code as a slow loop, and those of masking_bugs.
"""

import argparse
import random
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import masking_bugs as bugs                                           # noqa: E402
from masking_bugs import CLS, MASK, PAD, RIGHT, SEP, UNK, V, VOCABULARY   # noqa: E402

from numbert.testing.masking_report import binomial                  # noqa: E402
from numbert.testing.masking_report import check_masking, rules       # noqa: E402
from numbert.training import masking                                  # noqa: E402

LEVELS = (1e-6, 1e-3, 0.05)
VOCAB = masking.Vocabulary(V, PAD, UNK, CLS, SEP, MASK, (PAD, UNK, CLS, SEP, MASK),
                           VOCABULARY["continues"])
NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
         *("#" * 2 * (i >= bugs.CONTINUES) + f"p{i}" for i in range(5, V))]


def corpus(seed, tokens):
    """Batches of ids (B, T), and a generator for the masks."""
    rng = np.random.default_rng([seed, 1])
    for ids in bugs.corpus(rng, tokens):
        yield ids, rng


def own(rule, **settings):
    """numbert's masking: `make(seed, tokens)`."""
    def make(seed, tokens):
        for ids, rng in corpus(seed, tokens):
            for row in ids:
                yield (row, *rule(row, rng, VOCAB, **settings))
    return make


def own_pairs(seed, tokens):
    """numbert's pairs of sentences from small documents, masked by google's rule."""
    rng, size = np.random.default_rng([seed, 2]), 0
    while size < tokens:
        documents = [[rng.integers(5, V, rng.integers(3, 30)).tolist()
                      for _ in range(rng.integers(2, 12))] for _ in range(60)]
        for pair in masking.next_sentence_pairs(documents, rng, max_length=64):
            inputs = masking.pair_inputs(pair, VOCAB)
            ids = inputs["input_ids"]
            out, labels = masking.mask_exact(ids, rng, VOCAB)
            size += len(ids)
            yield {"original": ids, "masked": out, "labels": labels,
                   "next_sentence_label": pair.next_sentence_label}


def collated(**settings):
    """The collator of transformers: `make(seed, tokens)`."""
    def make(seed, tokens):
        from transformers import BertTokenizer, DataCollatorForLanguageModeling
        tokenizer = BertTokenizer(vocab={name: i for i, name in enumerate(NAMES)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")       # it says that words become [MASK]
            collator = DataCollatorForLanguageModeling(
                tokenizer, return_tensors="np", seed=seed, **settings)
        for ids, _ in corpus(seed, tokens):
            features = [{"input_ids": row, "attention_mask": (row != PAD).astype(int)}
                        for row in ids]
            if settings:                      # whole words need to know where they are
                places = np.tile(np.arange(ids.shape[1]), (len(ids), 1))
                words = bugs.words(ids)
                for feature, row, at, word in zip(features, ids, places, words):
                    feature["offset_mapping"] = offsets(row, word)
            batch = collator(features)
            yield {"original": ids, "masked": batch["input_ids"],
                   "labels": batch["labels"],
                   "attention_mask": batch["attention_mask"]}
    return make


def offsets(ids, words):
    """Where each piece stands in a text in which only the pieces of a word touch."""
    start = np.arange(len(ids)) + words
    return [(0, 0) if special else (int(x), int(x) + 1)
            for x, special in zip(start, ~bugs.ordinary(ids))]


def slow(**settings):
    """google's rule in a loop: `make(seed, tokens)`."""
    def make(seed, tokens):
        rng = random.Random(seed)
        for ids, _ in corpus(seed, tokens):
            for row in ids.tolist():
                yield (row, *bugs.slow_google(rng, row, **settings))
    return make


GOOGLE, WORDS, ALL_MASK = bugs.GOOGLE, bugs.WORDS, {"split": (1, 0, 0)}
# {name: (make(seed, tokens), settings of rules)}
PIPELINES = {
    "numbert, bernoulli": (own(masking.mask_bernoulli), {}),
    "numbert, exact": (own(masking.mask_exact), GOOGLE),
    "numbert, bernoulli, words": (own(masking.mask_bernoulli, whole_word=True),
                                  WORDS | ALL_MASK),
    "numbert, exact, words": (own(masking.mask_exact, whole_word=True),
                              GOOGLE | WORDS),
    "numbert, pairs": (own_pairs, GOOGLE | {"next_share": (0.35, 0.5)}),
    "transformers": (collated(), {}),
    "transformers, words": (collated(whole_word_mask=True), WORDS | ALL_MASK),
    "google in a loop": (slow(), GOOGLE),
    "google in a loop, words": (slow(whole_words=True), GOOGLE | WORDS)}


def sources():
    """[(name, make(seed, tokens), settings)] of all right pipelines."""
    def seeded(make):
        return lambda seed, tokens: make(np.random.default_rng([seed, 3]), tokens)

    return [*((name, seeded(make), settings) for name, make, settings in RIGHT),
            *((name, *pipeline) for name, pipeline in PIPELINES.items())]


def alarms(report, stated, levels):
    """The levels at which a report would be wrong, and the checks that say so."""
    exact = [check.name for check in report.checks
             if check.verdict == "wrong" and check.level is None]
    return {level: exact + [check.name for check in report.checks if check.p is not None
                            and check.p <= check.level * level / stated]
            for level in levels}


def main(argv=None):
    """Print a table of false alarms, a line for each pipeline."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--tokens", type=int, default=10_000, help="of each file")
    args = parser.parse_args(argv)
    runs, wrong, stated = Counter(), Counter(), max(LEVELS)
    binomial.bounds = lambda *_: (0, 0)       # slow; a verdict needs the p-value alone
    for seed in range(args.first, args.first + args.seeds):
        name, make, settings = sources()[seed % len(sources())]
        asked = rules(**VOCABULARY | settings, false_alarms=stated)
        report = check_masking(make(seed, args.tokens), asked)
        runs[name] += 1
        for level, checks in alarms(report, stated, LEVELS).items():
            wrong[name, level] += bool(checks)
            if checks and level < stated:
                print(f"seed {seed}, {name}, at {level:g}: {checks}", flush=True)
        if (seed + 1 - args.first) % 50 == 0:
            print(f"{seed + 1 - args.first} seeds", file=sys.stderr, flush=True)
    table(runs, wrong)


def table(runs, wrong):
    """Print how many runs there were, and how many false alarms at each level."""
    print(f"{'false alarms at a stated rate of':45}"
          + "".join(f"{level:>8g}" for level in LEVELS) + "    runs")
    for name, number in runs.items():
        print(f"{name:45}" + "".join(f"{wrong[name, x]:8}" for x in LEVELS)
              + f"{number:8}")
    print(f"{'all':45}" + "".join(f"{sum(wrong[name, x] for name in runs):8}"
                                  for x in LEVELS) + f"{runs.total():8}")


if __name__ == "__main__":
    main()
