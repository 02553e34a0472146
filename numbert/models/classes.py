"""The nine model classes.  Each is one short story: backbone, head, loss.

Devlin et al. 2019, sections 3 and 4; names, arguments and outputs are Hugging Face's.
Shapes: B batch, T tokens, C hidden size, N heads, V vocabulary, K classes, M choices;
S positions to attend to: T, or with a cache, past and new ones together.

All classes take these arguments:

    input_ids (B, T) integers, or inputs_embeds (B, T, C) in their place
    attention_mask (B, S), (B, T, S) or (B, 1 or N, T, S), boolean or 0/1, 1 = attend
    token_type_ids (B, T), 0 or 1, default 0;  position_ids (T,) or (1 or B, T)
    **options: see BertPreTrainedModel

`forward` returns (output, saved).  All classes share `backward`, which returns a dict
of gradients with the keys of `params`.  `backward(saved)` starts from the loss;
`backward(saved, logits=dlogits)` starts from the gradient of an output instead.
hidden_states and attentions are for inspection only: they take no gradient.
`saved` holds references, not copies: do not change inputs, outputs or parameters in
place until backward has run.

How to read a class: `pooler` and `heads` say which parameters it has, `output` what it
returns, and `terms` which outputs its loss compares with which labels.  Its `forward`
takes four steps: `prepare` checks the inputs, `backbone` runs BERT, the head computes
scores from BERT's states, and `finish` adds the loss and packs the output.
"""

from __future__ import annotations

import numpy as np

from ..bert.heads import classifier, classifier_backward
from ..bert.heads import order_head, order_head_backward
from ..bert.heads import span_head, span_head_backward
from ..bert.heads import word_head, word_head_backward
from . import outputs
from .base import BertPreTrainedModel
from .cache import given_cache
from .inputs import as_rows
from .targets import Term, choice_targets, class_targets, next_word_targets
from .targets import order_targets, position_targets, positions_to_keep
from .targets import token_targets, word_targets


class BertModel(BertPreTrainedModel):
    """The backbone alone: a hidden state for each token, and the pooled first token.

    Args:
        config, dtype, rng, params: see PreTrainedWeights.
        add_pooling_layer: whether the model has a pooler.
    """

    prefix, pooler = "", True
    output = outputs.BaseModelOutputWithPoolingAndCrossAttentions

    def __init__(self, config, add_pooling_layer=True, **kwargs):
        self.pooler = add_pooling_layer
        super().__init__(config, **kwargs)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None, cache=None, use_cache=None, **options):
        """Return (BaseModelOutputWithPoolingAndCrossAttentions, saved).

        encoder_hidden_states (B, S, C), encoder_attention_mask (B, S): an encoder's
        output and its mask, which a decoder with cross-attention reads.
        cache: the one that an earlier call returned.  This call adds to it, and
        attention_mask, if there is one, covers past and new positions.
        use_cache: whether a decoder returns its cache; by default config.use_cache.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, encoder_hidden_states, encoder_attention_mask,
            given_cache(options, cache), use_cache)
        states = self.backbone(call)
        return self.finish(call, states, None, last_hidden_state=states.sequence,
                           pooler_output=states.pooled)

    def head_backward(self, dsequence, dpooled, saved, g):
        """Pass the gradients on: without a head, the outputs are the backbone's."""
        return dsequence, dpooled


BertPreTrainedModel.backbone_class = BertModel          # of base_model


