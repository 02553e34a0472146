"""What the known bugs are: how each comes about, and how to fix it.

    CATALOGUE["B13"].fix

All of them were made by people who wrote, ported or trained BERT, most of them in
well-known projects.  The zoo has one mutant or several for each.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .bugs_of_training import OTHERS


class Bug(NamedTuple):
    """An entry of the catalogue."""

    title: str
    why: str                    # how it comes about, and why it is not noticed
    fix: str                    # what to do


TEXTS = """
A1 Token types are wrong or missing
Without a second sentence the types are all 0, and it seems that nothing is added. \
But row 0 of the table is a vector like any other, and pairs need row 1 too.
Add the row of each token's type, and that of type 0 where no types are given.

A2 attention_mask and token_type_ids are swapped
Both have the shape of the ids and hold zeros and ones, so no check can tell them \
apart when they are passed by position.
Pass both by name.

A3 Positions have an offset
RoBERTa counts positions from its padding index plus one. BERT counts from 0.
Number the positions 0, 1, 2 and so on.

A4 Positions are restarted, shifted, shared or left out
BERT counts every place of the row, padding included. With padding on the right the \
difference cannot be seen: with padding on the left it can.
Use 0 to T - 1 in every row, unless position_ids are given; then use those, row by row.

A5 Token ids are off by one
The vocabulary file is numbered from 1, or has a line more or less than the table.
Number the lines from 0, and compare the last id with vocab_size - 1.

A6 [PAD] is taken to be zero
The table has a row for [PAD], which is zero only in a new model. Padding is hidden \
by the mask, and not by its vector.
Load the row as it is in the checkpoint.

A7 The LayerNorm of the embeddings is missing or misplaced
It has no layer of its own in most drawings of BERT. At the first initialisation its \
absence changes little.
Add word, type and position first; normalise the sum; then apply dropout.

A9 Embeddings are scaled
The Transformer of 2017 multiplies word embeddings by sqrt(C). BERT does not.
Leave the factor out.

B1 The attention mask is not applied
A test with one sentence, or with sentences of one length, has no padding. So nothing \
is wrong until the first real batch.
Hand the mask to every layer. Test that padding does not change the other states.

B2 The mask is inverted
BERT's mask has 1 for a token and 0 for padding. Other libraries have True for what is \
hidden, as key_padding_mask of torch does.
Invert the mask where it enters.

B3 A mask of zeros and ones is added to the scores
An additive mask holds 0 and a very large negative number. Adding a boolean, or \
subtracting 1 - mask, moves scores by one, which only weakens the hidden keys.
Turn the mask into large negative numbers first, or select by it.

B4 Scores are multiplied by the mask
A score of 0 is not a low score: its weight is exp(0) = 1.
Set hidden scores to the lowest number before the softmax.

B5 Large scores beat the mask
-100 or -10000 is a large number only beside the scores of usual checkpoints. When \
scores are larger than that, hidden keys are seen again.
Use the lowest number of the dtype, and put it in the place of the score.

B7 A text without any token
All scores of its rows are hidden. With -inf the softmax is 0 / 0 = nan, and some \
kernels give zeros. Hugging Face's eager attention gives the mean over all keys.
BERT leaves this open. Choose a rule, write it down, and let no nan through.

B8 The mask is 0 times infinity
That is nan. So (1 - mask) * -inf hides what should be hidden, and spoils what should \
be seen.
Multiply by the lowest number of the dtype, or select by the mask.

B9 The softmax runs over the wrong axis
Scores have the axes batch, heads, queries, keys. Any axis gives positive numbers that \
sum to 1 along it, and a model trained like this even learns.
Take the softmax over the last axis: each query's weights sum to 1 over the keys.

B10 Heads are split or merged without a transpose
A reshape from (T, C) to (N, T, D) has the right shape and mixes positions with heads.
Reshape to (T, N, D) and swap the axes T and N; go the same way back.

B11 Heads take every N-th channel
The channels are reshaped to (D, N) in place of (N, D). A model of one's own learns \
with it, but a checkpoint does not fit.
Head n owns the channels from n D to (n + 1) D - 1.

B12 Attention probabilities are transposed
With as many queries as keys the matrix is square, and no shape is wrong.
Row t holds the weights of query t: multiply it by the values as it stands.

B13 Scores are scaled by another number
C, N and D are easy to confuse, and a new model's attention is nearly uniform with any \
scale.
Divide the scores by sqrt(D), where D is the size of one head: C / N.

B14 A fused projection is taken apart wrongly
A single weight of 3 C rows can hold query, key and value one after the other, or head \
by head. Both have the same shape.
Look up the order that the checkpoint was written in, and split accordingly.

