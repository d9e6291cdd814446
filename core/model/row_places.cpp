#include "model/row_places.h"

#include <cstddef>
#include <utility>

namespace espalier {
namespace {

/// Rows of one key head of a DeltaNet's joint projections, by what they are.
struct KeyGroup {
    explicit KeyGroup(const DeltaNetConfig& config)
        : key_heads(config.num_key_heads),
          key_dim(config.key_dim),
          value_heads(config.num_value_heads / config.num_key_heads),
          value_rows(value_heads * config.value_dim) {}

    std::int64_t key_heads;
    std::int64_t key_dim;
    std::int64_t value_heads;  ///< of each key head
    std::int64_t value_rows;   ///< of each key head
};

class Places {
public:
    explicit Places(std::int64_t count) { places_.reserve(static_cast<std::size_t>(count)); }

    /// `count` rows of each of `groups` groups, which lie `stride` apart and start at `first`.
    void add_groups(std::int64_t groups, std::int64_t stride, std::int64_t first,
                    std::int64_t count) {
        for (std::int64_t group = 0; group < groups; ++group) {
            for (std::int64_t row = 0; row < count; ++row) add(group * stride + first + row);
        }
    }
    void add(std::int64_t place) { places_.push_back(static_cast<std::int32_t>(place)); }
    std::vector<std::int32_t> take() && { return std::move(places_); }

private:
    std::vector<std::int32_t> places_;
};

void add_rotary_pairs(Places& places, std::int64_t num_rows, std::int64_t head_dim) {
    const std::int64_t half = head_dim / 2;
    for (std::int64_t row = 0; row < num_rows; ++row) {
        const std::int64_t within = row % head_dim;
        places.add(row - within + (within < half ? 2 * within : 2 * (within - half) + 1));
    }
}

void add_key_group_qkv(Places& places, const KeyGroup& group) {
    const std::int64_t stride = 2 * group.key_dim + 2 * group.value_rows;
    places.add_groups(group.key_heads, stride, 0, group.key_dim);
    places.add_groups(group.key_heads, stride, group.key_dim, group.key_dim);
    places.add_groups(group.key_heads, stride, 2 * group.key_dim, group.value_rows);
}

/// Value head v of key head k lies as head v * key heads + k, each of `rows` rows.
void add_turned_heads(Places& places, const DeltaNetConfig& config, std::int64_t first,
                      std::int64_t rows) {
    const std::int64_t value_heads = config.num_value_heads / config.num_key_heads;
    for (std::int64_t key = 0; key < config.num_key_heads; ++key) {
        places.add_groups(value_heads, config.num_key_heads * rows, first + key * rows, rows);
    }
}

}  // namespace

std::int64_t stored_rows(RowOrder order, std::int64_t num_rows, const MoeConfig& config) {
    switch (order) {
        case RowOrder::AsNamed:
        case RowOrder::RotaryPairs:
        case RowOrder::TurnedHeads:
        case RowOrder::TurnedValues:
        case RowOrder::TurnedQkv:
            return num_rows;
        case RowOrder::FirstHalf:
        case RowOrder::SecondHalf:
        case RowOrder::EvenRows:
        case RowOrder::OddRows:
        case RowOrder::KeyGroupBeta:
        case RowOrder::KeyGroupDecay:
            return 2 * num_rows;
        case RowOrder::KeyGroupQkv:
        case RowOrder::KeyGroupZ:
            return config.delta_net.channels() +
                   config.delta_net.num_value_heads * config.delta_net.value_dim;
        case RowOrder::HeadKeys:
        case RowOrder::HeadValues:
            return config.attention.num_heads *
                   (config.attention.latent.nope_dim + config.attention.latent.value_dim);
    }
    return num_rows;
}

std::vector<std::int32_t> row_places(RowOrder order, std::int64_t num_rows,
                                     const MoeConfig& config) {
    Places places(num_rows);
    const LatentConfig& latent = config.attention.latent;
    const std::int64_t heads = config.attention.num_heads;
    switch (order) {
        case RowOrder::AsNamed:
        case RowOrder::FirstHalf:
            break;
        case RowOrder::RotaryPairs:
            add_rotary_pairs(places, num_rows, config.attention.head_dim);
            break;
        case RowOrder::SecondHalf:
            places.add_groups(1, 0, num_rows, num_rows);
            break;
        case RowOrder::EvenRows:
            places.add_groups(num_rows, 2, 0, 1);
            break;
        case RowOrder::OddRows:
            places.add_groups(num_rows, 2, 1, 1);
            break;
        case RowOrder::KeyGroupQkv:
            add_key_group_qkv(places, KeyGroup(config.delta_net));
            break;
        case RowOrder::KeyGroupZ: {
            const KeyGroup group(config.delta_net);
            places.add_groups(group.key_heads, 2 * group.key_dim + 2 * group.value_rows,
                              2 * group.key_dim + group.value_rows, group.value_rows);
            break;
        }
        case RowOrder::KeyGroupBeta:
        case RowOrder::KeyGroupDecay: {
            const KeyGroup group(config.delta_net);
            places.add_groups(group.key_heads, 2 * group.value_heads,
                              order == RowOrder::KeyGroupBeta ? 0 : group.value_heads,
                              group.value_heads);
            break;
        }
        case RowOrder::TurnedHeads:
            add_turned_heads(places, config.delta_net, 0, 1);
            break;
        case RowOrder::TurnedValues:
            add_turned_heads(places, config.delta_net, 0, config.delta_net.value_dim);
            break;
        case RowOrder::TurnedQkv: {
            const std::int64_t first =
                2 * config.delta_net.num_key_heads * config.delta_net.key_dim;
            places.add_groups(1, 0, 0, first);
            add_turned_heads(places, config.delta_net, first, config.delta_net.value_dim);
            break;
        }
        case RowOrder::HeadKeys:
            places.add_groups(heads, latent.nope_dim + latent.value_dim, 0, latent.nope_dim);
            break;
        case RowOrder::HeadValues:
            places.add_groups(heads, latent.nope_dim + latent.value_dim, latent.nope_dim,
                              latent.value_dim);
            break;
    }
    return std::move(places).take();
}

}  // namespace espalier
