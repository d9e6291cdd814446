#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <string>

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
        QTest::addRow("mixtral") << "mixtral/hf"
                                 << "mixtral/mixtral.q4_k_m.gguf"
                                 << "Q4_K";
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
        QVERIFY(config_from_gguf(GgufSet(kModels / gguf.toStdString())) == expected);
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
        row("qwen3moe.rope.scaling.type", "yarn", kUnknown, "rope.scaling.type is yarn");
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
