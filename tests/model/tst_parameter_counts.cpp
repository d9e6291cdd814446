#include <QTest>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "model/config_from_hub.h"
#include "model/parameter_counts.h"

using namespace espalier;

namespace {

Json sizes(const char* family, int hidden, int layers, int heads, int kv_heads, int vocab) {
    return {{"model_type", family},
            {"hidden_size", hidden},
            {"num_hidden_layers", layers},
            {"num_attention_heads", heads},
            {"num_key_value_heads", kv_heads},
            {"vocab_size", vocab},
            {"max_position_embeddings", 4096}};
}

Json with(Json json, const Json& more) {
    json.update(more);
    return json;
}

}  // namespace

/// Against the numbers that the hub shows beside published checkpoints.
class TestParameterCounts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void published_models_have_their_published_size_data() {
        QTest::addColumn<std::string>("config");
        QTest::addColumn<quint64>("total");
        const auto row = [](const char* name, const Json& config, quint64 total) {
            QTest::addRow("%s", name) << config.dump() << total;
        };
        row("Mixtral 8x7B",
            with(sizes("mixtral", 4096, 32, 32, 8, 32000), {{"num_local_experts", 8},
                                                            {"num_experts_per_tok", 2},
                                                            {"intermediate_size", 14336}}),
            46702792704);
        row("Qwen3 30B-A3B",
            with(sizes("qwen3_moe", 2048, 48, 32, 4, 151936), {{"head_dim", 128},
                                                               {"num_experts", 128},
                                                               {"num_experts_per_tok", 8},
                                                               {"moe_intermediate_size", 768},
                                                               {"intermediate_size", 6144}}),
            30532122624);
        row("Qwen1.5 MoE A2.7B",
            with(sizes("qwen2_moe", 2048, 24, 16, 16, 151936),
                 {{"num_experts", 60},
                  {"num_experts_per_tok", 4},
                  {"moe_intermediate_size", 1408},
                  {"shared_expert_intermediate_size", 5632},
                  {"intermediate_size", 5632}}),
            14315784192);
        row("OLMoE 1B-7B",
            with(sizes("olmoe", 2048, 16, 16, 16, 50304),
                 {{"num_experts", 64}, {"num_experts_per_tok", 8}, {"intermediate_size", 1024}}),
            6919161856);
        row("gpt-oss 20b",
            with(sizes("gpt_oss", 2880, 24, 64, 8, 201088), {{"head_dim", 64},
                                                             {"num_local_experts", 32},
                                                             {"num_experts_per_tok", 4},
                                                             {"intermediate_size", 2880}}),
            20914757184);
        row("DeepSeek V2 Lite",
            with(sizes("deepseek_v2", 2048, 27, 16, 16, 102400), {{"n_routed_experts", 64},
                                                                  {"n_shared_experts", 2},
                                                                  {"num_experts_per_tok", 6},
                                                                  {"moe_intermediate_size", 1408},
                                                                  {"intermediate_size", 10944},
                                                                  {"first_k_dense_replace", 1},
                                                                  {"kv_lora_rank", 512},
                                                                  {"q_lora_rank", nullptr},
                                                                  {"qk_nope_head_dim", 128},
                                                                  {"qk_rope_head_dim", 64},
                                                                  {"v_head_dim", 128}}),
            15706484224);
        row("LFM2 8B-A1B",
            with(sizes("lfm2_moe", 2048, 24, 32, 8, 65536),
                 {{"num_experts", 32},
                  {"num_experts_per_tok", 4},
                  {"moe_intermediate_size", 1792},
                  {"intermediate_size", 7168},
                  {"num_dense_layers", 2},
                  {"conv_L_cache", 3},
                  {"layer_types", {"conv", "conv",           "full_attention", "conv",
                                   "conv", "conv",           "full_attention", "conv",
                                   "conv", "conv",           "full_attention", "conv",
                                   "conv", "conv",           "full_attention", "conv",
                                   "conv", "conv",           "full_attention", "conv",
                                   "conv", "full_attention", "conv",           "conv"}}}),
            8339929856 + 22 * 32);  // the bias of its routers is a buffer to transformers
    }

    void published_models_have_their_published_size() {
        QFETCH(std::string, config);
        QFETCH(quint64, total);
        const MoeConfig read = config_from_hub(Json::parse(config), {}, "config.json");
        QCOMPARE(quint64{count_parameters(read).total}, total);
    }

    void one_token_uses_its_experts_and_the_shared_one() {
        const MoeConfig config = config_from_hub(
            with(sizes("qwen2_moe", 8, 1, 1, 1, 10), {{"num_experts", 5},
                                                      {"num_experts_per_tok", 2},
                                                      {"moe_intermediate_size", 3},
                                                      {"shared_expert_intermediate_size", 4}}),
            {}, "config.json");
        const ParameterCounts counts = count_parameters(config);
        // Embedding and output 2*80, final norm 8, layer norms 16, attention 4*64 + 3*8, router 40,
        // an expert 3*24, the shared one 3*32 + 8.
        constexpr std::uint64_t kAlways = 160 + 8 + 16 + 256 + 24 + 40 + 96 + 8;
        QCOMPARE(counts.total, kAlways + 5 * 72);
        QCOMPARE(counts.active, kAlways + 2 * 72);
    }
};

QTEST_APPLESS_MAIN(TestParameterCounts)
#include "tst_parameter_counts.moc"
