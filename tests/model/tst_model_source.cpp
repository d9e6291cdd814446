#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "base/json.h"
#include "formats/gguf_writer.h"
#include "formats/hub_folder_writer.h"
#include "kernels/decode.h"
#include "model/model_source.h"
#include "model/model_tensors.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kData = ESPALIER_TEST_DATA;
const fs::path kQwen3Folder = kData / "models/qwen3_moe-basic";

std::vector<float> values_of(const ModelSource& model, const ModelTensor& tensor) {
    std::vector<float> values(num_elements(tensor.shape).value());
    model.decode(tensor.key, values);
    return values;
}

std::vector<float> values_of(const TensorView& view) {
    std::vector<float> values(num_elements(view.shape).value());
    kernels::decode(view.dtype, view.bytes, values);
    return values;
}

/// The inverse of what the engine must undo: new row 2r of a head = old row r, new row 2r+1 = old
/// row r + head_dim/2.
std::vector<float> rows_in_pairs(const std::vector<float>& rows, std::size_t row_size,
                                 std::size_t head_dim) {
    std::vector<float> paired(rows.size());
    const std::size_t half = head_dim / 2;
    for (std::size_t head = 0; head < rows.size(); head += head_dim * row_size) {
        for (std::size_t r = 0; r < half; ++r) {
            const float* base = rows.data() + head;
            std::copy_n(base + r * row_size, row_size, paired.data() + head + 2 * r * row_size);
            std::copy_n(base + (r + half) * row_size, row_size,
                        paired.data() + head + (2 * r + 1) * row_size);
        }
    }
    return paired;
}

/// The Mixtral of the hub as a float32 GGUF, by the list of the reference converter; each tensor
/// must have the hash that the converter's own had.
void write_mixtral_gguf(const ModelSource& hub, const fs::path& path) {
    const fs::path folder = kData / "gguf/models/mixtral";
    const GgufFile reference(folder / "mixtral.q4_k_m.gguf");
    const Json manifest = read_json_file(folder / "manifest.json").at("tensors");
    std::vector<TensorSpec> specs;
    std::vector<std::vector<float>> data;
    for (const auto& row : manifest) {
        auto shape = row.at("ne").get<Shape>();
        std::reverse(shape.begin(), shape.end());
        std::vector<float> values;
        for (const auto& source : row.at("from")) {
            const auto part = values_of(*hub.hub_folder()->find(source.get<std::string>()));
            values.insert(values.end(), part.begin(), part.end());
        }
        if (row.at("op") == "rotary rows to adjacent pairs")
            values = rows_in_pairs(values, 256, 32);
        Sha256 hash;
        hash.update(std::as_bytes(std::span(values)));
        QCOMPARE(hash.hex(), row.at("f32_sha256").get<std::string>());
        specs.push_back({row.at("name"), DType::F32, shape});
        data.push_back(std::move(values));
    }
    GgufWriter writer(path, reference.metadata(), specs);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        writer.write(specs[i].name, std::as_bytes(std::span(data[i])));
    }
    writer.commit();
}

struct Change {
    std::function<void(Json& config)> config = [](Json&) {};
    /// Returns false to leave the tensor out.
    std::function<bool(NamedTensor& tensor)> tensor = [](NamedTensor&) { return true; };
    std::vector<NamedTensor> more{};
};

/// A copy of the small Qwen3-MoE with something changed.
void write_changed(const fs::path& target, const Change& change) {
    const HubFolder original(kQwen3Folder);
    std::vector<NamedTensor> tensors;
    for (NamedTensor tensor : original.tensors()) {
        if (change.tensor(tensor)) tensors.push_back(tensor);
    }
    tensors.insert(tensors.end(), change.more.begin(), change.more.end());
    std::vector<TensorSpec> specs;
    for (const auto& [name, view] : tensors) specs.push_back({name, view.dtype, view.shape});
    HubFolderWriter writer(target, specs);
    for (const auto& [name, view] : tensors) writer.write(name, view.bytes);
    Json config = original.config();
    change.config(config);
    writer.write_json("config.json", config);
    writer.commit();
}

}  // namespace

