"""The operations of the vectors: what each does, reads and returns."""

TOKENIZER = {"lowercase": True, "strip_accents": None, "chinese_chars": True}
ROW = {**TOKENIZER, "vocab": "words", "added_tokens": [], "add_special_tokens": True}

# {name: (what it does, its input, its output, {setting: default})}
OPERATIONS = {
    "clean": (
        "drops control characters, and turns white space into plain spaces",
        {"text": "a string"}, "the cleaned string", {}),
    "normalize": (
        "cleans, puts spaces around CJK characters, strips accents and lower-cases, as "
        "the settings ask",
        {"text": "a string"},
        "a list of strings: what stands between the spaces of the normalized text",
        TOKENIZER),
    "pre_tokenize": (
        "normalizes, then splits at white space and around each punctuation mark",
        {"text": "a string"}, "a list of words", TOKENIZER),
    "wordpiece": (
        "cuts one normalized word into pieces of the vocabulary, the longest first",
        {"word": "a string"}, "a list of pieces", {"vocab": "words"}),
    "read_vocabulary": (
        "reads vocab.txt: a piece in each line, whose id is the line's number from 0",
        {"file": "the text of the file"}, "a list of [piece, id], by id", {}),
    "encode": (
        "makes one row of a text or of a pair of texts",
        {"text": "a string", "pair": "a string, or null"},
        "an object: tokens, input_ids, token_type_ids, attention_mask, "
        "special_tokens_mask, offsets (start and end of each token in the text, in "
        "code points, end excluded), word_ids, sequence_ids (null at special tokens)",
        {**ROW, "split_special_tokens": False}),
    "encode_batch": (
        "makes rows of samples, cut to max_length and padded",
        {"samples": "a list of [text, pair or null]"},
        "an object: input_ids, token_type_ids, attention_mask (lists of rows); with "
        "overflow, all windows of a sample follow each other, and sample says which "
        "sample a row comes from.  In hf-legacy, overflowing lists the ids cut off",
        {**ROW, "truncation": False, "max_length": None, "stride": 0,
         "truncation_side": "right", "overflow": False, "padding": "do_not_pad",
         "padding_side": "right", "pad_to_multiple_of": None}),
    "decode": (
        "joins pieces into a text",
        {"ids": "a list of ids"}, "a string",
        {"vocab": "words", "added_tokens": [], "skip_special_tokens": False,
         "clean_up": False}),
    "attention_mask": (
        "tells which keys each query may attend to.  Without segments and padding, "
        "batch says how many rows there are",
        {"batch": "B", "queries": "T",
         "keys": "S; in self-attention the queries are the last T of the keys",
         "causal": "whether a query may not attend to later keys",
         "padding": "B rows of S numbers, 0 = padding, or null",
         "segments": "B rows of S numbers of the packed text that a key belongs to, or "
         "null"},
        "B matrices of T rows and S columns: 1 = may attend, 0 = may not", {}),
    "attention_weights": (
        "the softmax of each row of scores over the keys that may be attended to",
        {"scores": "T rows of S numbers", "allowed": "T rows of S numbers, 1 = may "
         "attend"},
        "T rows of S numbers; those of hidden keys are exactly 0", {}),
    "position_ids": (
        "the row of the table of positions that each token gets",
        {"kind": "model: what a model fills in, past cached tokens before the input; "
         "packed: restarts in every segment; generation: a prompt with padding, which "
         "takes up no positions",
         "batch, length, past": "of kind model", "segments": "of kind packed, B rows",
         "padding": "of kind generation: B rows, 0 = padding"},
        "B rows of numbers; of kind generation without those of padding", {}),
    "token_type_ids": (
        "the token types of rows [CLS] a [SEP] b [SEP] and their padding",
        {"lengths": "a list of [pieces of a, pieces of b or null]",
         "width": "tokens in a row, padding included"},
        "B rows of 0 and 1", {"add_special_tokens": True, "padding_side": "right"}),
    "targets": (
        "what the logits at each place are compared with; the label -100 is ignored",
        {"kind": "masked and causal: labels of language models, B rows; span: "
         "positions of answers in rows of length tokens; words: labels of words, for "
         "the first piece of each; sentences: whether B follows A",
         "labels, positions, length, word_ids, word_labels, follows": "of these kinds"},
        "the targets, null where there is none", {}),
    "cross_entropy": (
        "the mean of -log softmax(row)[label] over the labels that are not -100",
        {"logits": "R rows of K numbers", "labels": "R whole numbers"},
        "an object: loss (null = not a number), count (of labels used), gradient (of "
        "the loss by the logits, R rows of K numbers)", {}),
    "mlm_mask": (
        "masks pieces, each for itself, with draws that are given: a piece that is not "
        "special is picked if pick < probability; then it becomes mask_id if fate < "
        "0.8, its random id if fate < 0.9, and stays otherwise",
        {"ids": "T ids", "special_ids": "never picked", "mask_id": "of [MASK]",
         "pick": "T draws in [0, 1)", "fate": "T draws in [0, 1)",
         "random_ids": "T ids, of the whole vocabulary"},
        "an object: ids, and labels (-100 where nothing was picked)",
        {"probability": 0.15}),
    "mlm_count": (
        "how many pieces google-research/bert masks in a row of this length, [CLS] and "
        "[SEP] counted, padding not",
        {"length": "a whole number"}, "a whole number",
        {"probability": 0.15, "max_predictions": 20}),
}
DIALECTS = {
    "google": "google-research/bert, the code of the paper, by its published rules",
    "hf-legacy": "BertTokenizerLegacy in transformers, in Python: BertTokenizer before "
                 "version 5",
    "hf-fast": "BertTokenizer in transformers 5: the Rust library tokenizers"}
VOCABULARIES = {
    "words": (
        "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d e f g h ##a ##b ##c ##d ##e ##s ##x "
        "##9 hello world un ##aff ##able ##ff unaff unaffordable token ##ization "
        "##iz cafe nai ##ve naive na\u00efve caf\u00e9 don t s m ve re n not do ' . "
        ", ! ? - # ## [ ] mask cls sep 3 14 1 \u4e2d \u6587 ##\u6587 \u00e9 ##\u00e9 "
        "\u03b1 ##\u03c3 ##\u03c2 \u1112 ##\u1161 ##\u11ab \ud55c x i ##\u0307 Hello "
        "World ##orld W \U0001f600 ##\U0001f600 new ##tok newtok \u00df stra "
        "##\u00dfe ##sse the of $ + < = > ^ ` | ~ ##i ##n ##g ##\u0301 "
        "\u03bf\u03b4\u03bf \u20ac \u304b ##\u3099 \u304c \u0301 \u8c48 "
        "\uf900").split(),
    "cased": "[PAD] [UNK] [CLS] [SEP] [MASK] A a B b ##a ##A Hello hello HELLO "
             "\u00c9 \u00e9 E e ##\u0301 ##t\u00e9 ##te".split(),
    "gaps": "[PAD] [UNK] [CLS] [SEP] [MASK] ab abc abcd ##d ##e ##bc ##c ##cde a "
            "##a xy ##z ##zz".split()}
