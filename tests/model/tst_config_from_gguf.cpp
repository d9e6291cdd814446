#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "formats/gguf_set.h"
#include "formats/gguf_writer.h"
#include "model/config_from_gguf.h"
#include "model/config_from_hub.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = fs::path(ESPALIER_TEST_DATA) / "gguf/models";
const fs::path kQwen3 = kModels / "qwen3moe/qwen3moe.q4_k_m.gguf";
const fs::path kMixtral = kModels / "mixtral/mixtral.q4_k_m.gguf";

/// Of a file with these keys and the embedding of the smallest model.
MoeConfig config_of(const GgufMetadata& keys, const QTemporaryDir& dir) {
    const fs::path path = dir.filePath("keys.gguf").toStdString();
    const GgufSet original(kQwen3);
    const TensorView& embedding = *original.find("token_embd.weight");
    GgufWriter writer(path, keys, {{"token_embd.weight", embedding.dtype, embedding.shape}});
    writer.write("token_embd.weight", embedding.bytes);
    writer.commit();
    return config_from_gguf(GgufSet(path));
}

}  // namespace

class TestConfigFromGguf : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equals_the_config_that_the_file_was_made_from_data() {
        QTest::addColumn<QString>("hub");
        QTest::addColumn<QString>("gguf");
        QTest::addColumn<QString>("dtype");
        QTest::addRow("qwen3moe, f32") << "qwen3moe/hf"
                                       << "qwen3moe/qwen3moe.f32.gguf"
                                       << "float32";
        QTest::addRow("qwen3moe, q8_0") << "qwen3moe/hf"
                                        << "qwen3moe/qwen3moe.q8_0.gguf"
                                        << "Q8_0";
        for (const char* name :
             {"mixtral", "qwen2moe", "olmoe", "qwen3next", "gpt_oss", "deepseek3", "glm4moe"}) {
            QTest::addRow("%s", name)
                << QString("%1/hf").arg(name) << QString("%1/%1.q4_k_m.gguf").arg(name) << "Q4_K";
        }
        QTest::addRow("gpt_oss, mxfp4") << "gpt_oss/hf"
                                        << "gpt_oss/gpt_oss.mxfp4.gguf"
                                        << "Q8_0";
    }

    void equals_the_config_that_the_file_was_made_from() {
        QFETCH(QString, hub);
        QFETCH(QString, gguf);
        QFETCH(QString, dtype);
        const fs::path folder = kModels / hub.toStdString();
        MoeConfig expected =
            config_from_hub(read_json_file(folder / "config.json"),
                            read_json_file(folder / "generation_config.json"), "hf");
        expected.stored_dtype = dtype.toStdString();  // the one thing that conversion changes
        const MoeConfig config = config_from_gguf(GgufSet(kModels / gguf.toStdString()));
        // GGUF names further ends: of a turn, of a message.
        QCOMPARE(config.eos_token_ids.at(0), expected.eos_token_ids.at(0));
        expected.eos_token_ids = config.eos_token_ids;
        QVERIFY(config == expected);
    }

    void an_output_tensor_tells_whether_embeddings_are_tied() {
        QVERIFY(!config_from_gguf(GgufSet(kQwen3)).ties_embeddings);
        QVERIFY(config_from_gguf(GgufSet(kModels / "qwen3moe_wide/qwen3moe_wide.q4_k_m.gguf"))
                    .ties_embeddings);
    }

    void refuses_what_it_does_not_know_data() {
        QTest::addColumn<QString>("key");
        QTest::addColumn<QVariant>("value");
        QTest::addColumn<QString>("code");
        QTest::addColumn<QString>("words");
        const auto row = [](const char* key, const QVariant& value, const char* code,
                            const char* words) {
            QTest::addRow("%s = %s", key, qPrintable(value.toString()))
                << QString(key) << value << QString(code) << QString(words);
        };
        constexpr const char* kUnknown = "E-ARCH-01";
        constexpr const char* kWrong = "E-ARCH-03";
        constexpr const char* kMalformed = "E-FILE-04";
        row("general.architecture", "falcon", kUnknown, "\"falcon\"");
        row("general.type", "adapter", kUnknown, "\"adapter\"");
        row("qwen3moe.expert_count", {}, kUnknown, "no experts");
        row("qwen3moe.block_count", {}, kMalformed, "qwen3moe.block_count");
        row("qwen3moe.block_count", 99999999, kUnknown, "block_count");
        row("qwen3moe.embedding_length", "x", kMalformed, "qwen3moe.embedding_length");
        row("qwen3moe.expert_used_count", 9, kWrong, "num_experts_per_tok is 9");
        row("qwen3moe.attention.head_count", 0, kUnknown, "head_count");
        row("qwen3moe.attention.value_length", 16, kUnknown, "value_length");
        row("qwen3moe.rope.scaling.type", "longrope", kUnknown, "rope.scaling.type is longrope");
        row("qwen3moe.expert_group_count", 2, kUnknown, "expert_group_count is 2");
        row("qwen3moe.nextn_predict_layers", 2, kUnknown, "block_count is 2, 2 of them");
        row("qwen3moe.expert_gating_func", 2, kUnknown, "expert_gating_func");
        row("qwen3moe.expert_weights_norm", false, kUnknown, "expert_weights_norm");
        row("qwen3moe.attention.sliding_window", 64, kUnknown, "sliding_window");
        row("qwen3moe.attention.sinks", 1, kUnknown, "qwen3moe.attention.sinks");
    }

    void refuses_what_it_does_not_know() {
        QFETCH(QString, key);
        QFETCH(QVariant, value);
        QFETCH(QString, code);
        QFETCH(QString, words);
        GgufSet original(kQwen3);
        GgufMetadata keys = original.metadata();
        const std::string name = key.toStdString();
        if (!value.isValid()) {
            keys.erase(name);
        } else if (value.typeId() == QMetaType::QString) {
            keys.set(name, value.toString().toStdString());
        } else if (value.typeId() == QMetaType::Bool) {
            keys.set(name, value.toBool());
        } else {
            keys.set(name, static_cast<std::uint32_t>(value.toUInt()));
        }
        const QTemporaryDir dir;
        const fs::path path = dir.filePath("changed.gguf").toStdString();
        const TensorView& embedding = *original.find("token_embd.weight");
        GgufWriter writer(path, keys, {{"token_embd.weight", embedding.dtype, embedding.shape}});
        writer.write("token_embd.weight", embedding.bytes);
        writer.commit();
        const auto error = error_of([&] { config_from_gguf(GgufSet(path)); });
        QVERIFY(error);
        QVERIFY2(QString(error->what()).contains(words), error->what());
        QVERIFY2(QString(error->what()).contains("changed.gguf"), error->what());
        QCOMPARE(QString::fromStdString(std::string(code_text(error->code()))), code);
    }

    void yarn_is_read_from_its_keys() {
        GgufMetadata keys = GgufSet(kQwen3).metadata();
        keys.set("qwen3moe.rope.scaling.type", std::string("yarn"));
        keys.set("qwen3moe.rope.scaling.factor", 4.0F);
        keys.set("qwen3moe.rope.scaling.original_context_length", std::uint32_t{128});
        const QTemporaryDir dir;
        const RopeConfig rope = config_of(keys, dir).attention.rope;
        QVERIFY(
            rope.scaling ==
            (RopeScaling{.kind = RopeScalingKind::Yarn, .factor = 4.0, .original_context = 128}));
        QCOMPARE(rope.attention_factor, 0.1 * std::log(4.0) + 1.0);
    }

    void deepseek_files_may_leave_the_stretch_to_the_scores() {
        GgufMetadata keys = GgufSet(kModels / "deepseek3/deepseek3.q4_k_m.gguf").metadata();
        keys.set("deepseek2.rope.scaling.type", std::string("yarn"));
        keys.set("deepseek2.rope.scaling.factor", 40.0F);
        keys.set("deepseek2.rope.scaling.original_context_length", std::uint32_t{128});
        keys.set("deepseek2.rope.scaling.yarn_log_multiplier", 0.1F);
        const QTemporaryDir dir;
        const AttentionConfig attention = config_of(keys, dir).attention;
        const double m = 0.1 * std::log(40.0) + 1.0;
        QCOMPARE(attention.rope.attention_factor, 1.0);
        QCOMPARE(attention.scale, m * m / std::sqrt(48.0));
    }

    void layers_without_key_heads_are_convolutions() {
        GgufMetadata keys;
        keys.set("general.architecture", std::string("lfm2moe"));
        const auto set = [&keys](const char* key, std::uint32_t value) {
            keys.set(std::string("lfm2moe.") + key, value);
        };
        set("block_count", 3);
        set("context_length", 128000);
        set("embedding_length", 256);
        set("feed_forward_length", 64);
        set("attention.head_count", 4);
        keys.set("lfm2moe.attention.head_count_kv", GgufArray(std::vector<std::int32_t>{0, 2, 0}));
        set("expert_count", 8);
        set("expert_used_count", 4);
        set("expert_feed_forward_length", 32);
        set("leading_dense_block_count", 1);
        set("expert_gating_func", 2);
        set("shortconv.l_cache", 3);
        keys.set("lfm2moe.rope.freq_base", 1e6F);
        keys.set("lfm2moe.attention.layer_norm_rms_epsilon", 1e-5F);
        const QTemporaryDir dir;
        const MoeConfig config = config_of(keys, dir);
        QVERIFY(config.layers[0].mixer == MixerKind::ShortConvolution);
        QVERIFY(config.layers[1].mixer == MixerKind::FullAttention);
        QCOMPARE(config.attention.num_kv_heads, std::int64_t{2});
        QVERIFY(config.moe_layers() == (std::vector<std::int64_t>{1, 2}));
        QCOMPARE(config.intermediate_size, std::int64_t{64});
        QVERIFY(config.router.scoring == RouterScoring::Sigmoid);
    }

    void a_file_of_keys_alone_lacks_its_embedding() {
        const QTemporaryDir dir;
        const fs::path path = dir.filePath("keys.gguf").toStdString();
        GgufWriter(path, GgufSet(kQwen3).metadata(), {}).commit();
        const auto error = error_of([&] { config_from_gguf(GgufSet(path)); });
        QVERIFY(error && error->code() == ErrorCode::ArchTensor);
        QVERIFY(QString(error->what()).contains("token_embd.weight"));
    }

    void an_importance_matrix_is_no_model() {
        const GgufSet set(fs::path(ESPALIER_TEST_DATA) / "gguf/imatrix/qwen3moe.imatrix.gguf");
        const auto error = error_of([&] { config_from_gguf(set); });
        QVERIFY(error && error->code() == ErrorCode::ArchUnknown);
        QVERIFY(QString(error->what()).contains("imatrix"));
    }
};

QTEST_APPLESS_MAIN(TestConfigFromGguf)
#include "tst_config_from_gguf.moc"
