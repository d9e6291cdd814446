#include <QTest>
#include <string>

#include "model/model_tensors.h"
#include "model/tensor_names.h"

using namespace espalier;

class TestTensorNames : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void names_lead_to_keys_data() {
        QTest::addColumn<QString>("table");
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("role");
        QTest::addColumn<int>("layer");
        QTest::addColumn<int>("expert");
        const auto row = [](const char* table, const char* name, TensorRole role, int layer,
                            int expert) {
            QTest::addRow("%s: %s", table, name)
                << QString(table) << QString(name) << static_cast<int>(role) << layer << expert;
        };
        using enum TensorRole;
        row("qwen3_moe", "model.embed_tokens.weight", TokenEmbedding, -1, -1);
        row("qwen3_moe", "model.layers.47.self_attn.q_norm.weight", AttentionQNorm, 47, -1);
        row("qwen3_moe", "model.layers.0.mlp.experts.127.down_proj.weight", ExpertDown, 0, 127);
        row("qwen3_moe", "model.layers.3.mlp.gate.weight", Router, 3, -1);
        row("qwen3_moe", "model.layers.3.mlp.gate_proj.weight", DenseGate, 3, -1);
        row("mixtral", "model.layers.1.block_sparse_moe.experts.7.w3.weight", ExpertUp, 1, 7);
        row("qwen3moe", "blk.2.ffn_gate_exps.weight", ExpertGate, 2, -1);
        row("llama", "blk.2.ffn_gate.5.weight", ExpertGate, 2, 5);
        row("llama", "output.weight", Output, -1, -1);
        row("gpt_oss", "model.layers.1.mlp.experts.gate_up_proj", ExpertGate, 1, -1);
        row("gpt_oss", "model.layers.1.mlp.experts.down_proj_blocks", ExpertDown, 1, -1);
        row("gpt_oss", "model.layers.1.mlp.experts.down_proj_scales", ExpertDown, 1, -1);
        row("gpt_oss", "model.layers.1.mlp.experts.down_proj_bias", ExpertDownBias, 1, -1);
        row("deepseek_v3", "model.layers.4.mlp.experts.5.up_proj.weight_scale_inv", ExpertUp, 4, 5);
        row("deepseek_v3", "model.layers.4.self_attn.kv_b_proj.weight", LatentKeyUp, 4, -1);
        row("qwen3_5_moe", "model.language_model.norm.weight", OutputNorm, -1, -1);
        row("qwen3_5_moe", "model.language_model.layers.2.linear_attn.A_log", DeltaLogA, 2, -1);
        row("lfm2moe", "blk.2.shortconv.conv.weight", ConvolutionKernel, 2, -1);
    }

    void names_lead_to_keys() {
        QFETCH(QString, table);
        QFETCH(QString, name);
        QFETCH(int, role);
        QFETCH(int, layer);
        QFETCH(int, expert);
        const std::string family = table.toStdString();
        const NameTable* names = hub_names(family) ? hub_names(family) : gguf_names(family);
        QVERIFY(names);
        const auto key = match_name(*names, name.toStdString());
        QVERIFY(key);
        QVERIFY(*key == (TensorKey{static_cast<TensorRole>(role), layer, expert}));
    }

    void other_names_lead_nowhere_data() {
        QTest::addColumn<QString>("name");
        for (const char* name :
             {"", "model.layers.", "model.layers.x.mlp.gate.weight",
              "model.layers.-1.mlp.gate.weight", "model.layers.01.mlp.gate.weight",
              "model.layers.99999999999.mlp.gate.weight", "model.layers.1.mlp.gate.weight2",
              "Model.norm.weight", "model.layers.1.mlp.experts..up_proj.weight"}) {
            QTest::addRow("%s", name) << QString(name);
        }
    }

    void other_names_lead_nowhere() {
        QFETCH(QString, name);
        QVERIFY(!match_name(*hub_names("qwen3_moe"), name.toStdString()));
    }

    void every_pattern_leads_back_to_itself() {
        for (const char* family :
             {"mixtral",          "qwen2_moe",     "qwen3_moe",  "qwen3_next",  "qwen3_5_moe",
              "qwen3_5_moe_text", "olmoe",         "gpt_oss",    "deepseek_v2", "deepseek_v3",
              "glm4_moe",         "glm4_moe_lite", "granitemoe", "lfm2_moe",    "llama",
              "qwen2moe",         "qwen3moe",      "qwen3next",  "qwen35moe",   "gpt-oss",
              "deepseek2",        "glm4moe",       "granitemoe", "lfm2moe"}) {
            const NameTable* table = hub_names(family) ? hub_names(family) : gguf_names(family);
            QVERIFY2(table, family);
            for (const auto& row : table->names) {
                const bool in_layer = row.pattern.find("{l}") != std::string_view::npos;
                const bool of_expert = row.pattern.find("{e}") != std::string_view::npos;
                const TensorKey key{row.role, in_layer ? 12 : -1, of_expert ? 34 : -1};
                std::string name = tensor_name(row.pattern, key);
                if (row.form == TensorForm::Mxfp4Pair) name += "_blocks";
                const auto found = match_name(*table, name);
                QVERIFY2(found, name.c_str());
                // A tensor that holds several roles answers with the first of them.
                QVERIFY(found->layer == key.layer && found->expert == key.expert);
                QVERIFY(is_expert_role(found->role) == is_expert_role(key.role));
            }
        }
    }

    void unknown_families_have_no_table() {
        QVERIFY(!hub_names("qwen3moe"));
        QVERIFY(!gguf_names("qwen3_moe"));
    }
};

QTEST_APPLESS_MAIN(TestTensorNames)
#include "tst_tensor_names.moc"
