"""What transformers offers and numbert leaves out, and why.

One table serves every room: a name of an attribute or of an argument, and the reason
with the remedy.  A name that means something else elsewhere has its class before it.
tests/test_public_names.py walks the public names and signatures of transformers, and
fails on one that is neither in numbert nor here.
"""

# Settings of generation, each group with its reason.
GENERATION = (
    ("write it as a function of (ids, scores), and pass logits_processor=...",
     "bad_words_ids begin_suppress_tokens suppress_tokens encoder_no_repeat_ngram_size "
     "encoder_repetition_penalty epsilon_cutoff eta_cutoff "
     "exponential_decay_length_penalty forced_bos_token_id forced_eos_token_id "
     "guidance_scale min_p remove_invalid_values renormalize_logits sequence_bias "
     "token_healing top_h typical_p watermarking_config prefix_allowed_tokens_fn "
     "negative_prompt_ids negative_prompt_attention_mask"),
    ("write it as a function of (ids, scores), and pass stopping_criteria=...",
     "max_time stop_strings"),
    ("numbert has greedy search, sampling and plain beam search: leave it out",
     "constraints force_words_ids diversity_penalty num_beam_groups penalty_alpha "
     "dola_layers low_memory use_mtp"),
    ("one model writes one token at a time: leave it out",
     "assistant_model is_assistant assistant_confidence_threshold "
     "assistant_early_exit assistant_ensemble_weight assistant_lookbehind "
     "target_lookbehind num_assistant_tokens num_assistant_tokens_schedule "
     "prompt_lookup_num_tokens max_matching_ngram_size speculation_type "
     "get_generation_mode extra_output_flags"),
    ("the cache grows by itself: leave it out",
     "cache_config cache_implementation max_cache_len prefill_chunk_size "
     "continuous_batching_config"),
)
REASONS = (
    *GENERATION,
    ("numbert does not upload: save_pretrained(folder), then "
     "huggingface_hub.upload_folder",
     "push_to_hub model_tags add_model_tags tags repo_id commit_message private token "
     "create_pr"),
    ("huggingface_hub fetches the files: set its environment variables",
     "mirror resume_download tqdm_class"),
    ("numbert reads model.safetensors and its shards: load any other file in "
     "transformers, and save it with save_pretrained",
     "variant from_tf from_flax"),
    ("a NumPy model keeps what backward needs and recomputes nothing: split the batch "
     "to save memory",
     "gradient_checkpointing_enable gradient_checkpointing_disable "
     "is_gradient_checkpointing supports_gradient_checkpointing "
     "activation_checkpointing_enable activation_checkpointing_disable "
     "is_activation_checkpointing enable_input_require_grads "
     "disable_input_require_grads"),
    ("a NumPy model is in the memory of one process: leave it out",
     "device_map max_memory offload_folder offload_state_dict offload_buffers tp_plan "
     "tp_size pp_plan ep_plan fsdp_plan fsdp_size device_mesh distributed_config "
     "init_parallel_plans "
     "prepare_distribute_model maybe_distribute_model supports_tp_plan "
     "supports_pp_plan supports_context_parallel save_distributed_checkpoint "
     "distributed_checkpoint should_save_on_this_rank is_main_process "
     "gather_sharded_state_dict_for_save barrier_after_gathered_checkpoint_save "
     "is_distributed_loading_by_transformers synced_gpus ddp_cache_data offload "
     "prefetch offloading offload_only_non_sliding base_model_tp_plan "
     "base_model_pp_plan base_model_ep_plan base_model_fsdp_plan"),
    ("numbert computes in float32 and float64 only: load the checkpoint in its own "
     "precision",
     "quantization_config load_in_8bit load_in_4bit dequantize"),
    ("numbert has no adapters: merge them into the weights with peft, then save",
     "active_adapters add_adapter delete_adapter disable_adapters enable_adapters "
     "enable_peft_hotswap get_adapter_state_dict load_adapter set_adapter "
     "adapter_name "
     "adapter_kwargs save_peft_format"),
    ("numbert runs no code out of a checkpoint: leave it out",
     "trust_remote_code code_revision custom_generate load_custom_generate "
     "register_for_auto_class is_custom_code is_remote_code"),
    ("numbert has one implementation, of which every value can be read: leave it out",
     "use_kernels set_use_kernels kernel_config get_compiled_call is_compileable "
     "compile_config disable_compile is_backend_compatible experts_implementation "
     "set_experts_implementation get_experts_implementation "
     "set_attn_implementation allow_all_kernels "
     "get_correct_experts_implementation get_correct_attn_implementation "
     "fusion_config"),
    ("BERT has no chat template: pass plain text",
     "apply_chat_template chat_template get_chat_template save_chat_templates "
     "encode_message_with_chat_template get_response_parser parse_response "
     "response_template response_schema chat_control_tokens save_jinja_files"),
    ("BERT's positions are a learned table, not rotary: leave it out",
     "rope_scaling rope_parameters convert_rope_params_to_dict default_rope_type "
     "default_theta nested_rope_parameter_keys ignore_keys_at_rope_validation "
     "standardize_rope_params validate_rope"),
    ("every layer of BERT is alike: leave it out",
     "allow_global_per_layer_attribute_access per_layer_attributes per_layer_config "
     "serialize_explicit_per_layer_config is_heterogeneous validate_layer_type"),
    ("numbert's pipelines read text: leave it out",
     "feature_extractor image_processor video_processor processor modelcard"),
    ("each task has one pipeline, in NumPy and in this process: leave it out",
     "pipeline_class framework num_workers binary_output args_parser use_fast"),
    ("text-generation continues plain texts: pass them, and eos_token_id, "
     "max_new_tokens and tokenizer_kwargs",
     "return_text return_type handle_long_generation stop_sequence tools documents "
     "continue_final_message tokenizer_encode_kwargs"),
    ("the tokenizer gives the offsets itself: leave it out", "offset_mapping"),
    ("it belongs to the inner workings of transformers: leave it out",
     "can_record_outputs retrieve_modules_from_names get_init_context post_init "
     "initialize_weights mark_tied_weights_as_initialized "
     "get_expanded_tied_weights_keys adjust_generation_fn recompute_mapping "
     "smart_apply allow_custom_entries defaults_only ignore_metadata "
     "keys_to_pop strict user_set_attributes "
     "missing_keys save_original_format weights_only disable_mmap "
     "named_non_persistent_buffers get_parameter_or_buffer key_mapping "
     "default_config_fields dict_dtype_to_str extra_config_files extra_files "
     "get_mtp_config sub_configs sub_configs_defaults base_config_key "
     "dummy_inputs loss_function input_modalities output_modalities get_text_config "
     "warn_if_padding_and_no_attention_mask attribute_map get_config_dict validate "
     "validate_architecture validate_output_attentions validate_token_ids "
     "generation_config_class get_decoder get_encoder set_decoder set_encoder "
     "slow_tokenizer_class can_save_slow_tokenizer convert_to_native_format "
     "pretrained_vocab_files_map convert_added_tokens prepare_for_tokenization "
     "backend files_loaded is_local processor_class deprecation_warnings init_inputs "
     "tokens_trie total_vocab_size token_type_ids_pattern "
     "token_type_ids_include_special_tokens special_tokens_pattern "
     "post_processor tokenizer_padding tokenizer_truncation"),
    ("BERT's table of positions has one length: load with another config",
     "get_position_embeddings resize_position_embeddings"),
    ("fresh parameters are drawn when a model is made: Model(config, rng=seed)",
     "init_weights"),
    ("the parameters are all there is: sum(x.nbytes for x in model.params.values())",
     "get_memory_footprint"),
    ("an untied table is one of the parameters: replace "
     "model.params['cls.predictions.decoder.weight']",
     "set_output_embeddings"),
    ("a configuration takes a dictionary: config.update({...})",
     "update_from_string"),
    ("it is the old name of return_dict: use that", "use_return_dict"),
    ("an encoder-decoder's settings are those of its halves: use config.encoder and "
     "config.decoder",
     "EncoderDecoderConfig.architectures "
     "EncoderDecoderConfig.chunk_size_feed_forward EncoderDecoderConfig.dtype "
     "EncoderDecoderConfig.id2label EncoderDecoderConfig.label2id "
     "EncoderDecoderConfig.num_labels EncoderDecoderConfig.output_hidden_states "
     "EncoderDecoderConfig.problem_type EncoderDecoderConfig.return_dict "
     "EncoderDecoderConfig.torch_dtype EncoderDecoderConfig.transformers_version "
     "EncoderDecoderConfig.update EncoderDecoderConfig.is_encoder_decoder"),
    ("EncoderDecoderModel reads and writes the file: use its from_pretrained and "
     "save_pretrained",
     "EncoderDecoderConfig.cache_dir EncoderDecoderConfig.force_download "
     "EncoderDecoderConfig.local_files_only "
     "EncoderDecoderConfig.pretrained_model_name_or_path "
     "EncoderDecoderConfig.revision EncoderDecoderConfig.from_dict "
     "EncoderDecoderConfig.from_json_file EncoderDecoderConfig.name_or_path "
     "EncoderDecoderConfig.save_pretrained EncoderDecoderConfig.to_diff_dict "
     "EncoderDecoderConfig.to_json_file EncoderDecoderConfig.use_diff"),
    ("each half has a vocabulary and sizes of its own: load the halves, then join them",
     "EncoderDecoderModel.ignore_mismatched_sizes EncoderDecoderModel.state_dict"),
    ("generate serves one batch at a call: call it for each",
     "generate_batch continuous_batching_context_manager init_continuous_batching "
     "destroy_cached_continuous_batching_manager"),
    ("ask generate for output_scores, and work with what it returns",
     "compute_transition_scores"),
    ("a prompt is continued from its last token as it is: leave it out",
     "heal_tokens prepare_inputs_for_generation"),
    ("pass the prompts as input_ids", "inputs"),
    ("a cache is a list of layers, which hold all positions seen: look into it",
     "activate_past_recording batch_size check_dynamic_cache early_initialization "
     "get_conv_state get_mask_sizes get_max_length get_query_offset "
     "get_recurrent_state has_previous_state is_croppable is_dummy is_initialized "
     "is_linear is_recording_past is_sliding update_conv_state update_indexer "
     "update_recurrent_state"),
    ("crop(n) keeps the first n positions, and crop(-n) drops the last n",
     "tokens_to_remove"),
    ("numbert's models are not torch modules: read and change model.params, a dict of "
     "arrays, or use model.to_torch().as_module()",
     "T_destination add_module apply bfloat16 buffers call_super_init children compile "
     "cpu cuda double dump_patches extra_repr float get_buffer get_extra_state "
     "get_parameter "
     "get_submodule half ipu load_state_dict modules mtia named_buffers "
     "named_children named_modules parameters register_backward_hook "
     "register_buffer "
     "register_forward_hook register_forward_pre_hook register_full_backward_hook "
     "register_full_backward_pre_hook register_load_state_dict_post_hook "
     "register_load_state_dict_pre_hook register_module register_parameter "
     "register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ "
     "set_extra_state set_submodule share_memory to to_empty type xpu zero_grad"),
    ("call the tokenizer itself", "encode_plus"),
    ("call the tokenizer itself with a list", "batch_encode_plus"),
    ("call the tokenizer on text, or use BertTokenizerLegacy",
     "prepare_for_model build_inputs_with_special_tokens "
     "create_token_type_ids_from_sequences"),
    ("pass truncation=..., or use BertTokenizerLegacy", "truncate_sequences"),
    ("use extra_special_tokens", "additional_special_tokens"),
    ("it belongs to the Rust tokenizer in transformers, and numbert has no Rust "
     "tokenizer inside: call the tokenizer itself",
     "backend_tokenizer BertTokenizer.decoder BertTokenizer.model "
     "set_truncation_and_padding "
     "update_post_processor"),
    ("BERT's rows begin with [CLS] and end with [SEP]: use cls_token and sep_token",
     "add_bos_token add_eos_token"),
    ("only BertTokenizerLegacy keeps words whole: use it, or add_tokens",
     "never_split"),
    ("BERT's vocabulary is WordPiece: leave it out",
     "merges add_prefix_space gguf_file fix_mistral_regex "
     "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"),
    ("numbert reads and writes only Hugging Face's format: leave it out",
     "save_format"),
    ("numbert logs nothing when it loads: leave it out", "verbose"),
    ("huggingface_hub takes them from the environment: set HTTPS_PROXY", "proxies"),
    ("numbert has no global random state: pass rng= or seed= to what draws at random",
     "set_seed"),
)
ABSENT = {name: reason for reason, names in REASONS for name in names.split()}
GENERATION_NAMES = {name for _, names in GENERATION for name in names.split()}


def no_attribute(owner: str, name: str) -> AttributeError:
    """Return the error for an attribute that `owner` does not have.

    For use in __getattr__: raise no_attribute(type(self).__name__, name)
    """
    remedy = ABSENT.get(f"{owner}.{name}", ABSENT.get(name))
    if remedy is None:
        return AttributeError(f"{owner!r} object has no attribute {name!r}")
    return AttributeError(f"{owner} has no {name}, on purpose: {remedy}")


def refuse_arguments(function: str, given: dict, expected) -> None:
    """Raise TypeError if `given` holds keyword arguments that the function lacks.

    An argument of transformers that is None or False asks for nothing, so it passes.

    Args:
        function: its name, as a user calls it.
        given: what its ** caught.
        expected: the names of the arguments that it takes.
    """
    for name, value in given.items():
        if name not in ABSENT:
            raise TypeError(f"{function} has no argument {name}, expected one of "
                            f"{', '.join(expected)}: check the spelling")
        if value is not None and value is not False:
            raise TypeError(f"{function} takes no {name}, on purpose: {ABSENT[name]}")
