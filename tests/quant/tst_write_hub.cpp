#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/config_from_hub.h"
#include "model/config_to_hub.h"
#include "model/model_tensors.h"
#include "quant/write_hub.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = ESPALIER_TEST_DATA;

std::vector<float> decoded(const ModelSource& model, const TensorKey& key) {
    std::vector<float> values(*num_elements(model.shape(key)));
    model.decode(key, values);
    return values;
}

/// Values pass through 1 + w and the logarithm of a decay, each with one rounding.
bool nearly_equal(const std::vector<float>& a, const std::vector<float>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!(std::abs(a[i] - b[i]) <= 1e-6F * std::max(1.0F, std::abs(b[i])))) return false;
    }
    return a.size() == b.size();
}

}  // namespace

class TestWriteHub : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void the_folder_is_the_same_model_data() {
        QTest::addColumn<QString>("model");
        for (const char* name : {"qwen3moe", "mixtral", "qwen2moe", "olmoe", "qwen3next", "gpt_oss",
                                 "deepseek3", "glm4moe"}) {
            QTest::addRow("gguf, %s", name) << QString("gguf/models/%1/%1.q4_k_m.gguf").arg(name);
        }
        const Json cases = read_json_file(kGolden / "models/cases.json");
        for (const auto& item : cases.items()) {
            QTest::addRow("%s", item.key().c_str())
                << QString("models/%1").arg(QString::fromStdString(item.key()));
        }
    }

    void the_folder_is_the_same_model() {
        QFETCH(QString, model);
        const QTemporaryDir dir;
        const fs::path out = dir.filePath("out").toStdString();
        const auto original = ModelSource::open(kGolden / model.toStdString());
        write_hub({.model = *original, .out = out});
        const auto copy = ModelSource::open(out);
        MoeConfig expected = original->config();
        expected.stored_dtype = copy->config().stored_dtype;
        // Of a decimal kept as a float, and a scale that is told by what it follows from.
        const double scale = copy->config().attention.scale;
        QVERIFY(std::abs(scale - expected.attention.scale) < 1e-6 * scale);
        expected.attention.scale = scale;
        QVERIFY(copy->config() == expected);
        for (const ModelTensor& tensor : model_tensors(expected)) {
            QVERIFY2(nearly_equal(decoded(*copy, tensor.key), decoded(*original, tensor.key)),
                     qPrintable(QString("role %1").arg(static_cast<int>(tensor.key.role))));
        }
    }

    void every_family_describes_itself_data() {
        QTest::addColumn<QString>("model");
        const Json cases = read_json_file(kGolden / "models/cases.json");
        for (const auto& item : cases.items()) {
            QTest::addRow("%s", item.key().c_str()) << QString::fromStdString(item.key());
        }
    }

    /// The config that is written where there was none reads back as it was.
    void every_family_describes_itself() {
        QFETCH(QString, model);
        const auto original = ModelSource::open(kGolden / "models" / model.toStdString());
        MoeConfig expected = original->config();
        expected.num_extra_layers = 0;
        const MoeConfig read =
            config_from_hub(hub_config(expected, expected.stored_dtype), {}, "config.json");
        const double scale = read.attention.scale;
        QVERIFY(std::abs(scale - expected.attention.scale) < 1e-6 * scale);
        expected.attention.scale = scale;
        QVERIFY(read == expected);
    }
};

QTEST_APPLESS_MAIN(TestWriteHub)
#include "tst_write_hub.moc"
