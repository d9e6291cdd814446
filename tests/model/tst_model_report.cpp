#include <QTest>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "model/model_report.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kData = ESPALIER_TEST_DATA;

}  // namespace

class TestModelReport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void tells_all_about_a_hub_folder() {
        const Json json = to_json(report_on(kData / "models/qwen3_moe-basic"));
        QCOMPARE(json.at("family").get<std::string>().c_str(), "qwen3_moe");
        QCOMPARE(json.at("layers").get<int>(), 3);
        QCOMPARE(json.at("hidden_size").get<int>(), 32);
        QCOMPARE(json.at("experts").get<int>(), 12);
        QCOMPARE(json.at("experts_per_token").get<int>(), 3);
        QCOMPARE(json.at("shared_experts").get<int>(), 0);
        QCOMPARE(json.at("context_length").get<int>(), 256);
        // Embedding and output 2*128*32, final norm 32; a layer: norms 64, attention
        // 2*(64*32) + 2*(32*32) + 2*16, router 12*32, an expert 3*12*32.
        constexpr int kLayer = 64 + 4096 + 2048 + 32 + 384;
        constexpr int kExpert = 1152;
        QCOMPARE(json.at("parameters").at("total").get<int>(), 8224 + 3 * (kLayer + 12 * kExpert));
        QCOMPARE(json.at("parameters").at("active").get<int>(), 8224 + 3 * (kLayer + 3 * kExpert));
        QCOMPARE(json.at("bytes").get<int>(), 4 * json.at("parameters").at("total").get<int>());
        QCOMPARE(json.at("types").at("F32").get<int>(), json.at("bytes").get<int>());
        const Json& first = json.at("tensors").at(0);
        QVERIFY(first.contains("name") && first.contains("type") && first.contains("bytes"));
        QVERIFY(first.at("shape").is_array());
        QVERIFY(!json.contains("problem"));
    }

    void names_what_it_leaves_aside() {
        const Json json = to_json(report_on(kData / "models/qwen3_5_moe-hub-layout"));
        QCOMPARE(json.at("shared_experts").get<int>(), 1);
        QVERIFY(!json.at("extra_tensors").empty());
        for (const Json& name : json.at("extra_tensors")) {
            const auto text = name.get<std::string>();
            QVERIFY(text.starts_with("mtp.") || text.starts_with("model.visual."));
        }
        const Json other = to_json(report_on(kData / "models/deepseek_v2-lite"));
        QCOMPARE(other.at("shared_experts").get<int>(), 2);
        QVERIFY(other.at("extra_tensors").empty());
    }

    void counts_bytes_by_type_in_a_gguf() {
        const ModelReport report = report_on(kData / "gguf/models/qwen3moe/qwen3moe.q8_0.gguf");
        QCOMPARE(report.family.c_str(), "qwen3_moe");
        QCOMPARE(report.bytes_by_type.size(), std::size_t{2});
        QCOMPARE(report.bytes_by_type.at("Q8_0") + report.bytes_by_type.at("F32"), report.bytes);
        QCOMPARE(report.total_parameters, std::uint64_t{759168});
    }

    void tells_the_tensors_of_a_single_file() {
        const ModelReport report = report_on(kData / "models/qwen3_moe-basic/model.safetensors");
        QVERIFY(report.family.empty() && !report.layers && !report.active_parameters);
        QCOMPARE(report.total_parameters, std::uint64_t{69568});
        QVERIFY(to_json(report).at("family").is_null());
    }

    void tells_what_it_can_of_an_importance_matrix() {
        const ModelReport report = report_on(kData / "gguf/imatrix/qwen3moe.imatrix.gguf");
        QVERIFY(!report.tensors.empty());
        QVERIFY(QString(report.problem.c_str()).contains("imatrix"));
        QVERIFY(to_json(report).contains("problem"));
    }

    void refuses_a_damaged_file_data() {
        QTest::addColumn<QString>("name");
        QTest::addRow("gguf") << "data_truncated.gguf";
        QTest::addRow("safetensors") << "data_truncated.safetensors";
    }

    void refuses_a_damaged_file() {
        QFETCH(QString, name);
        const auto error = error_of([&] { report_on(kData / "malformed" / name.toStdString()); });
        QVERIFY(error && error->code() == ErrorCode::FileTruncated);
    }
};

QTEST_APPLESS_MAIN(TestModelReport)
#include "tst_model_report.moc"
