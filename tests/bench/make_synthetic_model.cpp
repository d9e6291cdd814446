// Writes a checkpoint with random weights for measurements: make_synthetic_model FOLDER LAYERS
// HIDDEN EXPERTS TOP_K WIDTH VOCAB

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "support/synthetic_model.h"

int main(int argc, char** argv) {
    if (argc != 8) {
        std::fprintf(stderr, "usage: %s FOLDER LAYERS HIDDEN EXPERTS TOP_K WIDTH VOCAB\n", argv[0]);
        return 2;
    }
    const auto number = [&](int i) { return std::strtoll(argv[i], nullptr, 10); };
    try {
        espalier::test::write_synthetic_model({.num_layers = number(2),
                                               .hidden_size = number(3),
                                               .num_heads = number(3) / 64,
                                               .num_kv_heads = number(3) / 256,
                                               .head_dim = 64,
                                               .num_experts = number(4),
                                               .top_k = number(5),
                                               .moe_intermediate_size = number(6),
                                               .vocab_size = number(7)},
                                              argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
