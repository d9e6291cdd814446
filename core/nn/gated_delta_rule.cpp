#include "nn/gated_delta_rule.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/cancel.h"

namespace espalier {
namespace {

constexpr std::int64_t kChunk = 64;

/// How much of what was there is left, within a chunk; [value_heads, ...], all in (0, 1].
struct Decays {
    torch::Tensor between;     ///< [heads, i, j], from after token j to token i; 0 for j > i
    torch::Tensor from_start;  ///< [heads, i, 1], from the chunk's first state to token i
    torch::Tensor to_end;      ///< [heads, i, 1], from token i to the chunk's last state
};

Decays decays_of(const torch::Tensor& log_decay) {
    const std::int64_t length = log_decay.size(1);
    const torch::Tensor total = log_decay.to(torch::kFloat64).cumsum(1);
    const torch::Tensor future = torch::ones({length, length}, torch::kBool).triu(1);
    const torch::Tensor between = (total.unsqueeze(2) - total.unsqueeze(1))
                                      .to(torch::kFloat32)
                                      .masked_fill(future, -std::numeric_limits<float>::infinity());
    const torch::Tensor last = total.narrow(1, length - 1, 1);
    return {.between = between.exp(),
            .from_start = total.to(torch::kFloat32).exp().unsqueeze(2),
            .to_end = (last - total).to(torch::kFloat32).exp().unsqueeze(2)};
}

/// Each key head as often as value heads use it.
torch::Tensor for_value_heads(const torch::Tensor& of_key_heads, std::int64_t value_heads) {
    const std::int64_t uses = value_heads / of_key_heads.size(0);
    return uses == 1 ? of_key_heads : of_key_heads.repeat_interleave(uses, 0);
}

/// Moves `state` over one chunk. @return [value_heads, length, value_dim]
torch::Tensor run_chunk(const DeltaRuleInput& chunk, torch::Tensor& state) {
    const std::int64_t heads = chunk.v.size(0);
    const torch::Tensor keys = chunk.k.transpose(1, 2);
    const Decays decays = decays_of(chunk.log_decay);
    const torch::Tensor beta = chunk.beta.unsqueeze(2);
    const torch::Tensor q = for_value_heads(chunk.q, heads);
    const torch::Tensor k = for_value_heads(chunk.k, heads);
    const torch::Tensor k_by_k = for_value_heads(torch::bmm(chunk.k, keys), heads);
    const torch::Tensor q_by_k = for_value_heads(torch::bmm(chunk.q, keys), heads);

    // u_i + beta_i sum over j < i of between_ij (k_i.k_j) u_j = beta_i (v_i - what S says of k_i)
    const torch::Tensor system = k_by_k * decays.between * beta;
    const torch::Tensor target = beta * (chunk.v - decays.from_start * torch::bmm(k, state));
    const torch::Tensor u = torch::linalg_solve_triangular(system, target, /*upper=*/false,
                                                           /*left=*/true, /*unitriangular=*/true);
    const torch::Tensor out =
        decays.from_start * torch::bmm(q, state) + torch::bmm(q_by_k * decays.between, u);
    const torch::Tensor kept = decays.from_start.narrow(1, chunk.v.size(1) - 1, 1) * state;
    state = torch::baddbmm(kept, (k * decays.to_end).transpose(1, 2), u);
    return out;
}

}  // namespace

torch::Tensor gated_delta_rule(const DeltaRuleInput& input, const std::stop_token& stop) {
    const std::int64_t length = input.v.size(1);
    torch::Tensor state = torch::zeros({input.v.size(0), input.k.size(2), input.v.size(2)});
    std::vector<torch::Tensor> chunks;
    for (std::int64_t begin = 0; begin < length; begin += kChunk) {
        throw_if_stopped(stop);
        const std::int64_t size = std::min(kChunk, length - begin);
        const auto part = [&](const torch::Tensor& whole) { return whole.narrow(1, begin, size); };
        chunks.push_back(run_chunk({.q = part(input.q),
                                    .k = part(input.k),
                                    .v = part(input.v),
                                    .beta = part(input.beta),
                                    .log_decay = part(input.log_decay)},
                                   state));
    }
    return chunks.size() == 1 ? chunks.front() : torch::cat(chunks, 1);
}

}  // namespace espalier
