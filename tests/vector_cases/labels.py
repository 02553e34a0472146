"""Group labels: targets, the loss over them, and the data of masked language models."""

from vector_cases.rows import case

FLAGS = {
    "Ignored": "The label -100, and no other, is ignored.",
    "Shifted": "A causal model predicts the next label.",
    "Clamped": "Answers outside of the row.",
    "Words": "One label per word, for its first piece.",
    "NextSentence": "0 means that B follows A.",
    "Loss": "The mean over the labels that count.",
    "Gradient": "(softmax - one-hot) / count; exactly 0 where the label is ignored.",
    "Overflow": "Logits that overflow without care.",
    "Masking": "80 % [MASK], 10 % random, 10 % as they were.",
    "Special": "Special tokens and padding are never masked.",
    "Random": "A random piece is any of the vocabulary, even a special one.",
    "Count": "google-research/bert masks an exact number of pieces."}
NO = -100


def t(kind, comment, catches="", flags="Ignored", **given):
    return case("targets", {"kind": kind, **given}, comment, catches, flags)


def x(logits, labels, comment, catches="", flags="Loss", **more):
    return case("cross_entropy", {"logits": logits, "labels": labels}, comment, catches,
                flags, **more)


def mask(ids, pick, fate, comment, catches="", flags="Masking", random_ids=None,
         special=(0, 1, 2, 3, 4), **more):
    """ids of a vocabulary whose special tokens are 0 to 4, with [MASK] 4."""
    random_ids = [20 + i for i in range(len(ids))] if random_ids is None else random_ids
    return case("mlm_mask", {"ids": ids, "special_ids": list(special), "mask_id": 4,
                             "pick": pick, "fate": fate, "random_ids": random_ids},
                comment, catches, flags, **more)


def count(length, comment, catches="F6", **more):
    return case("mlm_count", {"length": length}, comment, catches, "Count", **more)


