"""Where numbert differs from transformers 5.24, on purpose: the whole list.

Everything else is meant to be equal.  Quirks that are matched are marked `HF:` in the
source.  Each name has its test: those of MODELS in tests/test_deviations.py; those of
GENERATION name theirs; the others are in tests/test_tokenizer_deviations.py and
tests/test_pipeline_deviations.py.

    python -m numbert.deviations                           # prints the list
"""

from .pipelines.deviations import PIPELINES
from .tokenization.deviations import DEVIATIONS as TOKENIZERS, Deviation

MODELS = (
    Deviation("loss_in_float64",
              "a language model's loss is computed in float32, even in float64 models",
              "in the model's dtype"),
    Deviation("config_is_never_written",
              "the first labels write problem_type into the config",
              "the config stays as it is; the labels decide in every call"),
    Deviation("encoder_states_without_cross_attention",
              "encoder_hidden_states given to an encoder are ignored",
              "ValueError"),
    Deviation("unknown_argument",
              "an unknown argument of a call is ignored",
              "TypeError that lists the options"),
    Deviation("masks_are_boolean",
              "a mask (B, 1 or N, T, S) is added to the scores: 0/1 hides nothing",
              "boolean or 0/1, 1 = attend; additive masks are refused with the remedy"),
    Deviation("mask_per_query",
              "a mask (B, T, S) is not taken",
              "it is, like (B, 1, T, S)"),
    Deviation("mask_and_past",
              "a mask shorter or longer than past and input together is adapted",
              "ValueError that names both lengths"),
    Deviation("past_of_an_encoder",
              "a cache given to an encoder is attended to",
              "ValueError"),
    Deviation("labels_out_of_range",
              "a label beyond num_labels fails inside torch",
              "ValueError that names the label and num_labels"),
    Deviation("missing_backbone",
              "a checkpoint that lacks parts of the backbone loads, with random ones",
              "ValueError that lists them; only heads and pooler may start fresh"),
    Deviation("default_dtype",
              "from_pretrained keeps the dtype of the file",
              "float32 unless dtype says otherwise; half precision is converted"),
    Deviation("pickled_weights",
              "pytorch_model.bin is read",
              "refused: pickle can run code; convert it to safetensors"),
    Deviation("resized_embeddings",
              "new rows are the mean of the old ones plus noise, 3e-5 of their spread",
              "exactly the mean"),
    Deviation("position_ids_of_one_axis",
              "position_ids need two axes",
              "(T,) will do"),
    Deviation("no_layers",
              "with num_hidden_layers=0, hidden_states is empty",
              "it holds the embeddings"),
)
# Of generation and of encoder-decoders, each with the test that shows it.
GENERATION = {
    Deviation("scores_in_the_model_s_dtype",
              "generate compares logits in float32",
              "in the model's dtype, so a near tie in float64 is decided in float64"):
    "test_generation.py::test_the_output_with_return_dict",
    Deviation("decoder_with_encoder_states_and_cache",
              "generate(encoder_hidden_states=...) of a decoder needs use_cache=False",
              "works with and without the cache"):
    "test_generation.py::test_recorded_answers_of_hugging_face",
    Deviation("past_the_last_position",
              "generate warns and fails later, inside the embedding",
              "ValueError before any work"):
    "test_generation.py::test_bad_settings_are_one_clear_error",
    Deviation("prompt_of_padding",
              "a prompt of padding only is continued",
              "ValueError"):
    "test_generation.py::test_bad_prompts_are_one_clear_error",
    Deviation("random_draws",
              "torch's random numbers",
              "NumPy's: other draws for one seed, the same distribution"):
    "test_sampling.py::test_draws_have_the_frequencies_of_the_filtered_softmax",
    Deviation("crop",
              "DynamicCache.crop refuses a positive number",
              "keeps that many positions; negative numbers as in transformers"):
    "test_cache.py::test_operations_of_the_cache",
    Deviation("special_tokens_of_an_encoder_decoder",
              "fixed in generation_config when the model is built",
              "read from model.config in every call"):
    "test_encoder_decoder.py::test_generation_starts_with_what_is_given",
    Deviation("decoder_start_token_id",
              "from_encoder_decoder_pretrained makes it the decoder's start_token_id",
              "a field of the joint configuration"):
    "test_encoder_decoder.py::test_a_warm_start_takes_both_halves_from_encoders",
    Deviation("unused_parameters",
              "the encoder's pooler in an encoder-decoder has the gradient None",
              "zeros"):
    "test_encoder_decoder.py::test_values_and_gradients_are_those_of_hugging_face",
}
DEVIATIONS = (*MODELS, *GENERATION, *TOKENIZERS, *PIPELINES)

if __name__ == "__main__":
    for name, theirs, ours in DEVIATIONS:
        print(f"{name}\n    transformers: {theirs}\n    numbert:      {ours}")
