"""The nine model classes: each is the backbone, a head and a loss.

Devlin et al. 2019, sections 3 and 4; names, arguments and outputs are Hugging Face's.
Arguments that all classes have, with their shapes (B batch, T tokens, C hidden size):

    input_ids (B, T) integers, or inputs_embeds (B, T, C) in their place
    attention_mask (B, T), (B, T, S) or (B, 1 or N, T, S), boolean or 0/1, 1 = attend
    token_type_ids (B, T), 0 or 1, default 0;  position_ids (T,) or (1 or B, T)
    **options: see BertPreTrainedModel

`forward` gives (output, saved), and `backward(saved)` the gradient of the loss, a dict
with the keys of `params`.  `backward(saved, <name of an output>=gradient)` gives the
gradient of that output instead; several are added up.  That is for the loss, logits,
last_hidden_state and pooler_output; hidden_states and attentions are for looking at.
What is saved is not copied: change no input, output or parameter in place before
backward has used it.
"""

from __future__ import annotations

import numpy as np

from ..bert import losses
from . import outputs
from .base import BertPreTrainedModel
from .cache import given_cache
from ..bert.heads import classifier, classifier_backward, classifier_dropout
from ..bert.heads import word_head, word_head_backward
from .inputs import class_labels, shaped
from .targets import answer_positions, class_targets, classification_loss
from .targets import logits_gradients, mean_cross_entropy, positions_to_keep
from .targets import sentence_labels, word_labels