ROW = [2, 7, 8, 9, 3]                  # [CLS], three pieces, [SEP]
CASES = [
    t("masked", "Only the picked places count; -100 stands everywhere else.", "E1 E10",
      labels=[[NO, 7, NO, 9, NO]]),
    t("masked", "Nothing was picked: no targets.", "E4", labels=[[NO, NO]]),
    t("masked", "Label 0 is a piece, [PAD], and counts: only -100 is ignored.",
      "E1 E2 E10", labels=[[0, NO, 5]]),
    t("masked", "Every place counts where no label is -100.", "E1", labels=[[5, 6, 7]]),
    t("masked", "Two rows, of which one has no label.", "E1 E4",
      labels=[[NO, NO], [NO, 8]]),
    t("causal", "The target at each place is the label at the next; the last has none.",
      "B18 E10", "Shifted", labels=[[5, 6, 7]]),
    t("causal", "One token: nothing to predict.", "E4", "Shifted", labels=[[5]]),
    t("causal", "An ignored label removes the target before it, not at it.", "E1",
      "Shifted Ignored", labels=[[5, NO, 7, 8]]),
    t("causal", "The first label is never a target.", "E1", "Shifted Ignored",
      labels=[[NO, 6, 7]]),
    t("causal", "Padding at the end: ignored labels.", "E1 F2", "Shifted Ignored",
      labels=[[5, 6, NO, NO]]),
    t("causal", "Two rows are shifted each by itself: nothing crosses over.", "",
      "Shifted", labels=[[5, 6], [7, 8]]),
    t("span", "Positions inside of the row stay.", "E9", "Clamped", positions=[0, 3, 5],
      length=6),
    t("span", "The last place counts, the one after it is ignored.", "E9", "Clamped",
      positions=[5, 6], length=6),
    t("span", "Far beyond the row: ignored.", "E9", "Clamped", positions=[100],
      length=6),
    t("span", "A negative position counts as 0: -1 is not ignored, nor -100.", "E9 E1",
      "Clamped", positions=[-1, -100], length=6),
    t("span", "A row of one place: 0 and -1 count, 1 does not.",
      "E9", "Clamped", positions=[0, 1, -1], length=1),
    t("words", "The first piece of each word has its label; special tokens have none.",
      "E7", "Words", word_ids=[None, 0, 1, 1, 2, None], word_labels=[5, 6, 7]),
    t("words", "A word of three pieces is counted once.", "E7", "Words",
      word_ids=[None, 0, 0, 0, None], word_labels=[4]),
    t("words", "Label 0 is a class like others.", "E2 E7", "Words",
      word_ids=[None, 0, 1, None], word_labels=[0, 0]),
    t("words", "Padding at the end has no label.", "E7 F2", "Words",
      word_ids=[None, 0, None, None, None], word_labels=[3]),
    t("words", "Two neighbouring words with the same label are two targets.", "E7",
      "Words", word_ids=[None, 0, 1, None], word_labels=[9, 9]),
    t("words", "A word without pieces is skipped: its label is not used.", "E7",
      "Words", word_ids=[None, 0, 2, 2, None], word_labels=[5, 6, 7]),
    t("words", "The second text of a pair begins after a special token.", "E7", "Words",
      word_ids=[None, 0, None, 1, 1, None], word_labels=[5, 6]),
    t("sentences", "0 means that B follows A, 1 that it was drawn at random.", "F13 D9",
      "NextSentence", follows=[True, False]),
    t("sentences", "All pairs follow: all labels are 0, and none is ignored.",
      "F13 D9 E2", "NextSentence", follows=[True, True]),
    # Losses
    x([[1.0, 2.0, 3.0]], [2], "The loss of one label is -log of its softmax.",
      "", "Loss Gradient"),
    x([[0.0, 0.0]], [0], "Two equal logits: log 2, whatever the label.",
      "", "Loss Gradient"),
    x([[1.0, 0.0], [0.0, 2.0]], [0, 0], "Two losses: their mean, not their sum.", "E14",
      "Loss Gradient"),
    x([[1.0, 0.0], [0.0, 2.0], [5.0, 0.0]], [0, NO, NO],
      "Ignored labels: the mean is over one, not over three.", "E1 E3",
      "Loss Ignored Gradient"),
    x([[1.0, 0.0], [0.0, 9.0]], [0, NO], "The gradient of an ignored row is exactly 0.",
      "E6", "Ignored Gradient"),
    x([[1.0, 0.0], [50.0, -50.0]], [1, NO], "An ignored row with large logits changes "
      "nothing.", "E3 E6", "Ignored Gradient"),
    x([[1.0, 0.0], [0.0, 1.0]], [0, 0], "Label 0 counts: it is a class, not a sign for "
      "padding.", "E2", "Loss Ignored"),
    x([[1.0, 0.0], [0.0, 1.0]], [NO, NO], "No label counts: 0 / 0 is not a number in "
      "PyTorch; 0 is accepted, and the gradient is 0.", "E4", "Ignored Gradient",
      result="acceptable",
      also=[{"loss": 0, "count": 0, "gradient": [[0, 0], [0, 0]]}]),
    x([[1.0, 0.0]], [-1], "The label -1 is not ignored: it is wrong.", "E1", "Ignored",
      result="invalid"),
    x([[1.0, 0.0]], [2], "A label beyond the classes is wrong.", "", "Ignored",
      result="invalid"),
    x([[1.0, 0.0]], [-99], "Only -100 itself is ignored.", "E1", "Ignored",
      result="invalid"),
    x([[1000.0, 0.0]], [0], "A logit of 1,000 overflows without subtracting the "
      "largest.", "E12", "Overflow"),
    x([[1000.0, 0.0]], [1], "The loss is 1,000, not infinite.", "E12", "Overflow"),
    x([[-1000.0, -1001.0]], [0], "Logits of -1,000 underflow to log 0 without care.",
      "E12", "Overflow"),
    x([[100000.0, 99999.0]], [1], "Large logits that differ by one.", "E12",
      "Overflow Gradient"),
    x([[10.0, 11.0, 12.0], [0.0, 1.0, 2.0]], [0, 0], "Shifting a row changes nothing.",
      "", "Loss Gradient"),
    x([[2.0]], [0], "With one class the loss is exactly 0.", "", "Loss"),
    # Masking
    mask(ROW, [.9] * 5, [.1] * 5, "No draw is below 0.15: nothing is picked.", "F3"),
    mask(ROW, [.9, .1, .9, .9, .9], [.5] * 5, "One piece is picked and becomes [MASK]; "
         "its label is the piece that was there.", "F11 F3 F7"),
    mask(ROW, [.9, .1, .9, .9, .9], [.85] * 5, "A picked piece becomes its random "
         "piece, and no [MASK] overwrites it.", "F4 F5 F11"),
    mask(ROW, [.9, .1, .9, .9, .9], [.95] * 5, "Picked and left as it was: it has a "
         "label all the same.", "F11 F8 E10"),
    mask(ROW, [.1] * 5, [.5] * 5, "[CLS] and [SEP] are never picked, whatever is "
         "drawn.", "F1", "Masking Special"),
    mask([*ROW, 0, 0], [.1] * 7, [.5] * 7, "Padding is never picked, whatever is "
         "drawn.", "F2", "Masking Special"),
    mask([2, 7, 1, 8, 3], [.1] * 5, [.5] * 5, "[UNK] is special, too, in this rule.",
         "F1", "Masking Special"),
    mask([2, 7, 4, 8, 3], [.1] * 5, [.95] * 5, "A [MASK] that is there already is "
         "never picked.", "F1", "Masking Special"),
    mask(ROW, [.9, .1, .1, .1, .9], [.5, .5, .85, .95, .5], "All three fates, side by "
         "side.", "F3 F4 F5 F8 F11"),
    mask(ROW, [.9, .149, .15, .151, .9], [.5] * 5, "0.15 itself is not below 0.15.",
         "F3"),
    mask(ROW, [.9, .1, .1, .1, .9], [.5, .799, .8, .801, .5], "0.8 itself is random, "
         "no more [MASK].", "F4 F8"),
    mask(ROW, [.9, .1, .1, .1, .9], [.5, .899, .9, .901, .5], "0.9 itself stays as it "
         "was.", "F5 F8"),
    mask(ROW, [.9, .1, .9, .9, .9], [.85] * 5, "The random piece may be a special "
         "token.", "F9", "Masking Random", random_ids=[0, 3, 0, 0, 0]),
    mask(ROW, [.9, .1, .9, .9, .9], [.85] * 5, "It may be the piece itself.", "F9",
         "Masking Random", random_ids=[0, 7, 0, 0, 0]),
    mask(ROW, [.9, .1, .1, .9, .9], [.85] * 5, "Two random pieces: each has its own.",
         "F4 F5", "Masking Random"),
    mask([2, 7, 7, 7, 3], [.9, .1, .9, .1, .9], [.5] * 5, "Equal pieces are picked "
         "each for itself.", "F6 F3"),
    mask(ROW, [0.0] * 5, [.5] * 5, "Probability 0 picks nothing, even a draw of 0.",
         "F7", probability=0.0),
    mask(ROW, [.999] * 5, [.5] * 5, "Probability 1 picks all that is not special.",
         "F1 F7", probability=1.0),
    mask(ROW, [.9, .3, .5, .3, .9], [.5] * 5, "With probability 0.4 two draws of 0.3 "
         "pick, one of 0.5 doesn't.", "F7", probability=0.4),
    mask([2, 3], [.1] * 2, [.5] * 2, "Only special tokens: nothing to pick.", "F1 F7",
         "Masking Special"),
    mask([], [], [], "An empty row has no labels, and is no error.", ""),
    count(100, "15 % of 100 pieces are 15, exactly."),
    count(128, "Of 128 pieces 19.2 would be 15 %: rounded to 19, not up."),
    count(10, "1.5 is rounded to 2, the even number.", "F6 F8"),
    count(30, "4.5 is rounded to 4, the even number, not up to 5.", "F6 F8"),
    count(2, "0.3 is rounded to 0, but at least one piece is masked.", "F6 F7"),
    count(3, "0.45 would be rounded to 0, but one is masked.", "F6 F7"),
    count(512, "Of 512 pieces 76.8 would be 15 %, but 20 is the most.", "F6",
          max_predictions=20),
    count(512, "76.8 is 77 where more are allowed.", "F6", max_predictions=80),
    count(128, "Half of 128 pieces: the share is a setting.", "F6", probability=0.5,
          max_predictions=100),
    count(7, "Longer than max_predictions: one.", "F6", max_predictions=1),
    count(0, "An empty row still asks for one piece.", "F7"),
]
