"""Bugs of data, training and tokenizer, as texts; see bugs."""

OTHERS = """
F1 Special tokens are masked
[CLS] and [SEP] were not left out when places were picked.
Spare all special tokens but [UNK].

F2 Padding counts in the share to mask
15 % was taken of the padded length. So short texts lose most of their words.
Count the real tokens only.

F3 One draw decides twice
The number that picked a piece, below 0.15, is compared again with 0.8. Then every \
piece falls into the same branch.
Draw a second number for what becomes of the piece.

F4 Random pieces are overwritten by [MASK]
[MASK] is written after the random pieces and covers them.
Let one draw decide among the three: below 0.8, below 0.9, above.

F5 No piece becomes a random one
The test for the last branch is never true.
Count what becomes of 10,000 pieces: 80 %, 10 % and 10 %.

F6 Pieces are picked with replacement
The same place is drawn twice, and fewer than 15 % are masked.
Draw a permutation and take the first of it.

F7 The wrong pieces may be masked
A condition is negated once too often, so that special tokens are all that is left.
Test that the picked pieces are words.

F10 Whole words are not kept together
Pieces that begin with ## belong to the word before them.
Draw once for each word, and mask all of its pieces.

F11 Labels are the masked ids
The ids were changed in place before the labels were copied from them.
Copy the labels first.

F12 A random sentence comes from the same document
Then it may well be the true next one, labelled as random.
Draw from the other documents.

F13 Labels of pairs are flipped
"is next" sounds like 1, but BERT has 0 for it.
Use 0 where B follows A, and 1 where it is random.

F14 The masks are the same in every epoch
The data were masked once and saved, or the generator is made anew each time.
Keep one generator for the whole training, and mask each batch when it is read.

F15 Every piece has a label
Then the model is paid for copying what it sees.
Set labels to -100 wherever nothing was picked.

F16 Pairs are always cut at the end
BERT cuts a token from the front or the back of the longer segment at random.
Draw the end for each token that is cut.

F17 Sentences are lost
After a random B the sentences that B took the place of must be used again.
Continue right after A.

G1 Weight decay applies to the wrong parameters
All parameters decay by default. BERT spares biases and LayerNorm's weights.
Make two groups by name: decay 0 for "bias" and "LayerNorm", 0.01 for the others.

G2 Another Adam
BERT's own Adam has no correction for the start from zero, and eps 1e-6. AdamW has \
the correction and 1e-8. The first step differs by a factor of 3.
Choose one. In both, eps is added to the square root.

G3 The learning rate has another course
It rises from 0 during the warm-up, then falls in a line to 0. An off-by-one changes \
the first update, and a rate below 0 climbs.
Compare the rate of each of the first and last ten updates with the formula.

G6 Weight decay is not decoupled
Added to the gradient, it is divided by the root of v like everything else (L2).
Multiply the parameter by 1 - lr * weight_decay, apart from the gradient, and first.

G7 Gradients are clipped differently
BERT's norm is that of all gradients together. In mixed precision they must be \
unscaled before.
Compute one norm, and multiply all by min(1, max / norm).

G8 A tied table gets half of its gradient
The word table is used twice, to look words up and to score them, and one gradient \
overwrites the other.
Add the two.

G10 The gradient of a look-up is wrong
A row that is used several times gets the sum, over the batch too. [PAD] alone gets \
none.
Add up over all places (np.add.at, index_add), and set the row of [PAD] to 0.

G11 The gradient of LayerNorm is wrong
Mean and deviation depend on x too, which gives the two terms that are forgotten.
dx = rstd (d - mean(d) - norm mean(d norm)), with d = dout w.

G12 The gradient of softmax is wrong
Each probability depends on all scores of its row.
ds = p (dp - sum(p dp)).

G13 The gradient of queries or keys is not scaled
The scores are divided by sqrt(D), and so are both gradients.
Divide dq and dk by sqrt(D), each once.

G14 A gradient is lost at a residual
A sum passes its whole gradient to both terms.
Add the gradient of the residual to that which comes back through the half.

G15 The gradient of GELU is wrong
x Phi(x) is a product, and the density has a constant. The tanh form has another slope.
dx = dout (Phi(x) + x phi(x)), phi(x) = exp(-x^2 / 2) / sqrt(2 pi).

G16 The gradient of a dense layer or of tanh is wrong
All positions share weight and bias: their gradients are sums. tanh' = 1 - tanh^2.
dw = dout^T x, db = the sum of dout over all rows.

G17 The gradient of a loss is wrong
It must have the loss's own count, its -1 at the label, and nothing at ignored labels.
(softmax - one-hot) / count where there is a label, 0 elsewhere.

G18 A gradient of attention is lost
x is used as query, as key, as value and as residual. A source is read by each layer.
Add up all of them.

G19 The gradient of the pooler is misplaced
The pooler reads the first token only. The sequence has a gradient of its own.
Add the pooler's gradient at position 0, and 0 elsewhere.

G20 The update of Adam is wrong
beta1 belongs to the gradient, beta2 to its square, and the step goes downhill.
m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p - lr m / (sqrt(v) + eps).

H1 Accents are not stripped
é is one character. Only after decomposition (NFD) is its accent one of its own, and \
only then can it be dropped. Marks are not Latin only.
Apply NFD, then drop all characters of the category Mn.

H2 Accents are stripped by another default
strip_accents without a value follows do_lower_case.
Strip accents if the text is lower-cased and nothing else is said.

H3 Chinese characters are isolated wrongly
BERT puts spaces around CJK ideographs. Kana and Hangul are not among them.
Use the eight ranges of BERT's own code, by code point.

H4 The longest word is measured differently
A word of over 100 characters is [UNK]. Bytes and UTF-16 units are not characters.
Count code points, and stop at 100.

H5 [UNK] for a part of a word
If any part of a word has no piece, the whole word is one [UNK].
Give up the word, with all pieces found so far.

H6 Text is not cut into code points
Strings of some languages are UTF-16, in which an emoji is two units; others cut \
graphemes.
Iterate over code points.

H7 Control characters and spaces are treated wrongly
BERT drops control characters, NUL and U+FFFD, and turns all white space of Unicode \
into a plain space.
Drop the first, replace the second, before anything else.

H8 Special tokens are split
[MASK] in a text must become one id. Lower-casing and punctuation would cut it up.
Find special tokens first, in the text as it is.

H9 The text is not lower-cased
An uncased vocabulary has no capital letters, so every name becomes [UNK] or scraps.
Lower-case if the checkpoint is uncased; do_lower_case says so.

H10 Pairs are truncated differently
"longest_first" shortens the longer text until both are equal, then both. On a tie \
the libraries do not agree.
Take the lengths from the reference for (5, 4) and (5, 5), and do the same.

H14 The final sigma
Lower-casing a whole word makes the last sigma ς. Each character alone becomes σ.
Lower-case character by character.

H15 Continuations lack their ##
Inside a word only pieces with ## may be used.
Put ## before the rest of the word when it is looked up.

H16 ASCII symbols are not split off
Unicode calls $ + < = > ^ ` | ~ symbols. BERT treats all of ASCII's as punctuation.
Test the ASCII ranges first, then the Unicode category P.

H17 The shortest piece is taken
WordPiece is greedy: the longest piece that fits comes first.
Try the ends from the last to the first.
"""