B15 Two of query, key and value are swapped
Their weights have equal shapes.
Load each weight by its name, and check every one of them.

B16 A bias of attention is dropped
Many newer models have projections without a bias. For the key the outputs don't even \
change, as the softmax ignores what is added to a whole row.
Give query, key, value and output a bias each.

B17 All heads share one projection
A weight of D rows is made once and used by each head.
Use the full weight of C rows: each head has its own D of them.

B18 The causal mask is wrong or lost
A fast path of attention builds its own mask, or the triangle is off by one. The loss \
falls to almost nothing, since the answer can be seen.
Let position t see t and all before it. Test that a later token changes nothing before.

B19 The cache is out of step
With a cache the new tokens are the last ones of the sequence. Their positions and \
their causal mask must begin after those that are cached.
Count positions and mask from the length of the cache; append new keys at the end. \
Test that any division into parts gives the same logits.

B21 Cross-attention reads the wrong thing
It has queries from the text, and keys and values from the source, with the source's \
mask and with weights of its own. Self-attention has the same code and other arguments.
Pass encoder_hidden_states as the source and encoder_attention_mask as the mask.

B22 A head is cut off
A checkpoint may list heads that were pruned, and a loop over heads can begin or end \
one off.
Use all num_attention_heads heads, and let each write its own channels.

B23 The mask is applied after the softmax
The hidden weights become 0, but what is left no longer sums to 1.
Hide the scores before the softmax.

B24 The output projection of attention is missing
The heads are concatenated, and their result has the right shape without it.
Apply attention.output.dense to the merged heads, before the residual.

B25 Another formula for the softmax
A small number in the sum, against a division by zero, or a one, as in "softmax off by \
one", makes all weights smaller. A softmax that is taken twice makes them nearly equal.
Divide exp(score - largest) by the sum of these, once. That sum is at least 1.

C1 The wrong one of two GELUs
"gelu" is the exact form by erf at Hugging Face, and the tanh form in \
google-research/bert. They differ by less than 0.001, so half precision hides it.
For hidden_act "gelu" use x Phi(x) with erf; use the tanh form for "gelu_new".

C2 Another activation
QuickGELU, ReLU and SiLU look much like GELU, and are at hand.
Use the activation that hidden_act names, in the layers and in the LM head.

C3 The wrong epsilon in LayerNorm
Frameworks have 1e-5, 1e-6 or 1e-3 as a default, and BERT has 1e-12. It shows only \
where the variance is small.
Pass layer_norm_eps of the configuration to every LayerNorm.

C4 Another formula for LayerNorm
Some standard deviations divide by C - 1 by default, and eps is easily added to the \
root and not to the variance.
Compute (x - mean) / sqrt(var + eps), with var the mean of (x - mean)^2 over C numbers.

C5 The variance is a difference of two means
E[x^2] - E[x]^2 is the same number on paper. When the mean is large beside the \
deviation, its digits cancel.
Subtract the mean first, then take the mean of the squares.

C7 LayerNorms stand in other places
BERT normalises after each half of a layer (post-LN), most later models before it. \
Those have one more LayerNorm at the end.
Compute LayerNorm(x + half(x)) twice a layer, and nothing after the last layer.

C8 The residual is wrong or missing
The second half of a layer starts from the first half's result, and that is also its \
residual.
Add the input of each half to its output, once, before the LayerNorm.

C9 The wrong LayerNorm of a layer
Both have the same shape. In a new model both are 1 and 0, so that no test with \
random weights can see it.
Use attention.output.LayerNorm after attention and output.LayerNorm at the end.

C10 LayerNorm's weights are not loaded
Old checkpoints call them gamma and beta. A loader that skips unknown names leaves \
1 and 0 and says nothing.
Map gamma to weight and beta to bias, and refuse a checkpoint with names left over.

C13 Dropout is on, or scaled wrongly
A model is in training mode until it is told otherwise. In training, what dropout \
keeps must be divided by the share that is kept.
Call eval() before inference. Multiply what is kept by 1 / (1 - rate), and its \
gradient too.

D1 A weight is not transposed
TensorFlow stores a dense kernel as (in, out), torch a weight as (out, in). When both \
sizes are equal, no shape is wrong.
Transpose each dense kernel, the square ones too. A reshape is not a transpose.

D2 The bias of the LM head is dropped
The table of the decoder is tied to the embeddings, and the bias is forgotten with it.
Add cls.predictions.bias to the scores.

D3 A bias is added twice
That of the LM head has two names in a checkpoint: predictions.bias and \
predictions.decoder.bias. Others are added by a layer, and once more by hand.
Treat the two names as one parameter, and add each bias once.

