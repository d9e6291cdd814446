#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/file_hash.h"
#include "base/json.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_value.h"
#include "kernels/decode.h"
#include "model/model_source.h"
#include "quant/write_gguf.h"
#include "routing/provenance.h"
#include "support/error_of.h"
#include "tensor/shape.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = fs::path(ESPALIER_TEST_DATA) / "gguf/models";

/// Names of the manifest for the alternatives of GgufValue, in their order.
const char* const kScalarNames[] = {"UINT8",   "INT8", "UINT16", "INT16",  "UINT32", "INT32",
                                    "FLOAT32", "BOOL", "STRING", "UINT64", "INT64",  "FLOAT64"};

std::string type_name(const GgufValue& value) {
    const auto* array = std::get_if<GgufArray>(&value);
    // GgufArray has the same element types in the same order.
    return array ? fmt::format("ARRAY[{}]", kScalarNames[array->index()])
                 : kScalarNames[value.index()];
}

Json json_of(const GgufValue& value) {
    return std::visit(
        [](const auto& content) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(content)>, GgufArray>) {
                return std::visit([](const auto& items) { return Json(items); }, content);
            } else {
                return content;
            }
        },
        value);
}

std::vector<std::int64_t> shape_of_ne(const Json& ne) {
    std::vector<std::int64_t> shape(ne.size());
    std::transform(ne.rbegin(), ne.rend(), shape.begin(),
                   [](const Json& dim) { return dim.get<std::int64_t>(); });
    return shape;
}

fs::path golden_file(const std::string& model) {
    return kModels / model / (model + ".q4_k_m.gguf");
}

std::string sha256_of(std::span<const std::byte> bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.hex();
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

void add_models() {
    QTest::addColumn<QString>("model");
    for (const char* name : {"qwen3moe", "mixtral", "qwen2moe", "olmoe", "qwen3next", "gpt_oss",
                             "deepseek3", "glm4moe"}) {
        QTest::newRow(name) << name;
    }
}

/// Writers differ in whether they keep outermost dimensions of 1.
std::vector<std::int64_t> without_ones(std::vector<std::int64_t> shape) {
    std::erase(shape, 1);
    return shape;
}

/// max |a - b| of two float32 tensors of the same size.
float largest_difference(const TensorView& a, const TensorView& b) {
    std::vector<float> left(*num_elements(a.shape));
    std::vector<float> right(left.size());
    kernels::decode(a.dtype, a.bytes, left);
    kernels::decode(b.dtype, b.bytes, right);
    float most = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
        most = std::max(most, std::abs(left[i] - right[i]));
    }
    return most;
}

/// Every fourth column matters fifty times as much.
double uneven_energy(std::int64_t column) { return column % 4 == 0 ? 50.0 : 1.0; }

/// Input energies of the experts that say so.
ExpertStats uneven_importance(const MoeConfig& config) {
    const auto energies = [](std::int64_t count, std::int64_t times) {
        std::vector<double> values;
        for (std::int64_t t = 0; t < times; ++t) {
            for (std::int64_t i = 0; i < count; ++i) values.push_back(100.0 * uneven_energy(i));
        }
        return values;
    };
    ExpertStats stats;
    const std::int64_t experts = config.router.num_experts;
    for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
        LayerStats& sums = stats.layers[layer];
        sums.count.assign(static_cast<std::size_t>(experts), 100);
        sums.gate_up_input_sq_sum = energies(config.hidden_size, experts);
        sums.down_input_sq_sum = energies(config.moe_intermediate_size, experts);
    }
    return stats;
}

/// sum w e^2 over the first expert's gate_proj of `file`, weights as uneven_importance() has
/// them.
double uneven_error(const ModelSource& original, const fs::path& file) {
    const TensorKey key{TensorRole::ExpertGate, 0, 0};
    const auto size = num_elements(original.shape(key)).value();
    std::vector<float> before(size);
    std::vector<float> after(size);
    original.decode(key, before);
    ModelSource::open(file)->decode(key, after);
    const auto columns = static_cast<std::size_t>(original.config().hidden_size);
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
        const double error = static_cast<double>(before[i]) - static_cast<double>(after[i]);
        sum += uneven_energy(static_cast<std::int64_t>(i % columns)) * error * error;
    }
    return sum;
}

}  // namespace