class BertModel(BertPreTrainedModel):
    """The backbone alone: hidden states, and the pooled first token.

    Args:
        config, dtype, rng, params: see BertPreTrainedModel.
        add_pooling_layer: whether there is a pooler.
    """

    prefix, pooler = "", True

    def __init__(self, config, add_pooling_layer=True, **kwargs):
        self.pooler = add_pooling_layer
        super().__init__(config, **kwargs)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None, cache=None, use_cache=None, **options):
        """Give (BaseModelOutputWithPoolingAndCrossAttentions, saved).

        encoder_hidden_states (B, S, C), encoder_attention_mask (B, S): what a decoder
        with cross-attention reads.  cache: of an earlier call; attention_mask then
        covers past and new positions.  use_cache: give it back.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, encoder_hidden_states, encoder_attention_mask,
            given_cache(options, cache), use_cache)
        states, saved = self.run_bert(call)
        output = outputs.BaseModelOutputWithPoolingAndCrossAttentions(
            last_hidden_state=states.sequence, pooler_output=states.pooled,
            cache=states.past)
        return self.finish(options, output, states), saved

    def backward(self, saved, *, last_hidden_state=None, pooler_output=None,
                 trace=None):
        """last_hidden_state (B, T, C) and pooler_output (B, C) gradients -> grads"""
        if last_hidden_state is None and pooler_output is None:
            raise ValueError("BertModel has no loss: give the gradient of "
                             "last_hidden_state or of pooler_output")
        g = self.start_backward(saved, trace)
        batch, _, width = shape = saved.bert.shape
        if pooler_output is not None:
            if not self.pooler:
                raise ValueError("pooler_output has a gradient, but this BertModel was "
                                 "built without a pooler")
            pooler_output = shaped("the gradient of pooler_output", np.asarray(
                pooler_output, self.dtype), (batch, width))
        if last_hidden_state is not None:
            last_hidden_state = shaped("the gradient of last_hidden_state", np.asarray(
                last_hidden_state, self.dtype), shape)
        return self.bert_backward(g, saved, last_hidden_state, pooler_output)


class BertForPreTraining(BertPreTrainedModel):
    """Masked LM and next sentence prediction together, as BERT was trained.

    Devlin et al. 2019, section 3.1; the loss is the plain sum of the two.
    """

    pooler, heads = True, ("lm", "nsp")

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None,
                next_sentence_label=None, **options):
        """Give (BertForPreTrainingOutput, saved).

        labels (B, T): word piece ids, -100 where nothing was masked.
        next_sentence_label (B,): 0 = B follows A, 1 = B is random.
        HF: there is a loss only if both are given.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds)
        words = word_labels(self.config, labels, call.shape)
        order = sentence_labels("next_sentence_label", next_sentence_label,
                                call.shape[0])
        states, saved = self.run_bert(call)
        lm, lm_saved = word_head(states.p, states.sequence)            # (B, T, V)
        nsp, nsp_saved = classifier(states.p.at("cls.seq_relationship"), states.pooled)
        loss, parts = None, None
        if words is not None and order is not None:
            lm_loss, lm_part = mean_cross_entropy(lm, words)
            nsp_loss, nsp_part = mean_cross_entropy(nsp, order)
            loss, parts = lm_loss + nsp_loss, (lm_part, nsp_part)
        output = outputs.BertForPreTrainingOutput(
            loss=loss, prediction_logits=lm, seq_relationship_logits=nsp)
        return self.finish(options, output, states), saved._replace(
            head=(lm_saved, nsp_saved), loss=parts, shapes=(lm.shape, nsp.shape))

    def backward(self, saved, *, loss=None, prediction_logits=None,
                 seq_relationship_logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlm, dnsp = logits_gradients(saved, loss, self.dtype, {
            "prediction_logits": prediction_logits,
            "seq_relationship_logits": seq_relationship_logits})
        dsequence = word_head_backward(dlm, saved.head[0], g)
        dpooled = classifier_backward(dnsp, saved.head[1], g.at("cls.seq_relationship"))
        return self.bert_backward(g, saved, dsequence, dpooled)


class BertLMHeadModel(BertPreTrainedModel):
    """A decoder that predicts each next word piece, left to right."""

    heads = ("lm",)
    files = ("config.json", "model.safetensors", "generation_config.json")
    generation_config = None            # a GenerationConfig: what generate starts from

    def read_others(self, directory) -> None:
        """Read generation_config.json, where there is one."""
        from .sampling import read_generation_config
        self.generation_config = read_generation_config(directory)

    def write_others(self, directory) -> None:
        """Write generation_config.json, if the model has one."""
        from .sampling import write_generation_config
        write_generation_config(directory, self.generation_config)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None, labels=None, cache=None,
                use_cache=None, logits_to_keep=0, **options):
        """Give (CausalLMOutputWithCrossAttentions, saved).

        labels (B, T): usually input_ids themselves; the logits at t are compared with
        the label at t + 1.  logits_to_keep: how many positions at the end to give
        logits for (0 = all); or positions (P,) or (B, P); or a boolean mask (B, T).
        The other arguments: see BertModel.
        """
        if labels is not None:
            use_cache = False
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, encoder_hidden_states, encoder_attention_mask,
            given_cache(options, cache), use_cache)
        words = word_labels(self.config, labels, call.shape)
        places = positions_to_keep(logits_to_keep, call.shape)
        if words is not None and np.any(logits_to_keep != 0):
            raise ValueError("labels need the logits of every position: leave "
                             "logits_to_keep at 0")
        states, saved = self.run_bert(call)
        lm, lm_saved = word_head(states.p, states.sequence[places])    # (B, P, V)
        loss, parts = None, None
        if words is not None:
            following = np.full(call.shape, losses.IGNORE_INDEX)       # (B, T)
            following[:, :-1] = words.reshape(call.shape)[:, 1:]
            loss, part = mean_cross_entropy(lm, following.reshape(-1))
            parts = (part,)
        output = outputs.CausalLMOutputWithCrossAttentions(
            loss=loss, logits=lm, cache=states.past)
        return self.finish(options, output, states), saved._replace(
            head=(lm_saved, places), loss=parts, shapes=(lm.shape,))

    def backward(self, saved, *, loss=None, logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlm, = logits_gradients(saved, loss, self.dtype, {"logits": logits})
        lm_saved, places = saved.head
        dsequence = np.zeros(saved.bert.shape, self.dtype)             # (B, T, C)
        np.add.at(dsequence, places, word_head_backward(dlm, lm_saved, g))
        return self.bert_backward(g, saved, dsequence)

    def generate(self, input_ids=None, attention_mask=None, **options):
        """Continue input_ids (B, T); see numbert.generate."""
        from .generation import generate
        return generate(self, input_ids, attention_mask, **options)


class BertForMaskedLM(BertPreTrainedModel):
    """Fill in masked word pieces.  Devlin et al. 2019, section 3.1, task 1."""

    heads = ("lm",)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None, labels=None, **options):
        """Give (MaskedLMOutput, saved).  labels (B, T): ids, or -100 to ignore."""
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds, encoder_hidden_states, encoder_attention_mask,
            use_cache=False)
        words = word_labels(self.config, labels, call.shape)
        states, saved = self.run_bert(call)
        lm, lm_saved = word_head(states.p, states.sequence)            # (B, T, V)
        loss, parts = None, None
        if words is not None:
            loss, part = mean_cross_entropy(lm, words)
            parts = (part,)
        output = outputs.MaskedLMOutput(loss=loss, logits=lm)
        return self.finish(options, output, states), saved._replace(
            head=lm_saved, loss=parts, shapes=(lm.shape,))

    def backward(self, saved, *, loss=None, logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlm, = logits_gradients(saved, loss, self.dtype, {"logits": logits})
        return self.bert_backward(g, saved, word_head_backward(dlm, saved.head, g))


class BertForNextSentencePrediction(BertPreTrainedModel):
    """Does B follow A?  Devlin et al. 2019, section 3.1, task 2."""

    pooler, heads = True, ("nsp",)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Give (NextSentencePredictorOutput, saved).  labels (B,): 0 = B follows A."""
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds)
        order = sentence_labels("labels", labels, call.shape[0])
        states, saved = self.run_bert(call)
        logits, head_saved = classifier(states.p.at("cls.seq_relationship"),
                                        states.pooled)                 # (B, 2)
        loss, parts = None, None
        if order is not None:
            loss, part = mean_cross_entropy(logits, order)
            parts = (part,)
        output = outputs.NextSentencePredictorOutput(loss=loss, logits=logits)
        return self.finish(options, output, states), saved._replace(
            head=head_saved, loss=parts, shapes=(logits.shape,))

    def backward(self, saved, *, loss=None, logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlogits, = logits_gradients(saved, loss, self.dtype, {"logits": logits})
        return self.bert_backward(g, saved, dpooled=classifier_backward(
            dlogits, saved.head, g.at("cls.seq_relationship")))


class BertForSequenceClassification(BertPreTrainedModel):
    """One label, several labels or numbers per text, from the pooled first token."""

    pooler, heads = True, ("classifier",)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Give (SequenceClassifierOutput, saved).

        labels: (B,) integers for one class each; (B, K) zeros and ones for several;
        (B,) or (B, K) numbers for regression.  See `class_targets`.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds)
        targets = class_targets(self.config, labels, call.shape[0])
        states, saved = self.run_bert(call)
        logits, head_saved = classifier(
            states.p.at("classifier"), states.pooled,
            classifier_dropout(self.config))                           # (B, K)
        loss, parts = None, None
        if targets is not None:
            loss, part = classification_loss(logits, targets)
            parts = (part,)
        output = outputs.SequenceClassifierOutput(loss=loss, logits=logits)
        return self.finish(options, output, states), saved._replace(
            head=head_saved, loss=parts, shapes=(logits.shape,))

    def backward(self, saved, *, loss=None, logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlogits, = logits_gradients(saved, loss, self.dtype, {"logits": logits})
        return self.bert_backward(g, saved, dpooled=classifier_backward(
            dlogits, saved.head, g.at("classifier")))


class BertForMultipleChoice(BertPreTrainedModel):
    """Choose one of M texts: each gets one score.  Devlin et al. 2019, section 4.4.

    All inputs have an axis of choices after the batch: input_ids (B, M, T), and so on.
    """

    pooler, heads = True, ("choice",)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Give (MultipleChoiceModelOutput, saved).  labels (B,): the right choice."""
        shape = np.shape(input_ids if inputs_embeds is None else inputs_embeds)
        if len(shape) != (3 if inputs_embeds is None else 4):
            raise ValueError(f"the input has shape {shape}, expected (batch, choices, "
                             "tokens), with the hidden size behind for inputs_embeds")
        input_ids, attention_mask, token_type_ids = (
            None if x is None else np.reshape(x, (-1, *np.shape(x)[2:]))
            for x in (input_ids, attention_mask, token_type_ids))
        if position_ids is not None:
            position_ids = np.reshape(position_ids, (-1, np.shape(position_ids)[-1]))
        if inputs_embeds is not None:
            inputs_embeds = np.reshape(inputs_embeds, (-1, *shape[2:]))
        call = self.prepare(options, input_ids, attention_mask, token_type_ids,
                            position_ids, inputs_embeds)
        right = None if labels is None else class_labels(
            "labels", labels, shape[1], shape[:1], limit_name="the number of choices")
        states, saved = self.run_bert(call)
        scores, head_saved = classifier(
            states.p.at("classifier"), states.pooled,
            classifier_dropout(self.config))                           # (B M, 1)
        logits = scores.reshape(shape[:2])                             # (B, M)
        loss, parts = None, None
        if right is not None:
            loss, part = mean_cross_entropy(logits, right)
            parts = (part,)
        output = outputs.MultipleChoiceModelOutput(loss=loss, logits=logits)
        return self.finish(options, output, states), saved._replace(
            head=head_saved, loss=parts, shapes=(logits.shape,))

    def backward(self, saved, *, loss=None, logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlogits, = logits_gradients(saved, loss, self.dtype, {"logits": logits})
        grads = self.bert_backward(g, saved, dpooled=classifier_backward(
            dlogits.reshape(-1, 1), saved.head, g.at("classifier")))
        if "inputs_embeds" in grads:
            dembeds = grads["inputs_embeds"]                           # (B M, T, C)
            grads["inputs_embeds"] = dembeds.reshape(*dlogits.shape, *dembeds.shape[1:])
        return grads


class BertForTokenClassification(BertPreTrainedModel):
    """A label for every token: named entities, parts of speech."""

    heads = ("classifier",)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, labels=None, **options):
        """Give (TokenClassifierOutput, saved).  labels (B, T), -100 to ignore."""
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds)
        kinds = None if labels is None else class_labels(
            "labels", labels, self.config.num_labels, call.shape)
        states, saved = self.run_bert(call)
        logits, head_saved = classifier(
            states.p.at("classifier"), states.sequence,
            classifier_dropout(self.config))                           # (B, T, K)
        loss, parts = None, None
        if kinds is not None:
            loss, part = mean_cross_entropy(logits, kinds)
            parts = (part,)
        output = outputs.TokenClassifierOutput(loss=loss, logits=logits)
        return self.finish(options, output, states), saved._replace(
            head=head_saved, loss=parts, shapes=(logits.shape,))

    def backward(self, saved, *, loss=None, logits=None, trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlogits, = logits_gradients(saved, loss, self.dtype, {"logits": logits})
        return self.bert_backward(g, saved, classifier_backward(
            dlogits, saved.head, g.at("classifier")))


class BertForQuestionAnswering(BertPreTrainedModel):
    """Where an answer starts and ends in a text.  Devlin et al. 2019, section 4.2."""

    heads = ("qa",)

    def __init__(self, config, **kwargs):
        if config.num_labels != 2:
            raise ValueError(f"num_labels is {config.num_labels}, but there are two "
                             "scores per token, start and end: set num_labels=2")
        super().__init__(config, **kwargs)

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, start_positions=None,
                end_positions=None, **options):
        """Give (QuestionAnsweringModelOutput, saved).

        start_positions, end_positions (B,): the tokens; both, or there is no loss.
        HF: a position beyond the text is ignored, a negative one counts as 0.
        """
        call = self.prepare(
            options, input_ids, attention_mask, token_type_ids, position_ids,
            inputs_embeds)
        answers = None
        if start_positions is not None and end_positions is not None:
            answers = (answer_positions("start_positions", start_positions, call.shape),
                       answer_positions("end_positions", end_positions, call.shape))
        states, saved = self.run_bert(call)
        logits, head_saved = classifier(states.p.at("qa_outputs"), states.sequence)
        start, end = logits[..., 0], logits[..., 1]                    # (B, T)
        loss, parts = None, None
        if answers is not None:
            (start_loss, start_part), (end_loss, end_part) = (
                mean_cross_entropy(scores, positions, ignore_index=call.shape[1],
                                   weight=0.5)
                for scores, positions in zip((start, end), answers))
            loss, parts = (start_loss + end_loss) / 2, (start_part, end_part)
        output = outputs.QuestionAnsweringModelOutput(
            loss=loss, start_logits=start, end_logits=end)
        return self.finish(options, output, states), saved._replace(
            head=head_saved, loss=parts, shapes=(start.shape, end.shape))

    def backward(self, saved, *, loss=None, start_logits=None, end_logits=None,
                 trace=None):
        """Gradients of the outputs -> grads"""
        g = self.start_backward(saved, trace)
        dlogits = logits_gradients(saved, loss, self.dtype, {
            "start_logits": start_logits, "end_logits": end_logits})
        return self.bert_backward(g, saved, classifier_backward(
            np.stack(dlogits, -1), saved.head, g.at("qa_outputs")))
