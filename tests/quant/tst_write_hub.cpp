#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/hub_folder.h"
#include "formats/hub_folder_writer.h"
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

bool same(const TensorView& a, const TensorView& b) {
    return a.dtype == b.dtype && a.shape == b.shape &&
           std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
}

void write_folder(const fs::path& path, const std::vector<NamedTensor>& tensors,
                  const Json& config) {
    std::vector<TensorSpec> specs;
    for (const auto& [name, view] : tensors) specs.push_back({name, view.dtype, view.shape});
    HubFolderWriter writer(path, specs);
    for (const auto& [name, view] : tensors) writer.write(name, view.bytes);
    writer.write_json("config.json", config);
    writer.commit();
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

    /// Vision towers and prediction blocks, too.
    void a_folder_keeps_every_tensor_as_it_is_data() {
        QTest::addColumn<QString>("model");
        for (const char* name : {"qwen3_5_moe-hub-layout", "qwen3_next-hybrid", "mixtral-basic"}) {
            QTest::addRow("%s", name) << QString(name);
        }
    }

    void a_folder_keeps_every_tensor_as_it_is() {
        QFETCH(QString, model);
        const QTemporaryDir dir;
        const fs::path out = dir.filePath("out").toStdString();
        const auto original = ModelSource::open(kGolden / "models" / model.toStdString());
        write_hub({.model = *original, .out = out});
        const HubFolder copy(out);
        QCOMPARE(copy.tensors().size(), original->stored_tensors().size());
        for (const NamedTensor& tensor : original->stored_tensors()) {
            const TensorView* found = copy.find(tensor.name);
            QVERIFY2(found != nullptr && same(*found, tensor.view), tensor.name.c_str());
        }
        QVERIFY(copy.config() == original->hub_folder()->config());
        QVERIFY(ModelSource::open(out)->extra_tensors() == original->extra_tensors());
        QVERIFY(fs::exists(out / "espalier.json"));
    }

    /// A matrix with factors becomes numbers wherever it is; what only looks like one stays.
    void pairs_of_parts_that_text_does_not_pass_through() {
        const QTemporaryDir dir;
        const fs::path in = dir.filePath("in").toStdString();
        const fs::path out = dir.filePath("out").toStdString();
        const auto original = ModelSource::open(kGolden / "models/qwen3_5_moe-hub-layout");
        const std::vector<std::byte> codes(130 * 2, std::byte{0x3C});  // 1.5
        const std::vector<float> factors{0.25F, 2.0F};
        std::vector<NamedTensor> tensors(original->stored_tensors().begin(),
                                         original->stored_tensors().end());
        const auto add = [&](const char* name, Shape shape, std::span<const float> scales) {
            const auto factor_bytes = std::as_bytes(scales);
            const auto count = static_cast<std::int64_t>(scales.size());
            tensors.push_back(
                {name + std::string("_scale_inv"), {DType::F32, {count, 1}, factor_bytes}});
            tensors.push_back({name, {DType::F8E4M3, std::move(shape), codes}});
        };
        add("mtp.pair.weight", {130, 2}, factors);
        add("mtp.other.weight", {2, 130}, std::span(factors).first(1));  // two factors are needed
        write_folder(in, tensors, original->hub_folder()->config());
        write_hub({.model = *ModelSource::open(in), .out = out});
        const HubFolder copy(out);
        QCOMPARE(copy.tensors().size(), tensors.size() - 1);
        const TensorView* values = copy.find("mtp.pair.weight");
        QVERIFY(values != nullptr && values->dtype == DType::F32);
        QVERIFY((values->shape == Shape{130, 2}));
        std::vector<float> expected(256, 0.375F);
        expected.insert(expected.end(), 4, 3.0F);
        const auto bytes = std::as_bytes(std::span(expected));
        QVERIFY(std::equal(bytes.begin(), bytes.end(), values->bytes.begin(), values->bytes.end()));
        for (const char* name : {"mtp.other.weight", "mtp.other.weight_scale_inv"}) {
            const auto& tensor = *std::find_if(tensors.begin(), tensors.end(),
                                               [&](const auto& t) { return t.name == name; });
            QVERIFY2(copy.find(name) != nullptr && same(*copy.find(name), tensor.view), name);
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
