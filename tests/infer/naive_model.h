#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "model/model_source.h"
#include "model/rope_frequencies.h"

namespace espalier {

/// The formulas of every family written down plainly, in double, one sequence at a time and without
/// a cache: what the engine is compared with where no golden vector shows a setting.
class NaiveModel {
public:
    using Row = std::vector<double>;
    using Rows = std::vector<Row>;

    /// Experts (layer, number) that give one vector, whatever their input.
    std::map<std::pair<std::int32_t, std::int32_t>, Row> replaced;

    explicit NaiveModel(const ModelSource& source) : source_(source), config_(source.config()) {}

    /// Logits [tokens, vocab].
    Rows forward(std::span<const std::int32_t> tokens) {
        layer_ = -1;
        const Rows table = matrix(TensorRole::TokenEmbedding);
        Rows hidden;
        for (const std::int32_t id : tokens) {
            hidden.push_back(table[static_cast<std::size_t>(id)]);
            for (double& value : hidden.back()) value *= config_.embedding_multiplier;
        }
        for (const LayerConfig& layer : config_.layers) {
            ++layer_;
            add(mix(layer, normalise(hidden, TensorRole::AttentionNorm)), hidden);
            const Rows normed = normalise(hidden, TensorRole::FeedForwardNorm);
            Rows out;
            for (const Row& x : normed) {
                out.push_back(layer.feed_forward == FeedForwardKind::Moe ? moe(x) : dense(x));
            }
            add(out, hidden);
        }
        layer_ = -1;
        const Rows normed = normalise(hidden, TensorRole::OutputNorm);
        const bool is_tied = !source_.has({TensorRole::Output});
        Rows logits = linear(is_tied ? TensorRole::TokenEmbedding : TensorRole::Output, normed);
        for (Row& row : logits) {
            for (double& value : row) value /= config_.logits_divisor;
        }
        return logits;
    }

private:
    static double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
    static double silu(double x) { return x * sigmoid(x); }
    static std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }
    static double dot(const Row& a, const Row& b) {
        return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
    }
    static Row part(const Row& row, std::size_t first, std::size_t size) {
        const auto begin = row.begin() + static_cast<std::ptrdiff_t>(first);
        return {begin, begin + static_cast<std::ptrdiff_t>(size)};
    }
    static void softmax(Row& x) {
        const double peak = *std::max_element(x.begin(), x.end());
        double sum = 0;
        for (double& value : x) sum += value = std::exp(value - peak);
        for (double& value : x) value /= sum;
    }

