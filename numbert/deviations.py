"""Where numbert differs from transformers 5.24 on purpose: the whole list.

Everything else is meant to be equal.  Quirks that numbert copies are marked `HF:` in
the source.  Each row has a test named test_NAME, in tests/test_deviations.py (models)
or in the test_*_deviations.py of tests/tokenization and tests/pipelines.  The tests of
generation have names of their own; tests/test_deviations.py lists them.

    python -m numbert.deviations                           # prints the list
"""

from .pipelines.deviations import PIPELINES
from .tokenization.deviations import DEVIATIONS as TOKENIZERS, Deviation

MODELS = (
    Deviation("loss_in_float64",
              "computes a language model's loss in float32, even in float64 models",
              "computes it in the model's dtype"),
    Deviation("config_is_never_written",
              "writes problem_type into the config when it first sees labels",
              "leaves the config as it is; the labels of each call decide"),
    Deviation("encoder_states_without_cross_attention",
              "ignores encoder_hidden_states in a model without cross-attention",
              "raises ValueError"),
    Deviation("unknown_argument",
              "ignores an unknown argument of a call",
              "raises TypeError and lists the options"),
    Deviation("masks_are_boolean",
              "adds a mask (B, 1 or N, T, S) to the scores, so 0/1 hides nothing",
              "takes boolean or 0/1, 1 = attend; refuses additive masks and says what "
              "to pass instead"),
    Deviation("mask_per_query",
              "fails on a mask (B, T, S), and on (S,) and (1, S) for B texts",
              "takes it, like (B, 1, T, S), and broadcasts the others as NumPy does"),
    Deviation("mask_and_past",
              "adapts a mask that is shorter or longer than past and input together",
              "raises ValueError and names both lengths"),
    Deviation("past_of_an_encoder",
              "lets an encoder attend to a cache",
              "raises ValueError"),
    Deviation("labels_out_of_range",
              "fails inside torch on a label beyond num_labels",
              "raises ValueError and names the label and num_labels"),
    Deviation("unknown_problem_type",
              "returns no loss if problem_type is a word it does not know",
              "raises ValueError if there are labels; without them it is not read"),
    Deviation("label2id_alone",
              "ignores label2id in a configuration without id2label",
              "takes the names of the classes from it"),
    Deviation("whole_number_as_a_number",
              "refuses a whole number for layer_norm_eps and initializer_range",
              "takes it"),
    Deviation("rows_without_keys",
              "gives 0 where a query may attend to no key, as sdpa is its default",
              "gives the mean of all values, as eager attention does; 0 only in "
              "to_torch(attn_implementation=\"sdpa\")"),
    Deviation("training_mode",
              "turns dropout on with model.train()",
              "raises TypeError: rng=seed turns dropout on for one call"),
    Deviation("missing_backbone",
              "fills in random values where a checkpoint lacks parts of the backbone",
              "raises ValueError and lists them; only heads and pooler may start "
              "fresh"),
    Deviation("default_dtype",
              "keeps the dtype of the file in from_pretrained",
              "loads float32 unless dtype says otherwise; converts half precision"),
    Deviation("low_cpu_mem_usage",
              "ignores low_cpu_mem_usage in from_pretrained",
              "ignores it too"),
    Deviation("config_in_full",
              "writes only the fields of config.json that a default would not give",
              "writes every field; to_json_file(path, use_diff=True) leaves those out"),
    Deviation("pickled_weights",
              "reads pytorch_model.bin",
              "refuses it, as pickle can run code: convert it to safetensors"),
    Deviation("resized_embeddings",
              "sets new rows to the mean of the old ones plus noise, 3e-5 of their "
              "spread",
              "sets them to exactly the mean"),
    Deviation("position_ids_of_one_axis",
              "needs two axes in position_ids",
              "also takes one, (T,)"),
    Deviation("no_layers",
              "returns empty hidden_states if num_hidden_layers is 0",
              "returns the embeddings in them"),
)
GENERATION = (
    Deviation("scores_in_the_model_s_dtype",
              "compares logits in float32 in generate",
              "compares them in the model's dtype: float64 decides a near tie in "
              "float64"),
    Deviation("decoder_with_encoder_states_and_cache",
              "needs use_cache=False if a decoder generates with encoder_hidden_states",
              "works with and without the cache"),
    Deviation("past_the_last_position",
              "warns when generate passes the last position, then fails in the "
              "embedding",
              "raises ValueError before any work"),
    Deviation("prompt_of_padding",
              "continues a prompt that is all padding",
              "raises ValueError"),
    Deviation("random_draws",
              "draws torch's random numbers",
              "draws NumPy's: other draws for one seed, the same distribution"),
    Deviation("crop",
              "refuses a positive number in DynamicCache.crop; drops nothing for 0",
              "keeps that many positions, none for 0; treats negative numbers alike"),
    Deviation("special_tokens_of_an_encoder_decoder",
              "fixes these tokens in generation_config when the model is built",
              "reads them from model.config in every call"),
    Deviation("decoder_start_token_id",
              "makes this argument of from_encoder_decoder_pretrained the decoder's "
              "start_token_id",
              "makes it a field of the joint configuration"),
    Deviation("unused_parameters",
              "returns None as the gradient of an encoder-decoder's encoder pooler",
              "returns zeros"),
    Deviation("settings_in_the_configuration",
              "moves settings of generation from config.json to generation_config when "
              "it loads a model",
              "leaves them there and reads them in every call, unless the model has a "
              "generation_config"),
    Deviation("settings_that_numbert_lacks",
              "applies all its settings from generation_config.json, and ignores "
              "unknown ones",
              "keeps those that it lacks, and generate refuses them by name; warns of "
              "unknown ones"),
    Deviation("embeddings_as_prompts",
              "takes inputs_embeds of another length than input_ids in a decoder's "
              "generate, and none without a cache",
              "raises ValueError for another length; a cache is not needed"),
)
SECTIONS = {"Models": MODELS, "Generation and encoder-decoders": GENERATION,
            "Tokenizers": TOKENIZERS, "Pipelines": PIPELINES}
DEVIATIONS = (*MODELS, *GENERATION, *TOKENIZERS, *PIPELINES)

if __name__ == "__main__":
    for title, rows in SECTIONS.items():
        print(f"# {title}\n")
        for name, theirs, ours in rows:
            print(f"{name}\n    transformers: {theirs}\n    numbert:      {ours}\n")
