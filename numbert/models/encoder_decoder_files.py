"""How an EncoderDecoderModel is loaded and saved, here or in transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..system import checkpoint, saving
from ..system.absent import refuse_arguments
from ..system.numbers import generator
from .backend import torch_options
from .classes import BertLMHeadModel, BertModel
from .encoder_decoder_config import EncoderDecoderConfig, check_fields
from .generation_config import read_generation_config, write_generation_config
from .halves import check_report, half, under
from .params import loaded_dtype
from .weights import ModuleNames, check_layers, check_safetensors


class EncoderDecoderFiles(ModuleNames):
    """What of an EncoderDecoderModel deals with checkpoints."""

    @classmethod
    def from_encoder_decoder_pretrained(
            cls: Any, encoder_pretrained_model_name_or_path=None,
            decoder_pretrained_model_name_or_path=None, *, dtype="float32", rng=0,
            decoder_start_token_id=None, **options):
        """Start both halves from checkpoints, each of any BERT.

        Args:
            encoder_pretrained_model_name_or_path, decoder_...: directories or hub
                names, see BertModel.from_pretrained.
            dtype: of both halves.
            rng: seed or Generator of what starts fresh: the cross-attention, and the
                LM head if the decoder's checkpoint has none.
            decoder_start_token_id: a field of the joint configuration.
            **options: `encoder_...` and `decoder_...` go to from_pretrained of that
                half, apart from encoder_model and decoder_model, which are models to
                use as they are.  All others become fields of the joint configuration.
        """
        others = {name: value for name, value in options.items()
                  if not name.startswith(("encoder_", "decoder_"))}
        check_fields("from_encoder_decoder_pretrained", others)
        rng = generator(rng)
        encoder = half(BertModel, encoder_pretrained_model_name_or_path, False,
                       under("encoder_", options), dtype, rng)
        decoder = half(BertLMHeadModel, decoder_pretrained_model_name_or_path, True,
                       under("decoder_", options), dtype, rng)
        config = EncoderDecoderConfig.from_encoder_decoder_configs(
            encoder.config, decoder.config,
            decoder_start_token_id=decoder_start_token_id, **others)
        return cls(config, encoder, decoder)

    @classmethod
    def from_pretrained(cls: Any, pretrained_model_name_or_path, *, config=None,
                        dtype="float32", revision=None, cache_dir=None,
                        local_files_only=False, token=None, subfolder="",
                        force_download=False, use_safetensors=None,
                        attn_implementation=None, torch_dtype=None, device=None,
                        **changes):
        """Load what save_pretrained wrote, here or in transformers.

        Args:
            config: an EncoderDecoderConfig to use instead of the checkpoint's own.
            **changes: fields to change in the checkpoint's.
            All others: see BertPreTrainedModel.from_pretrained.

        Raises:
            OSError, ValueError: the checkpoint is absent, damaged or of another kind.
            TypeError: an argument that does not exist.
        """
        from ..system.hub import resolve
        torch = torch_options(device, torch_dtype or dtype, attn_implementation)
        check_safetensors("use_safetensors", use_safetensors)
        directory = resolve(
            pretrained_model_name_or_path, BertLMHeadModel.files, revision=revision,
            cache_dir=cache_dir, local_files_only=local_files_only, token=token,
            subfolder=subfolder, force_download=force_download)
        if config is None:
            config = EncoderDecoderConfig.from_pretrained(directory, **changes)
        elif changes:
            raise ValueError("config is given together with changes to it "
                             f"({', '.join(sorted(changes))}), expected only one of "
                             "these: change the config first")
        stored = checkpoint.inventory(directory)
        for part in (config.encoder, config.decoder):
            check_layers(directory, part, stored)
        dtype = loaded_dtype(torch_dtype or dtype, config, stored, torch)
        model = cls(config, dtype=dtype)
        loaded, report = checkpoint.load(
            directory, model.shapes, dtype=dtype, base_prefix="bert.",
            aliases=model.aliases, stored=stored)
        check_report(directory, report)
        model.params = model.params | loaded
        model.generation_config = read_generation_config(directory)
        return model if torch is None else model.to_torch(**torch)

    def save_pretrained(self, save_directory, *, max_shard_size="50GB",
                        safe_serialization=True, **others) -> None:
        """Write config.json and model.safetensors, which transformers loads too.

        The arguments are those of BertPreTrainedModel.save_pretrained.
        """
        refuse_arguments("save_pretrained", others, (
            "save_directory", "max_shard_size", "safe_serialization"))
        check_safetensors("safe_serialization", safe_serialization)
        params = self.backend.arrays(dict(self.params))
        dtype = next(iter(params.values())).dtype
        config = EncoderDecoderConfig(**{
            **self.config.to_dict(), "architectures": [type(self).__name__],
            "dtype": str(dtype)})
        saving.save(Path(save_directory), params,
                    config_text=config.to_json_string(), max_shard_size=max_shard_size)
        write_generation_config(save_directory, self.generation_config)
