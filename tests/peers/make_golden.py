#!/usr/bin/env python3
"""Makes golden vectors of tiny random models with transformers, for what tests/golden/models lacks.

    PEERS/run python3 tests/peers/make_golden.py OUT [CASE...]

Writes OUT/CASE/{config.json, model.safetensors, golden.safetensors, saliency.safetensors, greedy_ids.json}
and OUT/cases.json, laid out as tests/golden/models describes. A seed is tried until routing is decisive and
no greedy step is a near tie, so that ids can be compared exactly.
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
import transformers as tf
from safetensors.torch import save_file

torch.set_num_threads(1)

COMMON = dict(vocab_size=128, hidden_size=48, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
              pad_token_id=None, bos_token_id=None, eos_token_id=None)
QWEN3 = dict(COMMON, head_dim=16, num_hidden_layers=3, intermediate_size=64, moe_intermediate_size=16, num_experts=8,
             num_experts_per_tok=3)
MLA = dict(COMMON, num_key_value_heads=4, num_hidden_layers=3, intermediate_size=64, moe_intermediate_size=16,
           n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, kv_lora_rank=24, q_lora_rank=20,
           qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=16, first_k_dense_replace=1)

CASES = {
    "lfm2_moe-basic": (tf.Lfm2MoeConfig, dict(
        COMMON, num_hidden_layers=4, intermediate_size=64, moe_intermediate_size=16, num_experts=8,
        num_experts_per_tok=2, num_dense_layers=1, conv_L_cache=3, tie_word_embeddings=True, norm_eps=1e-5,
        layer_types=["conv", "full_attention", "conv", "full_attention"], routed_scaling_factor=1.4)),
    "lfm2_moe-conv-bias": (tf.Lfm2MoeConfig, dict(
        COMMON, num_hidden_layers=3, intermediate_size=64, moe_intermediate_size=16, num_experts=8,
        num_experts_per_tok=2, num_dense_layers=1, conv_L_cache=4, tie_word_embeddings=False, conv_bias=True,
        use_expert_bias=False, norm_topk_prob=False, layer_types=["conv", "conv", "full_attention"])),
    "lfm2_moe-plain": (tf.Lfm2MoeConfig, dict(  # what llama.cpp can say
        COMMON, num_hidden_layers=4, intermediate_size=64, moe_intermediate_size=16, num_experts=8,
        num_experts_per_tok=2, num_dense_layers=1, conv_L_cache=3, tie_word_embeddings=True, norm_eps=1e-5,
        layer_types=["conv", "full_attention", "conv", "full_attention"])),
    "glm4_moe-basic": (tf.Glm4MoeConfig, dict(
        COMMON, head_dim=16, num_hidden_layers=3, intermediate_size=64, moe_intermediate_size=16, n_routed_experts=8,
        num_experts_per_tok=2, n_shared_experts=1, first_k_dense_replace=1, n_group=2, topk_group=1,
        attention_bias=True, use_qk_norm=True, routed_scaling_factor=1.6, norm_topk_prob=True)),
    "glm4_moe-plain": (tf.Glm4MoeConfig, dict(  # what llama.cpp can say
        COMMON, head_dim=16, num_hidden_layers=3, intermediate_size=64, moe_intermediate_size=16, n_routed_experts=8,
        num_experts_per_tok=2, n_shared_experts=1, first_k_dense_replace=1, n_group=1, topk_group=1,
        attention_bias=True, use_qk_norm=True, routed_scaling_factor=1.6, norm_topk_prob=True)),
    "granitemoe-multipliers": (tf.GraniteMoeConfig, dict(
        COMMON, num_hidden_layers=2, intermediate_size=16, num_local_experts=6, num_experts_per_tok=2,
        embedding_multiplier=3.0, residual_multiplier=0.4, logits_scaling=2.5, attention_multiplier=0.2,
        attention_bias=True, tie_word_embeddings=True)),
    "mixtral-window": (tf.MixtralConfig, dict(
        COMMON, num_hidden_layers=2, intermediate_size=16, num_local_experts=4, num_experts_per_tok=2,
        sliding_window=5)),
    "qwen3_moe-bias-window-dense": (tf.Qwen3MoeConfig, dict(
        QWEN3, num_hidden_layers=4, attention_bias=True, use_sliding_window=True, sliding_window=6, max_window_layers=0,
        decoder_sparse_step=2, norm_topk_prob=False)),
    "qwen3_moe-yarn": (tf.Qwen3MoeConfig, dict(
        QWEN3, norm_topk_prob=True, rope_parameters=dict(
            rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16,
            beta_fast=4.0, beta_slow=1.0))),
    "qwen3_moe-llama3": (tf.Qwen3MoeConfig, dict(
        QWEN3, norm_topk_prob=True, rope_parameters=dict(
            rope_type="llama3", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=32,
            low_freq_factor=1.0, high_freq_factor=4.0))),
    "qwen3_moe-linear": (tf.Qwen3MoeConfig, dict(
        QWEN3, norm_topk_prob=True, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=3.0))),
    "qwen2_moe-normalised-dense": (tf.Qwen2MoeConfig, dict(
        COMMON, num_hidden_layers=3, intermediate_size=64, moe_intermediate_size=16,
        shared_expert_intermediate_size=24, num_experts=8, num_experts_per_tok=3, norm_topk_prob=True,
        mlp_only_layers=[1], qkv_bias=False)),
    "olmoe-clipped": (tf.OlmoeConfig, dict(
        COMMON, num_hidden_layers=2, intermediate_size=16, num_experts=8, num_experts_per_tok=3, clip_qkv=0.8,
        norm_topk_prob=True)),
    "deepseek_v2-normalised": (tf.DeepseekV2Config, dict(  # norm_topk_prob is ignored by the reference
        MLA, topk_method="greedy", routed_scaling_factor=1.7, norm_topk_prob=True)),
    "deepseek_v3-yarn-half": (tf.DeepseekV3Config, dict(
        MLA, n_group=2, topk_group=1, routed_scaling_factor=1.5, attention_bias=True, rope_interleave=False,
        norm_topk_prob=False, rope_parameters=dict(
            rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16,
            beta_fast=4.0, beta_slow=1.0, mscale=0.7, mscale_all_dim=0.9))),
    "qwen3_next-long": (tf.Qwen3NextConfig, dict(
        COMMON, head_dim=16, num_hidden_layers=2, layer_types=["linear_attention", "full_attention"],
        linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=12,
        linear_conv_kernel_dim=4, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=16, intermediate_size=64,
        shared_expert_intermediate_size=24, partial_rotary_factor=0.5)),
}
# Rows and tokens: DeltaNet's chunks have 64.
SHAPES = {"qwen3_next-long": (1, 150)}


def find(module, names):
    for name in names:
        if hasattr(module, name):
            return getattr(module, name)
    return None


class Watch:
    """What the layers compute, by the names of the golden files."""

    def __init__(self, model):
        self.tensors, self.calls, self.handles = {}, {}, []
        backbone = model.model
        for i, layer in enumerate(backbone.layers):
            mixer = find(layer, ["self_attn", "conv", "linear_attn"])
            block = find(layer, ["mlp", "feed_forward", "block_sparse_moe"])
            self.before(layer, f"hidden_states.{i}")
            self.after(mixer, f"attn_out.{i}")
            self.after(block, f"mlp_out.{i}")
            experts = find(block, ["experts"])
            router = find(block, ["gate", "router"])
            if router is not None and (experts is not None or hasattr(block, "input_linear")):
                self.handles.append(router.register_forward_pre_hook(
                    lambda m, a, i=i: self.calls.setdefault(i, {}).update(x=a[0].reshape(-1, a[0].shape[-1]))))
                if experts is not None:
                    self.handles.append(experts.register_forward_pre_hook(
                        lambda m, a, i=i: self.calls.setdefault(i, {}).update(  # not every router is called
                            x=a[0].reshape(-1, a[0].shape[-1]), selected=a[1], weights=a[2])))
        norm = find(backbone, ["norm", "embedding_norm"])
        self.before(norm, f"hidden_states.{len(backbone.layers)}")
        self.after(norm, "final_norm")

    def before(self, module, name):
        self.handles.append(module.register_forward_pre_hook(
            lambda m, a, k: self.tensors.__setitem__(name, (a[0] if a else k["hidden_states"]).detach().clone()),
            with_kwargs=True))

    def after(self, module, name):
        self.handles.append(module.register_forward_hook(
            lambda m, a, out: self.tensors.__setitem__(name, (out[0] if isinstance(out, tuple) else out).detach().clone())))

    def close(self):
        for handle in self.handles:
            handle.remove()


def expert_output(block, e, x):
    if hasattr(block, "input_linear"):  # granitemoe
        gate, up = F.linear(x, block.input_linear.weight[e]).chunk(2, -1)
        return F.linear(F.silu(gate) * up, block.output_linear.weight[e])
    gate, up = F.linear(x, block.experts.gate_up_proj[e]).chunk(2, -1)
    return F.linear(F.silu(gate) * up, block.experts.down_proj[e])


def routing(block, call, config):
    """Logits, sorted choice with weights, and the smallest gap between chosen and not chosen."""
    router = find(block, ["gate", "router"])
    weight = router.layer.weight if hasattr(router, "layer") else router.weight
    logits = F.linear(call["x"].float(), weight.float())
    if "selected" in call:
        selected, weights = call["selected"], call["weights"]
    else:
        top, selected = logits.topk(config.num_experts_per_tok, -1)
        weights = top.softmax(-1)
    selected, order = selected.sort(-1)
    weights = weights.gather(1, order)
    bias = find(router, ["e_score_correction_bias"])
    if bias is None:
        bias = find(block, ["expert_bias"])
    scores = logits if bias is None else logits.sigmoid() + bias
    chosen = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, selected, True)
    groups = getattr(config, "n_group", 1) or 1
    if groups > 1:  # experts of groups that lost do not compete
        parts = scores.view(len(scores), groups, -1)
        group_scores = parts.topk(2, -1)[0].sum(-1)
        gaps = group_scores.sort(-1, descending=True)[0]
        gap_of_groups = (gaps[:, config.topk_group - 1] - gaps[:, config.topk_group]).min()
        kept = chosen.view(len(scores), groups, -1).any(-1, keepdim=True).expand_as(parts).reshape_as(scores)
    else:
        gap_of_groups, kept = torch.tensor(9.0), torch.ones_like(chosen)
    low = scores.masked_fill(~chosen, 9e9).min(-1)[0]
    high = scores.masked_fill(chosen | ~kept, -9e9).max(-1)[0]
    return logits, selected, weights, min((low - high).min(), gap_of_groups).item()


def build(config_class, fields, seed):
    config = config_class(**fields)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    torch.manual_seed(seed)
    model = tf.AutoModelForCausalLM.from_config(config).float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in sorted({**dict(model.named_parameters()), **dict(model.named_buffers())}.items()):
            if "inv_freq" in name or not tensor.is_floating_point():
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            is_norm = "norm" in name and tensor.dim() == 1
            tensor.copy_(1 + 0.2 * noise if is_norm else noise * (0.2 if tensor.dim() > 1 else 0.3))
    return model


def greedy(model, prompt, steps):
    ids, margin = list(prompt), 9e9
    with torch.no_grad():
        for _ in range(steps):
            logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
            best = logits.topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            ids.append(best.indices[0].item())
    return ids[len(prompt):], margin


def run(model, ids):
    config = model.config
    watch = Watch(model)
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits
    watch.close()
    out = dict(watch.tensors, input_ids=ids, logits=logits)
    out["loss"] = F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1)).reshape(1)
    saliency, gap = {}, 9e9
    for i, layer in enumerate(model.model.layers):
        if i not in watch.calls:
            continue
        block = find(layer, ["mlp", "feed_forward", "block_sparse_moe"])
        with torch.no_grad():
            z, selected, weights, least = routing(block, watch.calls[i], config)
            gap = min(gap, least)
            out[f"router_logits.{i}"], out[f"router_topk_indices.{i}"], out[f"router_topk_weights.{i}"] = z, selected, weights
            experts = z.shape[1]
            count, ean, reap = torch.zeros(experts, dtype=torch.int64), torch.zeros(experts), torch.zeros(experts)
            for e in range(experts):
                tokens, place = (selected == e).nonzero(as_tuple=True)
                if len(tokens) == 0:
                    continue
                norms = expert_output(block, e, watch.calls[i]["x"][tokens]).norm(dim=-1)
                count[e], ean[e] = len(tokens), norms.sum()
                reap[e] = (weights[tokens, place] * norms).mean()
        saliency.update({f"frequency.{i}": count, f"ean_sum.{i}": ean, f"reap.{i}": reap})
    return out, saliency, gap


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = sys.argv[2:] or list(CASES)
    index = {}
    for name in wanted:
        config_class, fields = CASES[name]
        for seed in range(3000, 3400):
            model = build(config_class, fields, seed)
            ids = torch.randint(0, fields["vocab_size"], SHAPES.get(name, (2, 20)), generator=torch.Generator().manual_seed(seed + 7919))
            folder = root / name
            model.save_pretrained(folder)
            model = tf.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
            golden, saliency, gap = run(model, ids)
            generated, margin = greedy(model, ids[0, :8].tolist(), 24)
            whole = torch.tensor([ids[0, :8].tolist() + generated])
            gap = min(gap, run(model, whole)[2])
            if gap > 3e-4 and margin > 5e-3:
                break
        else:
            raise SystemExit(f"{name}: no seed is decisive (last gap {gap}, margin {margin})")
        contiguous = lambda tensors: {k: v.contiguous() for k, v in tensors.items()}
        save_file(contiguous(golden), folder / "golden.safetensors")
        save_file(contiguous(saliency), folder / "saliency.safetensors")
        (folder / "greedy_ids.json").write_text(json.dumps({
            "prompt_ids": ids[0, :8].tolist(), "generated_ids": generated, "max_new_tokens": 24,
            "min_argmax_margin": round(margin, 4)}, indent=1) + "\n")
        (folder / "generation_config.json").unlink(missing_ok=True)
        index[name] = {"model_type": model.config.model_type, "seed": seed, "min_router_selection_gap": gap,
                       "min_greedy_argmax_margin": margin, "max_abs_logit": golden["logits"].abs().max().item(),
                       "suggested_abs_tolerance": {"logits": 2e-4, "hidden": 2e-4, "router_logits": 2e-4,
                                                   "router_topk_weights": 5e-5, "loss": 2e-5}}
        print(name, index[name], flush=True)
    (root / "cases.json").write_text(json.dumps(index, indent=1) + "\n")


main()