class BertForPreTraining(BertPreTrainedModel):
    """Masked LM and next sentence prediction together, as BERT was trained.

    Devlin et al. 2019, section 3.1 and appendix A.2: the loss is the sum of the two.
    """

    pooler, heads, masked = True, ("lm", "nsp"), True
    output = outputs.BertForPreTrainingOutput
    terms = (Term("prediction_logits", "labels", word_targets, tap="mlm_loss"),
             Term("seq_relationship_logits", "next_sentence_label", order_targets,
                  tap="nsp_loss"))

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None,
                next_sentence_label=None, **options):
        """Return (BertForPreTrainingOutput, saved).

        labels (B, T): the original word piece ids, -100 where nothing is predicted.
        next_sentence_label (B,): 0 = sentence B follows A, 1 = B is random.
        HF: the loss is computed only if both are given.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, labels=labels, next_sentence_label=next_sentence_label)
        states = self.backbone(call)
        words, words_saved = word_head(call.p, states.sequence, call.places)
        order, order_saved = order_head(call.p, states.pooled)
        return self.finish(call, states, (words_saved, order_saved),
                           prediction_logits=words, seq_relationship_logits=order)

    def head_backward(self, dwords, dorder, saved, g):
        """dwords (B, T, V), dorder (B, 2) -> dsequence (B, T, C), dpooled (B, C)"""
        words_saved, order_saved = saved
        return word_head_backward(dwords, words_saved, g), \
            order_head_backward(dorder, order_saved, g)


class BertLMHeadModel(BertPreTrainedModel):
    """Predict the next word piece at each position.

    With is_decoder=True a position sees only itself and those before it.
    """

    heads, generates = ("lm",), True
    fits = ("BertForPreTraining", "BertForMaskedLM")
    output = outputs.CausalLMOutputWithCrossAttentions
    terms = (Term("logits", "labels", next_word_targets),)
    files = ("config.json", "model.safetensors", "generation_config.json")
    generation_config = None            # a GenerationConfig: the defaults of generate

    def read_others(self, directory) -> None:
        """Read generation_config.json, if there is one."""
        from .generation_config import read_generation_config
        self.generation_config = read_generation_config(directory)

    def write_others(self, directory) -> None:
        """Write generation_config.json, if the model has one."""
        from .generation_config import write_generation_config
        write_generation_config(directory, self.generation_config)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None, labels=None, cache=None,
                use_cache=None, logits_to_keep=0, **options):
        """Return (CausalLMOutputWithCrossAttentions, saved).

        labels (B, T): usually input_ids themselves, -100 to ignore; the logits at t are
        compared with the label at t + 1.
        logits_to_keep: where to compute logits: at the last n positions (0 = at all);
        at positions (P,) or (B, P); or where a boolean mask (B, T) is true.
        The other arguments: see BertModel.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, encoder_hidden_states, encoder_attention_mask,
            given_cache(options, cache), use_cache if labels is None else False,
            labels=labels)
        places = self.backend.place(positions_to_keep(logits_to_keep, call.shape),
                                    self.params[self.table_name])
        if call.targets and places is not None:
            raise ValueError("logits_to_keep is given together with labels, expected "
                             "one of the two: the loss needs the logits of every "
                             "position, so leave logits_to_keep at 0")
        states = self.backbone(call)
        words, saved = word_head(call.p, states.sequence, places)      # (B, T, V)
        return self.finish(call, states, saved, logits=words)

    def head_backward(self, dwords, saved, g):
        """dwords (B, T, V) -> dsequence (B, T, C), None"""
        return word_head_backward(dwords, saved, g), None

    def generate(self, input_ids=None, attention_mask=None, **options):
        """Continue input_ids (B, T); see numbert.generate."""
        from .generation import generate
        return generate(self, input_ids, attention_mask, **options)


class BertForMaskedLM(BertPreTrainedModel):
    """Fill in masked word pieces.  Devlin et al. 2019, section 3.1, task 1."""

    heads, masked, fits = ("lm",), True, ("BertForPreTraining",)
    output = outputs.MaskedLMOutput
    terms = (Term("logits", "labels", word_targets),)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None, labels=None, **options):
        """Return (MaskedLMOutput, saved).

        labels (B, T): the original word piece ids, -100 where nothing is predicted.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, encoder_hidden_states, encoder_attention_mask,
            use_cache=False, labels=labels)
        states = self.backbone(call)
        words, saved = word_head(call.p, states.sequence, call.places)   # (B, T, V)
        return self.finish(call, states, saved, logits=words)

    def head_backward(self, dwords, saved, g):
        """dwords (B, T, V) -> dsequence (B, T, C), None"""
        return word_head_backward(dwords, saved, g), None


class BertForNextSentencePrediction(BertPreTrainedModel):
    """Tell whether sentence B follows A.  Devlin et al. 2019, section 3.1, task 2."""

    pooler, heads, fits = True, ("nsp",), ("BertForPreTraining",)
    output = outputs.NextSentencePredictorOutput
    terms = (Term("logits", "labels", order_targets),)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Return (NextSentencePredictorOutput, saved).

        labels (B,): 0 = sentence B follows A, 1 = B is random.
        """
        call = self.prepare(options, input_ids, attention_mask, token_type_ids,
                            position_ids, inputs_embeds, labels=labels)
        states = self.backbone(call)
        order, saved = order_head(call.p, states.pooled)               # (B, 2)
        return self.finish(call, states, saved, logits=order)

    def head_backward(self, dorder, saved, g):
        """dorder (B, 2) -> None, dpooled (B, C)"""
        return None, order_head_backward(dorder, saved, g)