    Row vector(TensorRole role, std::int32_t expert = -1) const {
        const TensorKey key{role, layer_, expert};
        std::vector<float> values(num_elements(source_.shape(key)).value());
        source_.decode(key, values);
        return {values.begin(), values.end()};
    }
    Rows matrix(TensorRole role, std::int32_t expert = -1) const {
        const auto columns = count(source_.shape({role, layer_, expert}).at(1));
        const Row values = vector(role, expert);
        Rows rows;
        for (std::size_t i = 0; i < values.size(); i += columns) {
            rows.push_back(part(values, i, columns));
        }
        return rows;
    }
    bool has(TensorRole role, std::int32_t expert = -1) const {
        return source_.has({role, layer_, expert});
    }
    Row linear(TensorRole role, const Row& x, std::int32_t expert = -1) const {
        return linear(role, Rows{x}, expert).front();
    }
    Rows linear(TensorRole role, const Rows& x, std::int32_t expert = -1) const {
        const Rows weights = matrix(role, expert);
        Rows out;
        for (const Row& row : x) {
            out.emplace_back();
            for (const Row& weight : weights) out.back().push_back(dot(weight, row));
        }
        return out;
    }
    void add_bias(TensorRole role, Row& row, std::int32_t expert = -1) const {
        if (!has(role, expert)) return;
        const Row bias = vector(role, expert);
        for (std::size_t i = 0; i < row.size(); ++i) row[i] += bias[i];
    }
    void add_bias(TensorRole role, Rows& rows) const {
        for (Row& row : rows) add_bias(role, row);
    }
    static void rms_norm(std::span<double> x, const Row& weight, double eps) {
        double sum = 0;
        for (const double value : x) sum += value * value;
        const double factor = 1.0 / std::sqrt(sum / static_cast<double>(x.size()) + eps);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] *= factor * weight[i];
    }
    Rows normalise(Rows rows, TensorRole role) const {
        const Row weight = vector(role);
        for (Row& row : rows) rms_norm(row, weight, config_.rms_norm_eps);
        return rows;
    }
    void add(const Rows& x, Rows& hidden) const {
        for (std::size_t t = 0; t < x.size(); ++t) {
            for (std::size_t i = 0; i < x[t].size(); ++i) {
                hidden[t][i] += config_.residual_multiplier * x[t][i];
            }
        }
    }

    void rotate(std::span<double> head, std::size_t position) const {
        const RopeConfig& rope = config_.attention.rope;
        const auto frequencies = rope_frequencies(rope);
        for (std::size_t i = 0; i < frequencies.size(); ++i) {
            const double angle = static_cast<double>(position) * frequencies[i];
            const bool pairs = rope.style == RopeStyle::Pairs;
            double& a = head[pairs ? 2 * i : i];
            double& b = head[pairs ? 2 * i + 1 : i + frequencies.size()];
            const double c = std::cos(angle) * rope.attention_factor;
            const double s = std::sin(angle) * rope.attention_factor;
            const double turned = a * c - b * s;
            b = b * c + a * s;
            a = turned;
        }
    }

    Rows mix(const LayerConfig& layer, const Rows& x) const {
        switch (layer.mixer) {
            case MixerKind::LatentAttention:
                return latent_attention(x);
            case MixerKind::DeltaNet:
                return delta_net(x);
            case MixerKind::ShortConvolution:
                return short_convolution(x);
            case MixerKind::FullAttention:
            case MixerKind::SlidingAttention:
                break;
        }
        return attention(x, layer.sliding_window);
    }

    /// Of one query over keys, each already a row of its head.
    Row attend(const Row& query, const Rows& keys, const Rows& values, std::size_t first,
               const double* sink) const {
        Row scores;
        for (std::size_t j = first; j < keys.size(); ++j) {
            scores.push_back(dot(query, keys[j]) * config_.attention.scale);
        }
        if (sink != nullptr) scores.push_back(*sink);
        softmax(scores);
        Row out(values.front().size());
        for (std::size_t j = first; j < keys.size(); ++j) {
            for (std::size_t d = 0; d < out.size(); ++d) out[d] += scores[j - first] * values[j][d];
        }
        return out;
    }

    void prepare_head(std::span<double> head, TensorRole norm, std::size_t position) const {
        const AttentionConfig& config = config_.attention;
        if (config.qk_norm == QkNorm::PerHead) rms_norm(head, vector(norm), config_.rms_norm_eps);
        if (config.clip_qkv > 0) {
            for (double& v : head) v = std::clamp(v, -config.clip_qkv, config.clip_qkv);
        }
        rotate(head, position);
    }

    Rows attention(const Rows& x, std::int64_t window) const {
        const AttentionConfig& config = config_.attention;
        const std::size_t dim = count(config.head_dim);
        const std::size_t stride = dim * (config.has_output_gate ? 2 : 1);
        Rows q = linear(TensorRole::AttentionQ, x);
        Rows k = linear(TensorRole::AttentionK, x);
        Rows v = linear(TensorRole::AttentionV, x);
        add_bias(TensorRole::AttentionQBias, q);
        add_bias(TensorRole::AttentionKBias, k);
        add_bias(TensorRole::AttentionVBias, v);
        for (std::size_t t = 0; t < x.size(); ++t) {
            if (config.qk_norm == QkNorm::Whole) {
                rms_norm(q[t], vector(TensorRole::AttentionQNorm), config_.rms_norm_eps);
                rms_norm(k[t], vector(TensorRole::AttentionKNorm), config_.rms_norm_eps);
            }
            for (std::size_t h = 0; h < q[t].size(); h += stride) {
                prepare_head(std::span(q[t]).subspan(h, dim), TensorRole::AttentionQNorm, t);
            }
            for (std::size_t h = 0; h < k[t].size(); h += dim) {
                prepare_head(std::span(k[t]).subspan(h, dim), TensorRole::AttentionKNorm, t);
            }
            if (config.clip_qkv > 0) {
                for (double& e : v[t]) e = std::clamp(e, -config.clip_qkv, config.clip_qkv);
            }
        }
        const Row sinks = config.has_sinks ? vector(TensorRole::AttentionSinks) : Row();
        Rows mixed(x.size());
        for (std::size_t h = 0; h < count(config.num_heads); ++h) {
            const std::size_t kv = h / count(config.num_heads / config.num_kv_heads);
            Rows keys;
            Rows values;
            for (std::size_t t = 0; t < x.size(); ++t) {
                keys.push_back(part(k[t], kv * dim, dim));
                values.push_back(part(v[t], kv * dim, dim));
                const auto w = count(window);
                const std::size_t first = w == 0 || t < w ? 0 : t + 1 - w;
                Row out = attend(part(q[t], h * stride, dim), keys, values, first,
                                 sinks.empty() ? nullptr : &sinks[h]);
                for (std::size_t d = 0; config.has_output_gate && d < dim; ++d) {
                    out[d] *= sigmoid(q[t][h * stride + dim + d]);
                }
                mixed[t].insert(mixed[t].end(), out.begin(), out.end());
            }
        }
        Rows out = linear(TensorRole::AttentionOutput, mixed);
        add_bias(TensorRole::AttentionOutputBias, out);
        return out;
    }

    Rows latent_attention(const Rows& x) const {
        const LatentConfig& latent = config_.attention.latent;
        const std::size_t nope = count(latent.nope_dim);
        const std::size_t rope = count(latent.rope_dim);
        const std::size_t rank = count(latent.rank);
        const std::size_t value = count(latent.value_dim);
        Rows q;
        if (latent.query_rank == 0) {
            q = linear(TensorRole::LatentQ, x);
        } else {
            Rows down = linear(TensorRole::LatentQDown, x);
            add_bias(TensorRole::LatentQDownBias, down);
            for (Row& row : down) rms_norm(row, vector(TensorRole::LatentQNorm), 1e-6);
            q = linear(TensorRole::LatentQUp, down);
        }
        Rows kv = linear(TensorRole::LatentKvDown, x);
        add_bias(TensorRole::LatentKvDownBias, kv);
        Rows latents;
        for (std::size_t t = 0; t < x.size(); ++t) {
            latents.push_back(part(kv[t], 0, rank));
            rms_norm(latents[t], vector(TensorRole::LatentKvNorm), 1e-6);
            rotate(std::span(kv[t]).subspan(rank), t);
        }
        const Rows keys_up = linear(TensorRole::LatentKeyUp, latents);
        const Rows values_up = linear(TensorRole::LatentValueUp, latents);
        Rows mixed(x.size());
        for (std::size_t h = 0; h < count(config_.attention.num_heads); ++h) {
            Rows keys;
            Rows values;
            for (std::size_t t = 0; t < x.size(); ++t) {
                keys.push_back(part(keys_up[t], h * nope, nope));
                keys.back().insert(keys.back().end(),
                                   kv[t].begin() + static_cast<std::ptrdiff_t>(rank), kv[t].end());
                values.push_back(part(values_up[t], h * value, value));
                Row query = part(q[t], h * (nope + rope), nope + rope);
                rotate(std::span(query).subspan(nope), t);
                const Row out = attend(query, keys, values, 0, nullptr);
                mixed[t].insert(mixed[t].end(), out.begin(), out.end());
            }
        }
        Rows out = linear(TensorRole::AttentionOutput, mixed);
        add_bias(TensorRole::AttentionOutputBias, out);
        return out;
    }

    /// Each channel with its own taps.
    Rows convolve(const Rows& x, TensorRole role) const {
        const Rows taps = matrix(role);
        Rows out(x.size(), Row(taps.size()));
        for (std::size_t t = 0; t < x.size(); ++t) {
            for (std::size_t c = 0; c < taps.size(); ++c) {
                const std::size_t kernel = taps[c].size();
                for (std::size_t j = 0; j < kernel; ++j) {
                    if (t + j + 1 >= kernel) out[t][c] += taps[c][j] * x[t + j + 1 - kernel][c];
                }
            }
        }
        return out;
    }

    Rows delta_net(const Rows& x) const {
        const DeltaNetConfig& delta = config_.delta_net;
        const std::size_t key_dim = count(delta.key_dim);
        const std::size_t value_dim = count(delta.value_dim);
        const std::size_t keys_at = count(delta.num_key_heads) * key_dim;
        Rows qkv = convolve(linear(TensorRole::DeltaQkv, x), TensorRole::DeltaConvolution);
        for (Row& row : qkv) {
            for (double& v : row) v = silu(v);
        }
        const Rows z = linear(TensorRole::DeltaZ, x);
        const Rows b = linear(TensorRole::DeltaBeta, x);
        const Rows a = linear(TensorRole::DeltaDecay, x);
        const Row log_a = vector(TensorRole::DeltaLogA);
        const Row bias = vector(TensorRole::DeltaDecayBias);
        const Row norm = vector(TensorRole::DeltaNorm);
        Rows mixed(x.size());
        const auto unit = [](Row row) {
            const double length = std::sqrt(dot(row, row) + 1e-6);
            for (double& v : row) v /= length;
            return row;
        };
        for (std::size_t h = 0; h < count(delta.num_value_heads); ++h) {
            const std::size_t group = h / count(delta.num_value_heads / delta.num_key_heads);
            Rows state(key_dim, Row(value_dim));
            for (std::size_t t = 0; t < x.size(); ++t) {
                Row query = unit(part(qkv[t], group * key_dim, key_dim));
                for (double& v : query) v /= std::sqrt(static_cast<double>(key_dim));
                const Row key = unit(part(qkv[t], keys_at + group * key_dim, key_dim));
                const Row value = part(qkv[t], 2 * keys_at + h * value_dim, value_dim);
                const double decay =
                    std::exp(-std::exp(log_a[h]) * std::log1p(std::exp(a[t][h] + bias[h])));
                Row out(value_dim);
                for (std::size_t c = 0; c < value_dim; ++c) {
                    double known = 0;
                    for (std::size_t i = 0; i < key_dim; ++i) {
                        known += (state[i][c] *= decay) * key[i];
                    }
                    const double change = sigmoid(b[t][h]) * (value[c] - known);
                    for (std::size_t i = 0; i < key_dim; ++i) {
                        out[c] += (state[i][c] += key[i] * change) * query[i];
                    }
                }
                rms_norm(out, norm, config_.rms_norm_eps);
                for (std::size_t c = 0; c < value_dim; ++c) out[c] *= silu(z[t][h * value_dim + c]);
                mixed[t].insert(mixed[t].end(), out.begin(), out.end());
            }
        }
        return linear(TensorRole::DeltaOutput, mixed);
    }

    Rows short_convolution(const Rows& x) const {
        const std::size_t width = count(config_.hidden_size);
        Rows parts = linear(TensorRole::ConvolutionIn, x);
        add_bias(TensorRole::ConvolutionInBias, parts);
        Rows gated(x.size(), Row(width));
        for (std::size_t t = 0; t < x.size(); ++t) {
            for (std::size_t i = 0; i < width; ++i) {
                gated[t][i] = parts[t][i] * parts[t][2 * width + i];
            }
        }
        Rows mixed = convolve(gated, TensorRole::ConvolutionKernel);
        add_bias(TensorRole::ConvolutionBias, mixed);
        for (std::size_t t = 0; t < x.size(); ++t) {
            for (std::size_t i = 0; i < width; ++i) mixed[t][i] *= parts[t][width + i];
        }
        Rows out = linear(TensorRole::ConvolutionOut, mixed);
        add_bias(TensorRole::ConvolutionOutBias, out);
        return out;
    }

    struct MlpRoles {
        TensorRole gate, up, down;
    };
    Row mlp(const MlpRoles& roles, const Row& x) const {
        Row gate = linear(roles.gate, x);
        const Row up = linear(roles.up, x);
        for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = silu(gate[i]) * up[i];
        return linear(roles.down, gate);
    }
    Row dense(const Row& x) const {
        return mlp({TensorRole::DenseGate, TensorRole::DenseUp, TensorRole::DenseDown}, x);
    }
    Row expert(const Row& x, std::int32_t id) const {
        const ExpertConfig& config = config_.experts;
        Row gate = linear(TensorRole::ExpertGate, x, id);
        Row up = linear(TensorRole::ExpertUp, x, id);
        add_bias(TensorRole::ExpertGateBias, gate, id);
        add_bias(TensorRole::ExpertUpBias, up, id);
        for (std::size_t i = 0; i < gate.size(); ++i) {
            if (config.activation == ExpertActivation::Silu) {
                gate[i] = silu(gate[i]) * up[i];
                continue;
            }
            const double g = std::min(gate[i], config.limit);
            gate[i] = g * sigmoid(config.alpha * g) *
                      (std::clamp(up[i], -config.limit, config.limit) + 1.0);
        }
        Row out = linear(TensorRole::ExpertDown, gate, id);
        add_bias(TensorRole::ExpertDownBias, out, id);
        return out;
    }

    /// Choices outside the best groups are gone.
    void keep_best_groups(Row& choice) const {
        const RouterConfig& router = config_.router;
        const std::size_t size = choice.size() / count(router.num_groups);
        std::vector<std::pair<double, std::size_t>> groups;
        for (std::size_t g = 0; g < count(router.num_groups); ++g) {
            Row group = part(choice, g * size, size);
            std::sort(group.rbegin(), group.rend());
            const bool is_max = router.group_score == GroupScore::Max;
            groups.emplace_back(is_max ? group[0] : group[0] + group[1], g);
        }
        std::sort(groups.rbegin(), groups.rend());
        for (std::size_t i = count(router.top_groups); i < groups.size(); ++i) {
            for (std::size_t e = 0; e < size; ++e) {
                choice[groups[i].second * size + e] = -1e300;
            }
        }
    }

    Row moe(const Row& x) const {
        const RouterConfig& router = config_.router;
        Row scores = linear(TensorRole::Router, x);
        add_bias(TensorRole::RouterBias, scores);
        if (router.scoring == RouterScoring::Softmax) {
            softmax(scores);
        } else {
            for (double& s : scores) s = sigmoid(s);
        }
        Row choice = scores;
        add_bias(TensorRole::RouterSelectionBias, choice);
        keep_best_groups(choice);
        double sum = router.normalising_epsilon;
        std::vector<std::size_t> chosen;
        for (std::int64_t k = 0; k < router.top_k; ++k) {
            const auto best = std::max_element(choice.begin(), choice.end());
            chosen.push_back(static_cast<std::size_t>(best - choice.begin()));
            sum += scores[chosen.back()];
            *best = -1e301;
        }
        Row out(x.size());
        for (const std::size_t id : chosen) {
            const double weight = scores[id] * router.scale / (router.normalises_top_k ? sum : 1.0);
            const auto index = static_cast<std::int32_t>(id);
            const auto constant = replaced.find({layer_, index});
            const Row made = constant != replaced.end() ? constant->second : expert(x, index);
            for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * made[i];
        }
        if (config_.shared_expert.width > 0) add_shared(x, out);
        return out;
    }
    void add_shared(const Row& x, Row& out) const {
        const Row made =
            mlp({TensorRole::SharedGate, TensorRole::SharedUp, TensorRole::SharedDown}, x);
        const double weight =
            has(TensorRole::SharedScore) ? sigmoid(linear(TensorRole::SharedScore, x)[0]) : 1.0;
        for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * made[i];
    }

    const ModelSource& source_;
    const MoeConfig& config_;
    std::int32_t layer_ = -1;
};

}  // namespace espalier
