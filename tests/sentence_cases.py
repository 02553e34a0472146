"""Small checkpoints in the styles that sentence-transformers finds on the hub.

The same for the live comparison and for the values in tests/golden/sentences.json.
"""

import json

import numpy as np
from safetensors.numpy import save_file

import numbert
from common import config, stressed

WORDS = """a man is eating plate of pasta some one has meal the rain falls query passage
: Man Rain""".split()
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##ing"]
TEXTS = ["a man is eating", "some one has a meal", "rain", "", "unheard words [MASK]",
         "the Man is eating a plate of pasta and has some one", "a Rain falls"]
OLD, NEW = "sentence_transformers.models.", "sentence_transformers.base.modules."

# name -> the modules after the Transformer, as (class, config, shapes of its weights);
# sentence_bert_config.json; config_sentence_transformers.json; the tokenizer's options.
CASES = {
    "labse": ([
        ("Pooling", {"word_embedding_dimension": 12, "pooling_mode_cls_token": True,
                     "pooling_mode_mean_tokens": False}, {}),
        ("Dense", {"in_features": 12, "out_features": 7, "bias": True,
                   "activation_function": "torch.nn.modules.activation.Tanh"},
         {"linear.weight": (7, 12), "linear.bias": (7,)}),
        ("Normalize", None, {})],
        {"max_seq_length": 9, "do_lower_case": False}, {}, {}),
    "e5": ([
        ("Pooling", {"word_embedding_dimension": 12, "pooling_mode_mean_tokens": True},
         {}), ("Normalize", {}, {})], {"max_seq_length": 11},
        {"prompts": {"query": "query : ", "passage": "passage : "},
         "default_prompt_name": "passage", "similarity_fn_name": "cosine"}, {}),
    "instructor": ([
        ("Pooling", {"embedding_dimension": 12, "pooling_mode": "mean",
                     "include_prompt": False}, {}),
        ("Dense", {"in_features": 12, "out_features": 5, "bias": False,
                   "activation_function": "torch.nn.modules.linear.Identity"},
         {"linear.weight": (5, 12)}),
        ("Normalize", {}, {})], {"max_seq_length": 8},
        {"prompts": {"query": "the meal : "}}, {}),
    "matryoshka": ([
        ("Pooling", {"embedding_dimension": 12, "pooling_mode": "cls"}, {}),
        ("Dropout", {"dropout": 0.5}, {}),
        ("LayerNorm", {"dimension": 12}, {"norm.weight": (12,), "norm.bias": (12,)}),
        ("Normalize", {"module_input_name": "sentence_embedding",
                       "module_output_name": "sentence_embedding"}, {})],
        {"max_seq_length": None}, {"truncate_dim": 5, "default_prompt_name": None}, {}),
    "everything": ([
        ("Pooling", {"embedding_dimension": 12, "include_prompt": False,
                     "pooling_mode": ["lasttoken", "weightedmean", "max", "cls",
                                      "mean_sqrt_len_tokens", "mean"]}, {}),
        ("Normalize", None, {}),
        ("Dense", {"in_features": 72, "out_features": 11, "use_residual": True,
                   "activation_function": "torch.nn.modules.activation.GELU"},
         {"linear.weight": (11, 72), "linear.bias": (11,),
          "residual.weight": (11, 72)}),
        ("Dense", {"in_features": 11, "out_features": 11, "use_residual": True,
                   "activation_function": "torch.nn.modules.activation.Mish"},
         {"linear.weight": (11, 11), "linear.bias": (11,)})],
        {"max_seq_length": 6, "do_lower_case": True, "unpad_inputs": None,
         "transformer_task": "feature-extraction"},
        {"prompts": {"query": "query : ", "long": "a man is eating a plate of pasta"}},
        {"do_lower_case": False}),
    "old": ([
        ("Pooling", {"word_embedding_dimension": 12, "pooling_mode_cls_token": True,
                     "pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False,
                     "pooling_mode_mean_sqrt_len_tokens": True,
                     "pooling_mode_lasttoken": True}, {})], {}, {}, {}),
}
# Every prompt of a case: none named, and each name.
ASKED = [(name, prompt) for name, (_, _, model, _) in CASES.items()
         for prompt in (None, *model.get("prompts", ()))]


def saved(path, name):
    """Write the checkpoint `name` of CASES into a folder."""
    modules, text, model, options = CASES[name]
    rng = np.random.default_rng(len(name))
    cfg = config(vocab_size=len(VOCAB))
    bert = stressed(numbert.BertModel, cfg, "float32", 3)
    bert.save_pretrained(path)
    numbert.BertTokenizer({token: i for i, token in enumerate(VOCAB)}, **options,
                          model_max_length=10).save_pretrained(path)
    entries = [{"idx": 0, "name": "0", "path": "", "type": OLD + "Transformer"}]
    for i, (kind, settings, shapes) in enumerate(modules, 1):
        folder = path / f"{i}_{kind if name != 'old' else 'Any.name'}"
        folder.mkdir()
        entries.append({"idx": i, "name": str(i), "path": folder.name,
                        "type": OLD + kind})
        if settings is not None:
            (folder / "config.json").write_text(json.dumps(settings))
        if shapes:
            save_file({key: rng.standard_normal(shape).astype("float32")
                       for key, shape in shapes.items()}, folder / "model.safetensors")
    for file, content in (("modules.json", entries),
                          ("sentence_bert_config.json", text),
                          ("config_sentence_transformers.json", model)):
        (path / file).write_text(json.dumps(content))
    return path


def vectors(path, prompt_name=None, **options):
    """What numbert makes of TEXTS, float32."""
    settings = numbert.sentence_settings(path)
    if prompt_name is not None:
        settings["prompt_name"] = prompt_name
    return numbert.embed(numbert.BertModel.from_pretrained(path),
                         numbert.BertTokenizer.from_pretrained(path), TEXTS,
                         batch_size=3, **{**settings, **options})