class TestModelSource : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;
    fs::path target() const { return dir_->filePath("model").toStdString(); }

    std::optional<Error> error_after(const Change& change) const {
        write_changed(target(), change);
        return error_of([&] { ModelSource::open(target()); });
    }

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void opens_every_kind_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("is_hub");
        const auto row = [](const char* path, const char* name, bool is_hub) {
            QTest::addRow("%s", path) << QString(path) << QString(name) << is_hub;
        };
        row("models/qwen3_moe-basic", "qwen3_moe-basic", true);
        row("models/qwen3_moe-tied-sharded", "qwen3_moe-tied-sharded", true);
        row("models/mixtral-basic/", "mixtral-basic", true);
        row("gguf/models/qwen3moe/qwen3moe.f32.gguf", "qwen3moe.f32", false);
        row("gguf/models/qwen3moe_wide/qwen3moe_wide.q4_k_m.gguf", "qwen3moe_wide.q4_k_m", false);
        row("gguf/models/mixtral/mixtral.q4_k_m.gguf", "mixtral.q4_k_m", false);
        row("gguf/split/qwen3moe.q4_k_m-00001-of-00003.gguf", "qwen3moe.q4_k_m-00001-of-00003",
            false);
    }

    void opens_every_kind() {
        QFETCH(QString, path);
        QFETCH(QString, name);
        QFETCH(bool, is_hub);
        const auto model = ModelSource::open(kData / path.toStdString());
        QCOMPARE(QString::fromStdString(model->name()), name);
        QCOMPARE(model->hub_folder() != nullptr, is_hub);
        QCOMPARE(model->gguf_file() != nullptr, !is_hub);
        for (const auto& tensor : model_tensors(model->config())) {
            QVERIFY(model->has(tensor.key));
            QCOMPARE(model->shape(tensor.key), tensor.shape);
            const auto stored = model->stored(tensor.key);
            QVERIFY(stored && stored->view.shape == tensor.shape);
            QVERIFY(stored->view.bytes.size() == tensor_bytes(stored->view.dtype, tensor.shape));
            for (const float value : values_of(*model, tensor)) QVERIFY(std::isfinite(value));
        }
        for (std::int32_t layer = -1; layer < model->config().num_layers(); ++layer) {
            model->release_layer(layer);
        }
    }

    void every_stored_tensor_has_a_role() {
        const auto hub = ModelSource::open(kQwen3Folder);
        for (const auto& tensor : hub->stored_tensors()) QVERIFY(hub->role_of(tensor.name));
        QVERIFY(!hub->role_of("model.layers.0.mlp.bias"));
        const auto gguf = ModelSource::open(kData / "gguf/models/qwen3moe/qwen3moe.f32.gguf");
        QVERIFY(gguf->role_of("blk.1.ffn_up_exps.weight") ==
                (TensorKey{TensorRole::ExpertUp, 1, -1}));
    }

    void a_float_gguf_decodes_to_the_values_of_its_hub_folder() {
        const auto hub = ModelSource::open(kData / "gguf/models/qwen3moe/hf");
        const auto gguf = ModelSource::open(kData / "gguf/models/qwen3moe/qwen3moe.f32.gguf");
        for (const auto& tensor : model_tensors(hub->config())) {
            QVERIFY(values_of(*hub, tensor) == values_of(*gguf, tensor));
        }
    }

    void rotary_rows_are_put_back_in_order() {
        const auto hub = ModelSource::open(kData / "gguf/models/mixtral/hf");
        const fs::path path = dir_->filePath("mixtral.gguf").toStdString();
        write_mixtral_gguf(*hub, path);
        const auto gguf = ModelSource::open(path);
        for (const auto& tensor : model_tensors(hub->config())) {
            QVERIFY(values_of(*hub, tensor) == values_of(*gguf, tensor));
        }
        const TensorKey q{TensorRole::AttentionQ, 0, -1};
        QVERIFY(!gguf->view(q));
        QVERIFY(gguf->stored(q)->rows == RowOrder::RotaryPairs);
        QVERIFY(gguf->view({TensorRole::AttentionV, 0, -1}));
    }

    void experts_of_a_stack_are_slices_of_it() {
        const auto model = ModelSource::open(kData / "gguf/models/qwen3moe/qwen3moe.q4_k_m.gguf");
        const TensorView stack = *model->gguf_file()->find("blk.1.ffn_gate_exps.weight");
        const std::size_t part = stack.bytes.size() / 8;
        for (std::int32_t i = 0; i < 8; ++i) {
            const auto view = model->view({TensorRole::ExpertGate, 1, i});
            QCOMPARE(view->shape, (Shape{32, 256}));
            QVERIFY(view->bytes.data() == stack.bytes.data() + static_cast<std::size_t>(i) * part);
            QCOMPARE(view->bytes.size(), part);
        }
        QVERIFY(!model->has({TensorRole::ExpertGate, 1, 8}));
    }

    void tied_models_have_no_output_tensor() {
        const auto model = ModelSource::open(kData / "models/qwen3_moe-tied-sharded");
        const TensorKey output{TensorRole::Output, -1, -1};
        QVERIFY(!model->has(output) && !model->view(output) && !model->stored(output));
        std::vector<float> values(1);
        QVERIFY(error_of([&] { model->decode(output, values); })->code() == ErrorCode::ArchTensor);
        QVERIFY(error_of([&] { static_cast<void>(model->shape(output)); }));
        QVERIFY(error_of([&] { model->decode({TensorRole::OutputNorm, -1, -1}, values); }));
    }

    void an_output_tensor_beside_tied_embeddings_is_not_used() {
        write_changed(target(), {.config = [](Json& json) { json["tie_word_embeddings"] = true; }});
        QVERIFY(!ModelSource::open(target())->has({TensorRole::Output, -1, -1}));
    }

    void hashes_tell_weights_and_configs_apart() {
        const std::string original = ModelSource::open(kQwen3Folder)->hash();
        QCOMPARE(original.size(), std::size_t{64});
        write_changed(target(), {});
        QCOMPARE(ModelSource::open(target())->hash(), original);
        write_changed(dir_->filePath("b").toStdString(),
                      {.config = [](Json& json) { json["num_experts_per_tok"] = 2; }});
        QVERIFY(ModelSource::open(dir_->filePath("b").toStdString())->hash() != original);
        std::vector<std::byte> zeros(128 * 32 * 4);
        write_changed(dir_->filePath("c").toStdString(), {.tensor = [&](NamedTensor& tensor) {
                          if (tensor.name == "lm_head.weight") tensor.view.bytes = zeros;
                          return true;
                      }});
        QVERIFY(ModelSource::open(dir_->filePath("c").toStdString())->hash() != original);
    }

    void names_a_missing_tensor() {
        const char* name = "model.layers.1.mlp.experts.11.up_proj.weight";
        const auto error =
            error_after({.tensor = [&](NamedTensor& tensor) { return tensor.name != name; }});
        QVERIFY(error && error->code() == ErrorCode::ArchTensor);
        QVERIFY(QString(error->what()).contains(name));
    }

    void names_a_tensor_of_the_wrong_shape() {
        const auto error = error_after({.tensor = [](NamedTensor& tensor) {
            if (tensor.name == "model.norm.weight") tensor.view.shape = {2, 16};
            return true;
        }});
        QVERIFY(error && error->code() == ErrorCode::ArchTensor);
        QVERIFY(QString(error->what()).contains("\"model.norm.weight\" of shape [2, 16]"));
        QVERIFY(QString(error->what()).contains("[32]"));
    }

    void names_a_tensor_that_is_unknown_or_has_no_place_data() {
        QTest::addColumn<QString>("name");
        QTest::addRow("unknown") << "model.layers.0.self_attn.sinks";
        QTest::addRow("bias that the config denies") << "model.layers.0.self_attn.q_proj.bias";
        QTest::addRow("layer past the last") << "model.layers.3.mlp.gate.weight";
        QTest::addRow("expert past the last") << "model.layers.0.mlp.experts.12.up_proj.weight";
    }

    void names_a_tensor_that_is_unknown_or_has_no_place() {
        QFETCH(QString, name);
        const std::vector<std::byte> bytes(4);
        const auto error =
            error_after({.more = {{name.toStdString(), {DType::F32, {1}, std::span(bytes)}}}});
        QVERIFY(error && error->code() == ErrorCode::ArchTensor);
        QVERIFY(QString(error->what()).contains(name));
    }

    void tensors_without_influence_are_ignored() {
        const std::vector<std::byte> bytes(4);
        write_changed(target(), {.more = {{"model.layers.0.self_attn.rotary_emb.inv_freq",
                                           {DType::F32, {1}, std::span(bytes)}}}});
        ModelSource::open(target());
    }

    /// One matrix of [12, 32], all 1.5, as published FP8 models have theirs.
    void small_floats_come_with_their_factors_data() {
        QTest::addColumn<bool>("has_float8");
        QTest::addColumn<bool>("has_factor");
        QTest::addColumn<QString>("words");
        QTest::addRow("a pair") << true << true << "";
        QTest::addRow("no factor") << true << false << "lacks tensor";
        QTest::addRow("a factor of nothing") << false << true << "no place";
    }

    void small_floats_come_with_their_factors() {
        QFETCH(bool, has_float8);
        QFETCH(bool, has_factor);
        QFETCH(QString, words);
        const std::string name = "model.layers.1.mlp.experts.3.up_proj.weight";
        const std::vector<std::byte> codes(12 * 32, std::byte{0x3C});
        const std::vector<float> factor{0.25F};
        Change change;
        change.tensor = [&](NamedTensor& tensor) {
            if (has_float8 && tensor.name == name) tensor.view = {DType::F8E4M3, {12, 32}, codes};
            return true;
        };
        if (has_factor) {
            change.more = {
                {name + "_scale_inv", {DType::F32, {1, 1}, std::as_bytes(std::span(factor))}}};
        }
        const auto error = error_after(change);
        QCOMPARE(error.has_value(), !words.isEmpty());
        if (error) {
            QVERIFY2(QString(error->what()).contains(words), error->what());
            QVERIFY2(QString(error->what()).contains("up_proj.weight_scale_inv"), error->what());
            return;
        }
        const auto model = ModelSource::open(target());
        const TensorKey key{TensorRole::ExpertUp, 1, 3};
        QVERIFY(!model->view(key) && !model->stored(key));
        for (const float value : values_of(*model, {key, {12, 32}})) QCOMPARE(value, 0.375F);
        QVERIFY(model->role_of(name + "_scale_inv") == key);
    }

    void weights_that_are_no_numbers_are_refused() {
        const auto error = error_after({.tensor = [](NamedTensor& tensor) {
            if (tensor.name == "model.norm.weight") tensor.view.dtype = DType::I32;
            return true;
        }});
        QVERIFY(error && error->code() == ErrorCode::FileUnsupported);
        QVERIFY(QString(error->what()).contains("model.norm.weight"));
    }

    void refuses_what_is_no_model_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("code");
        QTest::addRow("nothing") << "nothing"
                                 << "E-FILE-01";
        QTest::addRow("empty folder") << "."
                                      << "E-FILE-01";
        QTest::addRow("text") << "text.txt"
                              << "E-FILE-05";
        QTest::addRow("empty gguf") << "empty.gguf"
                                    << "E-FILE-03";
        QTest::addRow("text as gguf") << "text.gguf"
                                      << "E-FILE-04";
    }

    void refuses_what_is_no_model() {
        QFETCH(QString, path);
        QFETCH(QString, code);
        const fs::path folder = dir_->path().toStdString();
        write_file(folder / "text.txt", "hello");
        write_file(folder / "text.gguf", "hello");
        write_file(folder / "empty.gguf", "");
        const auto error = error_of([&] { ModelSource::open(folder / path.toStdString()); });
        QVERIFY(error);
        QCOMPARE(QString::fromStdString(std::string(code_text(error->code()))), code);
    }

    void hands_out_the_tokenizer_and_its_template() {
        QVERIFY(!ModelSource::open(kQwen3Folder)->tokenizer_files());
        const auto files =
            ModelSource::open(fs::path(ESPALIER_SAMPLE) / "model")->tokenizer_files();
        QVERIFY(files && files->tokenizer.contains("model") && files->config.is_object());
        QCOMPARE(files->chat_template,
                 read_file(fs::path(ESPALIER_SAMPLE) / "model/chat_template.jinja"));
    }

    void takes_the_template_from_the_config_data() {
        QTest::addColumn<QByteArray>("json");
        QTest::addColumn<QString>("text");
        QTest::addRow("text") << QByteArray("{\"chat_template\":\"A\"}") << "A";
        QTest::addRow("list") << QByteArray(
                                     "{\"chat_template\":[{\"name\":\"tool\",\"template\":\"T\"},"
                                     "{\"name\":\"default\",\"template\":\"D\"}]}")
                              << "D";
        QTest::addRow("absent") << QByteArray("{}") << "";
        QTest::addRow("odd") << QByteArray("{\"chat_template\":[1,{\"name\":\"default\"}]}") << "";
    }

    void takes_the_template_from_the_config() {
        QFETCH(QByteArray, json);
        QFETCH(QString, text);
        write_changed(target(), {});
        write_file(target() / "tokenizer.json", "{}");
        write_file(target() / "tokenizer_config.json", json.toStdString());
        const auto files = ModelSource::open(target())->tokenizer_files();
        QVERIFY(files);
        QCOMPARE(QString::fromStdString(files->chat_template), text);
    }
};

QTEST_APPLESS_MAIN(TestModelSource)
#include "tst_model_source.moc"