D4 The decoder is not tied to the embeddings
Checkpoints leave the decoder's table out, as it is that of the word embeddings. A \
loader that misses it keeps random numbers.
Use the word embeddings as the decoder's weight.

D5 The transform of the LM head is wrong
Between the last layer and the decoder stand a dense layer, an activation and a \
LayerNorm. Many drawings leave them out.
Apply them in this order: dense, activation, LayerNorm.

D6 The pooler is wrong
BERT's pooler is a dense layer and tanh on the first token. Other models take means, \
or the token itself.
Take position 0 of each row, then dense, then tanh; give that to the classifier.

D8 Choices are reshaped in the wrong order
Inputs (questions, choices, T) are joined into rows, so that the choices of one \
question stand side by side.
Reshape the scores to (questions, choices).

D9 Two scores are swapped
In next sentence prediction class 0 means that B follows A. For answers the first \
score is that of the start.
Keep the order of the checkpoint's rows.

D10 Layers get the wrong weights
"layer.10" sorts before "layer.2", and a shared default or a closure in a loop gives \
all layers the same weights.
Load each layer by its number, as many as num_hidden_layers says.

D11 A bias is dropped
The bias is 0 in a new model, so nothing changes until a checkpoint is loaded.
Give every dense layer its bias.

E1 Ignored labels count
The label to ignore is -100. Older code has -1, and some has none at all.
Leave labels of -100 out of both the sum and the count.

E2 Class 0 is ignored
The padding id 0 was used as the label to ignore, and it is also a class.
Ignore -100 only.

E3 The loss is divided by the wrong number
A mean over all positions counts those that have no label.
Divide the sum by the number of labels that are not ignored.

E4 No label at all
The mean of nothing is 0 / 0. torch gives nan, and others 0.
Choose one and write it down; don't let such a batch change the weights.

E8 The loss is for another kind of labels
It depends on problem_type or, without one, on num_labels and the dtype of the labels.
Use squared errors for regression, cross-entropy for one class, and the mean binary \
cross-entropy of the logits for several.

E9 Positions of answers are treated wrongly
Hugging Face counts a negative position as 0, and ignores one beyond the text. The \
loss is the mean of those of start and end.
Do the same, in this order.

E11 The loss is computed in float32
transformers casts the logits of causal models to float32. In a float64 model that \
loses half of the digits.
Nothing is wrong in float32. For float64, compute the loss in float64.

E12 log-softmax without the maximum
On paper it is the same. In float32 exp overflows at 89, and in float16 at 12.
Subtract the largest logit of each row first.

E13 Labels of a causal LM are shifted wrongly
The model shifts them itself, so the labels are the ids. Shifting twice, or not at \
all, still gives a loss that falls.
Compare the logits at t with the label at t + 1.

E14 The losses of pre-training are combined wrongly
The paper's loss is a plain sum of the two. The label 0 means that B follows A.
Add both, each with the weight 1.

E15 Squared errors are scaled differently
Many texts put 1 / 2 before the square, or add up where others average.
Take the mean of (output - label)^2.

E16 Labels are smoothed
Label smoothing of the Transformer of 2017 is a default of some libraries.
Set it to 0.

E17 The loss is in bits
log2 was used for the natural logarithm.
Use the natural logarithm.

E18 Softmax twice
The loss takes logits, and was given probabilities. It still falls, but slowly.
Give the loss the logits.
"""


def read(texts: str) -> dict[str, Bug]:
    """Return {id: Bug} of blocks of three lines: id and title, why, fix.

    Raises:
        ValueError: a block has another form, or an id occurs twice.
    """
    found: dict[str, Bug] = {}
    for block in texts.strip().split("\n\n"):
        match = re.fullmatch(r"([A-I]\d+) (.+)\n(.+)\n(.+)", block)
        if match is None or match[1] in found:
            raise ValueError(f"an entry is {block!r:.60}, expected a new id with its "
                             "title, a line on why, and a line on how to fix it: put "
                             "an empty line between two entries")
        found[match[1]] = Bug(*match.groups()[1:])
    return found


CATALOGUE = read(TEXTS + OTHERS)


def explained(identifier: str) -> Bug:
    """Return the entry of an id such as "B13", or of a mutant's, such as "B13-hidden".

    Raises:
        ValueError: there is none.
    """
    entry = CATALOGUE.get(identifier.split("-")[0].upper())
    if entry is None:
        raise ValueError(f"the bug is {identifier!r:.60}, expected an id from "
                         f"{next(iter(CATALOGUE))} to {next(reversed(CATALOGUE))}, as "
                         "in B13: take it from a report")
    return entry