class TestWriteGguf : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        folder_ = std::make_unique<QTemporaryDir>();
        QVERIFY(folder_->isValid());
    }

    void keys_are_those_of_the_reference_converter_data() { add_models(); }

    void keys_are_those_of_the_reference_converter() {
        QFETCH(QString, model);
        const fs::path golden = kModels / model.toStdString();
        const Json manifest = read_json_file(golden / "manifest.json");
        for (const std::string type : {"f32", "q8_0", "q4_k_m"}) {
            const fs::path file = write(golden / "hf", type, "Tiny " + model.toStdString());
            const GgufFile written(file);
            const GgufMetadata& keys = written.metadata();
            QCOMPARE(keys.entries().size(), manifest["metadata_f32"].size());
            for (const Json& row : manifest["metadata_f32"]) {
                const auto key = row["key"].get<std::string>();
                const GgufValue* value = keys.find(key);
                QVERIFY2(value != nullptr, key.c_str());
                QVERIFY2(type_name(*value) == row["type"].get<std::string>(), key.c_str());
                const Json& expected = type != "f32" && key == "general.file_type"
                                           ? manifest["metadata_changes"][type][key]
                                           : row["value"];
                QVERIFY2(json_of(*value) == expected, key.c_str());
            }
        }
    }

    void tensors_are_those_of_the_reference_converter_data() { add_models(); }

    void tensors_are_those_of_the_reference_converter() {
        QFETCH(QString, model);
        const fs::path golden = kModels / model.toStdString();
        const Json manifest = read_json_file(golden / "manifest.json");
        const GgufFile written(write(golden / "hf", "f32"));
        QCOMPARE(written.tensors().size(), manifest["tensors"].size());
        for (const Json& row : manifest["tensors"]) {
            const auto name = row["name"].get<std::string>();
            const TensorView* tensor = written.find(name);
            QVERIFY2(tensor != nullptr, name.c_str());
            QVERIFY2(without_ones(tensor->shape) == without_ones(shape_of_ne(row["ne"])),
                     name.c_str());
            if (row.contains("f32_tolerance")) {  // an exp() is in it
                const GgufFile reference(golden_file(model.toStdString()));
                QVERIFY2(largest_difference(*tensor, *reference.find(name)) <= row["f32_tolerance"],
                         name.c_str());
                continue;
            }
            QVERIFY2(sha256_of(tensor->bytes) == row["f32_sha256"].get<std::string>(),
                     name.c_str());
        }
    }

    void q8_0_has_the_bytes_of_llama_cpp() {
        const GgufFile written(write(kModels / "qwen3moe/hf", "q8_0"));
        const GgufFile golden(kModels / "qwen3moe/qwen3moe.q8_0.gguf");
        QCOMPARE(written.tensors().size(), golden.tensors().size());
        for (const NamedTensor& tensor : golden.tensors()) {
            QVERIFY2(same_bytes(written.find(tensor.name)->bytes, tensor.view.bytes),
                     tensor.name.c_str());
        }
    }

    void mxfp4_has_the_bytes_of_llama_cpp() {
        const GgufFile written(write(kModels / "gpt_oss/hf", "mxfp4_moe"));
        const GgufFile golden(kModels / "gpt_oss/gpt_oss.mxfp4.gguf");
        QCOMPARE(written.metadata().integer("general.file_type"), std::int64_t{38});
        QCOMPARE(written.tensors().size(), golden.tensors().size());
        for (const NamedTensor& tensor : golden.tensors()) {
            QVERIFY2(same_bytes(written.find(tensor.name)->bytes, tensor.view.bytes),
                     tensor.name.c_str());
        }
    }

    /// The published form of gpt-oss keeps its values.
    void mxfp4_of_a_hub_folder_loses_nothing() {
        const fs::path hub = fs::path(ESPALIER_TEST_DATA) / "models/gpt_oss-mxfp4";
        const auto original = ModelSource::open(hub);
        const auto copy = ModelSource::open(write(hub, "mxfp4_moe"));
        for (const TensorRole role :
             {TensorRole::ExpertGate, TensorRole::ExpertUp, TensorRole::ExpertDown}) {
            for (std::int32_t expert = 0; expert < 6; ++expert) {
                const TensorKey key{role, 1, expert};
                std::vector<float> before(*num_elements(original->shape(key)));
                std::vector<float> after(before.size());
                original->decode(key, before);
                copy->decode(key, after);
                QVERIFY(after == before);
            }
        }
    }

    void a_gguf_source_gives_the_same_file_as_the_folder_data() { add_models(); }

    void a_gguf_source_gives_the_same_file_as_the_folder() {
        QFETCH(QString, model);
        const fs::path hub = kModels / model.toStdString() / "hf";
        const fs::path f32 = write(hub, "f32");
        for (const std::string type : {"q8_0", "q4_k_m", "bf16"}) {
            const fs::path from_hub = write(hub, type);
            const std::string expected = sha256_of_file(from_hub);
            QCOMPARE(sha256_of_file(write(f32, type, {}, "again." + type)), expected);
        }
    }

    void blocks_of_the_same_type_are_copied_data() { add_models(); }

    void blocks_of_the_same_type_are_copied() {
        QFETCH(QString, model);
        const GgufFile golden(golden_file(model.toStdString()));
        const GgufFile written(write(golden.file().path(), "q4_k_m"));
        for (const NamedTensor& tensor : golden.tensors()) {
            if (tensor.name.ends_with("ssm_a")) {  // through a logarithm and back
                QVERIFY(largest_difference(*written.find(tensor.name), tensor.view) <= 1e-6F);
                continue;
            }
            if (tensor.name.ends_with("attn_k_b.weight")) continue;  // turned, so coded again
            QVERIFY2(same_bytes(written.find(tensor.name)->bytes, tensor.view.bytes),
                     tensor.name.c_str());
        }
        QVERIFY(written.metadata() == golden.metadata());
    }

    void bytes_do_not_depend_on_threads() {
        const fs::path hub = kModels / "qwen3moe/hf";
        const auto hash = [&](std::size_t threads) {
            threads_ = threads;
            return sha256_of_file(write(hub, "q4_k_m", {}, fmt::format("{}.gguf", threads)));
        };
        const std::string one = hash(1);
        QCOMPARE(hash(2), one);
        QCOMPARE(hash(5), one);
    }

    void importance_lowers_the_weighted_error() {
        const auto model = ModelSource::open(kModels / "qwen3moe/hf");
        const ExpertStats stats = uneven_importance(model->config());
        const QuantReport plain = report_of(*model, "q4_k_m", nullptr);
        const double plain_error = uneven_error(*model, path("report.gguf"));
        const QuantReport weighted = report_of(*model, "q4_k_m", &stats);
        QCOMPARE(weighted.bytes, plain.bytes);
        QVERIFY(uneven_error(*model, path("report.gguf")) < 0.8 * plain_error);
    }

    void refuses_statistics_of_another_model() {
        const auto model = ModelSource::open(kModels / "qwen3moe/hf");
        MoeConfig other = model->config();
        other.hidden_size = 100;
        const ExpertStats stats = uneven_importance(other);
        const auto error = test::error_of([&] { report_of(*model, "q4_k_m", &stats); });
        QVERIFY(error && error->code() == ErrorCode::UsageInvalid);
        expect_no_files();
    }

    void reports_fallbacks_and_bytes() {
        const auto model = ModelSource::open(kModels / "qwen3moe/hf");
        const QuantReport report = report_of(*model, "q4_k_m", nullptr);
        QCOMPARE(report.bytes, std::uint64_t{561568});  // as llama.cpp's file
        QCOMPARE(report.fallbacks.size(), std::size_t{4});
        QCOMPARE(report.fallbacks.front(),
                 std::string("blk.0.attn_output.weight: Q5_K -> Q5_1 (rows of 128)"));
        std::uint64_t sum = 0;
        for (const auto& [type, bytes] : report.bytes_by_type) sum += bytes;
        QCOMPARE(sum, plan_quantization(model->config(), "q4_k_m").total_bytes());
        QVERIFY(report.bytes_by_type.contains("Q4_K"));
    }

    void names_what_a_gguf_file_does_not_hold() {
        const auto model =
            ModelSource::open(fs::path(ESPALIER_TEST_DATA) / "models/qwen3_5_moe-hub-layout");
        QVERIFY(!model->extra_tensors().empty());
        QVERIFY(report_of(*model, "f32", nullptr).dropped_tensors == model->extra_tensors());
        const auto plain = ModelSource::open(kModels / "qwen3moe/hf");
        QVERIFY(report_of(*plain, "f32", nullptr).dropped_tensors.empty());
    }

    void progress_rises_to_the_total() {
        const auto model = ModelSource::open(kModels / "mixtral/hf");
        const QuantPlan plan = plan_quantization(model->config(), "q8_0");
        ThreadPool pool(1);
        std::uint64_t last = 0;
        bool is_rising = true;
        const auto progress = [&](std::uint64_t done, std::uint64_t total,
                                  std::string_view tensor) {
            is_rising = is_rising && done > last && done <= total && !tensor.empty();
            last = done;
        };
        write_gguf({*model, plan, nullptr, path("out.gguf"), pool, progress, {}});
        QVERIFY(is_rising);
        QCOMPARE(last, plan.total_bytes());
    }

    void stops_when_asked_and_leaves_nothing() {
        const auto model = ModelSource::open(kModels / "qwen3moe/hf");
        const QuantPlan plan = plan_quantization(model->config(), "q4_k_m");
        ThreadPool pool(2);
        std::stop_source source;
        int calls = 0;
        const auto stop_halfway = [&](std::uint64_t, std::uint64_t, std::string_view) {
            if (++calls == 20) source.request_stop();
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, write_gguf({*model, plan, nullptr, path("out.gguf"),
                                                        pool, stop_halfway, source.get_token()}));
        QCOMPARE(calls, 20);
        expect_no_files();
    }

    void names_the_tensor_that_holds_a_nan() {
        const fs::path hub = copy_of(kModels / "qwen3moe/hf");
        {
            // The last two bytes of the file belong to the last tensor, in bfloat16.
            std::fstream file(hub / "model.safetensors",
                              std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(-2, std::ios::end);
            file.write("\xC0\x7F", 2);
        }
        const auto error = test::error_of([&] { write(hub, "q8_0"); });
        QVERIFY(error && error->code() == ErrorCode::NumberInvalid);
        QVERIFY2(QString(error->what()).contains("weight holds nan in row"), error->what());
        expect_no_files();
    }

    void carries_the_lineage_record() {
        const fs::path hub = copy_of(kModels / "qwen3moe/hf");
        Provenance provenance = provenance_of(*ModelSource::open(hub));
        provenance.base_name = "Rose";
        provenance.expert_map[1] = {1, 2, 3, 5, 8, 13, 21, 34};
        write_json_file(hub / "espalier.json", to_json(provenance));
        const fs::path first = write(hub, "f32");
        QCOMPARE(provenance_of(*ModelSource::open(first)), provenance);
        QCOMPARE(provenance_of(*ModelSource::open(write(first, "q8_0"))), provenance);
    }

    void records_its_own_stage_if_told() {
        const auto model = ModelSource::open(kModels / "qwen3moe/hf");
        const QuantPlan plan = plan_quantization(model->config(), "q8_0");
        const Json stage = {{"stage", "quantize"}, {"config", {{"type", "q8_0"}}}};
        ThreadPool pool(1);
        write_gguf({.model = *model,
                    .plan = plan,
                    .out = path("out.gguf"),
                    .pool = pool,
                    .progress = {},
                    .stop = {},
                    .lineage = stage});
        const Provenance written = provenance_of(*ModelSource::open(path("out.gguf")));
        QVERIFY(written.lineage == Json::array({stage}));
        QCOMPARE(written.base_hash, model->hash());
        QCOMPARE(written.expert_map.size(), std::size_t{2});
    }

    void the_name_is_the_models_own_unless_given() {
        const fs::path hub = kModels / "qwen3moe/hf";
        QCOMPARE(GgufFile(write(hub, "q8_0")).metadata().text("general.name"), std::string("hf"));
        QCOMPARE(GgufFile(write(hub, "q8_0", "Rose")).metadata().text("general.name"),
                 std::string("Rose"));
    }

private:
    fs::path path(const std::string& name) const {
        return fs::path(folder_->path().toStdString()) / name;
    }

    fs::path write(const fs::path& source, const std::string& type, const std::string& name = {},
                   std::string file = {}) {
        if (file.empty()) file = type + ".gguf";
        const auto model = ModelSource::open(source);
        const QuantPlan plan = plan_quantization(model->config(), type);
        ThreadPool pool(threads_);
        write_gguf({*model, plan, nullptr, path(file), pool, {}, {}, name});
        return path(file);
    }

    QuantReport report_of(const ModelSource& model, const std::string& type,
                          const ExpertStats* stats) {
        const QuantPlan plan = plan_quantization(model.config(), type);
        ThreadPool pool(2);
        return write_gguf({model, plan, stats, path("report.gguf"), pool, {}, {}});
    }

    fs::path copy_of(const fs::path& hub) const {
        const fs::path copy = fs::path(folder_->path().toStdString()) / "source" / "hub";
        fs::create_directories(copy.parent_path());
        fs::copy(hub, copy, fs::copy_options::recursive);
        for (const auto& entry : fs::directory_iterator(copy)) {
            fs::permissions(entry, fs::perms::owner_write, fs::perm_options::add);
        }
        return copy;
    }

    /// Neither a finished nor a half-written GGUF file.
    void expect_no_files() const {
        for (const auto& entry : fs::directory_iterator(folder_->path().toStdString())) {
            QVERIFY2(entry.is_directory(), entry.path().c_str());
        }
    }

    std::unique_ptr<QTemporaryDir> folder_;
    std::size_t threads_ = 2;
};

QTEST_APPLESS_MAIN(TestWriteGguf)
#include "tst_write_gguf.moc"