class BertForSequenceClassification(BertPreTrainedModel):
    """Give each text one label, several labels or numbers, from its pooled first token.

    Devlin et al. 2019, section 4.1.
    """

    pooler, heads = True, ("classifier",)
    output = outputs.SequenceClassifierOutput
    terms = (Term("logits", "labels", class_targets),)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Return (SequenceClassifierOutput, saved).

        labels: (B,) integers for one class per text; (B, K) zeros and ones for several;
        for regression (B, K) numbers, or (B,) if K = 1.  See `class_targets`.
        """
        call = self.prepare(options, input_ids, attention_mask, token_type_ids,
                            position_ids, inputs_embeds, labels=labels)
        states = self.backbone(call)
        logits, saved = classifier(call.p, states.pooled)              # (B, K)
        return self.finish(call, states, saved, logits=logits)

    def head_backward(self, dlogits, saved, g):
        """dlogits (B, K) -> None, dpooled (B, C)"""
        return None, classifier_backward(dlogits, saved, g)


class BertForMultipleChoice(BertPreTrainedModel):
    """Choose one of M texts: each gets one score.  Devlin et al. 2019, section 4.4.

    Inputs have an axis of choices after the batch: input_ids (B, M, T), and so on.
    """

    pooler, heads, rows = True, ("choice",), "B M"
    output = outputs.MultipleChoiceModelOutput
    terms = (Term("logits", "labels", choice_targets),)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Return (MultipleChoiceModelOutput, saved).  labels (B,): the right choice."""
        rows, shape = as_rows(input_ids, attention_mask, token_type_ids, position_ids,
                              inputs_embeds)
        call = self.prepare(options, **rows, shape=shape, labels=labels)
        states = self.backbone(call)
        scores, saved = classifier(call.p, states.pooled)              # (B M, 1)
        return self.finish(call, states, saved, logits=scores.reshape(shape[:2]))

    def head_backward(self, dlogits, saved, g):
        """dlogits (B, M) -> None, dpooled (B M, C)"""
        return None, classifier_backward(dlogits.reshape(-1, 1), saved, g)


class BertForTokenClassification(BertPreTrainedModel):
    """Label every token: named entities, parts of speech.

    Devlin et al. 2019, section 5.3.
    """

    heads = ("classifier",)
    output = outputs.TokenClassifierOutput
    terms = (Term("logits", "labels", token_targets),)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Return (TokenClassifierOutput, saved).  labels (B, T), -100 to ignore."""
        call = self.prepare(options, input_ids, attention_mask, token_type_ids,
                            position_ids, inputs_embeds, labels=labels)
        states = self.backbone(call)
        logits, saved = classifier(call.p, states.sequence)            # (B, T, K)
        return self.finish(call, states, saved, logits=logits)

    def head_backward(self, dlogits, saved, g):
        """dlogits (B, T, K) -> dsequence (B, T, C), None"""
        return classifier_backward(dlogits, saved, g), None


class BertForQuestionAnswering(BertPreTrainedModel):
    """Find where an answer starts and ends.

    Devlin et al. 2019, sections 4.2 and 4.3.
    """

    heads = ("qa",)
    output = outputs.QuestionAnsweringModelOutput
    terms = (Term("start_logits", "start_positions", position_targets, weight=0.5,
                  tap="start_loss"),
             Term("end_logits", "end_positions", position_targets, weight=0.5,
                  tap="end_loss"))

    def __init__(self, config, **kwargs):
        if config.num_labels != 2:
            raise ValueError(f"num_labels is {config.num_labels}, expected 2, for the "
                             "two scores of each token, start and end: set "
                             "num_labels=2")
        super().__init__(config, **kwargs)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, start_positions=None,
                end_positions=None, **options):
        """Return (QuestionAnsweringModelOutput, saved).

        start_positions, end_positions (B,): the first and last token of each answer.
        HF: the loss is computed only if both are given.
        HF: a position beyond the last token is ignored; a negative one counts as 0.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, start_positions=start_positions, end_positions=end_positions)
        states = self.backbone(call)
        spans, saved = span_head(call.p, states.sequence)              # (B, T, 2)
        return self.finish(call, states, saved, start_logits=spans[..., 0],
                           end_logits=spans[..., 1])

    def head_backward(self, dstart, dend, saved, g):
        """dstart (B, T), dend (B, T) -> dsequence (B, T, C), None"""
        return span_head_backward(np.stack([dstart, dend], -1), saved, g), None
