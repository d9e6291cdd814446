#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_hash.h"
#include "base/rng.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"
#include "routing/expert_stats.h"
#include "routing/golden_example.h"

using namespace espalier;

namespace {

ExpertStats example(std::uint64_t seed) {
    Rng rng(seed);
    ExpertStats stats;
    stats.model_hash = "model";
    stats.tokenizer_hash = "tokenizer";
    stats.data_hash = "data";
    stats.num_experts = 4;
    stats.top_k = 2;
    stats.tasks = {"python", "prose.1"};
    stats.settings = {{"context", 128}, {"shard", {{"index", seed}, {"count", 3}}}};
    for (const std::int64_t index : {1, 3}) {
        LayerStats layer = empty_layer_stats(4, 2, StatChoice::all());
        layer.tokens = 100;
        layer.task_tokens = {60, 40};
        for (auto* counts :
             {&layer.count, &layer.coactivation, &layer.gate_histogram, &layer.half_count,
              &layer.task_count, &layer.position_count, &layer.doubling_count}) {
            for (auto& value : *counts) value = static_cast<std::int64_t>(rng.below(40));
        }
        for (auto* sums :
             {&layer.gate_sum, &layer.norm_sum, &layer.gated_norm_sum, &layer.gated_norm_sq_sum,
              &layer.norm_sq_sum, &layer.max_abs, &layer.half_gated_norm_sum, &layer.task_gate_sum,
              &layer.task_gated_norm_sum, &layer.doubling_gate_sum, &layer.doubling_gated_norm_sum,
              &layer.hidden_sq_sum, &layer.easy_ep_sum, &layer.task_easy_ep_sum,
              &layer.substitution_sum, &layer.substitution_sq_sum}) {
            for (auto& value : *sums) value = rng.uniform() * 1e3;
        }
        // Exact in float32, as the second file holds them.
        layer.output_sum.assign(4 * 6, 0.5);
        layer.gate_up_input_sq_sum.assign(4 * 6, static_cast<double>(rng.below(1000)));
        layer.down_input_sq_sum.assign(4 * 3, 2.25);
        layer.gated_gram.assign(4 * 4, static_cast<double>(rng.below(1000)));
        layer.channel_energy.assign(4 * 3, 8.0);
        layer.channel_max_sq.assign(4 * 3, static_cast<double>(rng.below(1000)));
        layer.down_column_sq.assign(4 * 3, 7.0);
        layer.router_profile.assign(4 * 5, -1.5);
        layer.input_sample.assign(5 * 6, 2.5);
        layer.gated_output_sum.assign(4 * 6, 0.125);
        layer.top_contexts.resize(4);
        layer.top_contexts[2] = {{.gate = rng.uniform(),
                                  .row = static_cast<std::int64_t>(seed),
                                  .window = 1,
                                  .position = 2,
                                  .token = 3,
                                  .task = 1,
                                  .before = "a \"quoted\"\n",
                                  .text = "\u00e4",
                                  .after = " b"}};
        stats.layers[index] = layer;
    }
    stats.input_energies["blk.1.attn_q"] = {100, {1.0, 2.5, 4.0}};
    return stats;
}

/// Rewrites a statistics file with one tensor or the metadata replaced.
struct Forgery {
    std::string tensor;  ///< replaced by `bytes`, or left out if those are empty
    DType dtype = DType::I64;
    Shape shape;
    std::vector<std::byte> bytes;
    std::string metadata;  ///< instead of the file's, if not empty
};

void forge(const std::filesystem::path& source, const std::filesystem::path& target,
           const Forgery& forgery) {
    const SafetensorsFile file(source);
    std::vector<TensorSpec> specs;
    std::vector<std::span<const std::byte>> data;
    for (const NamedTensor& tensor : file.tensors()) {
        const bool forged = tensor.name == forgery.tensor;
        if (forged && forgery.bytes.empty()) continue;
        specs.push_back(forged ? TensorSpec{tensor.name, forgery.dtype, forgery.shape}
                               : TensorSpec{tensor.name, tensor.view.dtype, tensor.view.shape});
        data.push_back(forged ? std::span<const std::byte>(forgery.bytes) : tensor.view.bytes);
    }
    auto metadata = file.metadata();
    if (!forgery.metadata.empty()) metadata["espalier"] = forgery.metadata;
    SafetensorsWriter writer(target, specs, metadata);
    for (std::size_t i = 0; i < specs.size(); ++i) writer.write(specs[i].name, data[i]);
    writer.commit();
}

template <typename T>
std::vector<std::byte> bytes_of(std::initializer_list<T> values) {
    const std::vector<T> copy(values);
    const auto bytes = std::as_bytes(std::span(copy));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

class TestExpertStats : public QObject {
    Q_OBJECT

private:
    QTemporaryDir folder_;
    std::filesystem::path path(const char* name) const {
        return std::filesystem::path(folder_.path().toStdString()) / name;
    }
    void verify_equal(const ExpertStats& a, const ExpertStats& b) {
        QCOMPARE(a.model_hash, b.model_hash);
        QCOMPARE(a.tokenizer_hash, b.tokenizer_hash);
        QCOMPARE(a.data_hash, b.data_hash);
        QCOMPARE(a.num_experts, b.num_experts);
        QCOMPARE(a.top_k, b.top_k);
        QCOMPARE(a.tasks, b.tasks);
        QVERIFY(a.settings == b.settings);
        QVERIFY(a.layers == b.layers);
        QVERIFY(a.input_energies == b.input_energies);
    }

private Q_SLOTS:
    void saved_statistics_load_the_same() {
        const ExpertStats stats = example(1);
        const std::string hash = save_expert_stats(stats, path("a.safetensors"));
        QCOMPARE(hash, sha256_of_file(path("a.safetensors")));
        ExpertStats loaded = load_expert_stats(path("a.safetensors"), true);
        QVERIFY(loaded.layers.at(1).top_contexts.empty());  // the user's texts are asked for apart
        load_expert_contexts(path("a.safetensors"), loaded);
        verify_equal(loaded, stats);
        QCOMPARE(loaded.file_hash, hash);
        QCOMPARE(loaded.total_tokens(), std::int64_t{100});
    }

    void same_statistics_give_the_same_bytes() {
        save_expert_stats(example(1), path("b.safetensors"));
        save_expert_stats(example(1), path("c.safetensors"));
        QCOMPARE(sha256_of_file(path("b.safetensors")), sha256_of_file(path("c.safetensors")));
    }

    void vectors_are_read_only_when_asked_for() {
        save_expert_stats(example(1), path("d.safetensors"));
        const ExpertStats loaded = load_expert_stats(path("d.safetensors"));
        QVERIFY(loaded.layers.at(1).output_sum.empty());
        QVERIFY(loaded.input_energies.at("blk.1.attn_q").sq_sum.empty());
        QCOMPARE(loaded.input_energies.at("blk.1.attn_q").tokens, std::int64_t{100});
    }

    void small_file_is_enough() {
        save_expert_stats(example(1), path("e.safetensors"));
        std::filesystem::remove(path("e.vectors.safetensors"));
        const ExpertStats loaded = load_expert_stats(path("e.safetensors"), true);
        QVERIFY(loaded.layers.at(3).output_sum.empty());
        QCOMPARE(loaded.layers.at(3).count, example(1).layers.at(3).count);
    }

    void what_was_not_gathered_is_not_there() {
        ExpertStats stats = example(1);
        for (auto& [index, layer] : stats.layers) layer = empty_layer_stats(4, 2, StatChoice());
        stats.input_energies.clear();
        save_expert_stats(stats, path("basic.safetensors"));
        QVERIFY(!std::filesystem::exists(path("basic.vectors.safetensors")));
        QVERIFY(!std::filesystem::exists(path("basic.contexts.json")));
        ExpertStats loaded = load_expert_stats(path("basic.safetensors"), true);
        load_expert_contexts(path("basic.safetensors"), loaded);
        verify_equal(loaded, stats);
    }

    void contexts_of_other_statistics_are_refused() {
        ExpertStats stats = example(1);
        save_expert_stats(stats, path("texts.safetensors"));
        stats.data_hash = "other data";
        QVERIFY_THROWS_EXCEPTION(Error, load_expert_contexts(path("texts.safetensors"), stats));
        stats = example(1);
        stats.num_experts = 5;
        QVERIFY_THROWS_EXCEPTION(Error, load_expert_contexts(path("texts.safetensors"), stats));
        stats = example(1);
        stats.tasks.pop_back();
        QVERIFY_THROWS_EXCEPTION(Error, load_expert_contexts(path("texts.safetensors"), stats));
    }

    void names_choose_statistics() {
        QVERIFY(StatChoice::parse("") == StatChoice::defaults());
        QVERIFY(StatChoice::parse("all") == StatChoice::all());
        QVERIFY(StatChoice::parse("basic") == StatChoice());
        const StatChoice more = StatChoice::parse("coact_gram,sas");
        QVERIFY(more.has(OptionalStat::CoactGram) && more.has(OptionalStat::Substitution));
        QVERIFY(more.has(OptionalStat::EasyEp) && !more.has(OptionalStat::Channels));
        QCOMPARE(StatChoice::parse("basic,channels").names(),
                 (std::vector<std::string>{"channels"}));
        QVERIFY_THROWS_EXCEPTION(Error, StatChoice::parse("coact_gram,"
                                                          "gram"));
    }

    void vectors_of_other_statistics_are_refused() {
        save_expert_stats(example(1), path("f.safetensors"));
        ExpertStats other = example(1);
        other.data_hash = "other data";
        save_expert_stats(other, path("g.safetensors"));
        std::filesystem::copy_file(path("g.vectors.safetensors"), path("f.vectors.safetensors"),
                                   std::filesystem::copy_options::overwrite_existing);
        QVERIFY_THROWS_EXCEPTION(Error, load_expert_stats(path("f.safetensors"), true));
    }

    void file_holds_the_golden_names() {
        ExpertStats stats;
        stats.num_experts = 4;
        stats.top_k = 2;
        stats.layers[0] = golden_example::layer();
        save_expert_stats(stats, path("h.safetensors"));
        const SafetensorsFile file(path("h.safetensors"));
        const TensorView* frequency = file.find("frequency.0");
        const TensorView* reap = file.find("reap.0");
        const TensorView* ean = file.find("ean_sum.0");
        QVERIFY(frequency != nullptr && reap != nullptr && ean != nullptr);
        QCOMPARE(frequency->dtype, DType::I64);
        std::array<double, 4> values{};
        std::memcpy(values.data(), reap->bytes.data(), sizeof values);
        QVERIFY(std::abs(values[1] - 3.924234) < 1e-6);
        QVERIFY(!std::filesystem::exists(path("h.vectors.safetensors")));
    }

    void not_finite_sums_are_not_saved() {
        ExpertStats stats = example(1);
        stats.layers[1].norm_sum[2] = std::numeric_limits<double>::quiet_NaN();
        QVERIFY_THROWS_EXCEPTION(Error, save_expert_stats(stats, path("nan.safetensors")));
        QVERIFY(!std::filesystem::exists(path("nan.safetensors")));
    }

    void rejects_hostile_files_data() {
        QTest::addColumn<std::string>("tensor");
        QTest::addColumn<int>("dtype");
        QTest::addColumn<std::vector<std::int64_t>>("shape");
        QTest::addColumn<std::vector<std::byte>>("bytes");
        QTest::addColumn<std::string>("metadata");
        const auto i64 = static_cast<int>(DType::I64);
        const auto f64 = static_cast<int>(DType::F64);
        const std::vector<std::byte> none;
        const std::string keep;
        QTest::newRow("tensor missing")
            << std::string("wean_sum.3") << f64 << Shape{} << none << keep;
        QTest::newRow("task missing")
            << std::string("frequency.prose.1.3") << i64 << Shape{} << none << keep;
        QTest::newRow("wrong type") << std::string("frequency.1") << f64 << Shape{4}
                                    << bytes_of<double>({1, 2, 3, 4}) << keep;
        QTest::newRow("wrong shape") << std::string("frequency.1") << i64 << Shape{3}
                                     << bytes_of<std::int64_t>({1, 2, 3}) << keep;
        QTest::newRow("negative count") << std::string("frequency.1") << i64 << Shape{4}
                                        << bytes_of<std::int64_t>({1, -2, 3, 4}) << keep;
        QTest::newRow("more selections than tokens")
            << std::string("frequency.1") << i64 << Shape{4}
            << bytes_of<std::int64_t>({1, 2, 3, 101}) << keep;
        QTest::newRow("absurd token count") << std::string("tokens.1") << i64 << Shape{1}
                                            << bytes_of<std::int64_t>({INT64_MAX}) << keep;
        QTest::newRow("not a number") << std::string("ean_sum.1") << f64 << Shape{4}
                                      << bytes_of<double>({1, NAN, 3, 4}) << keep;
        QTest::newRow("no JSON") << std::string() << i64 << Shape{} << none << std::string("{");
        QTest::newRow("JSON of another kind")
            << std::string() << i64 << Shape{} << none << std::string("[1]");
        QTest::newRow("another kind of file")
            << std::string() << i64 << Shape{} << none << std::string("{\"kind\":\"trace\"}");
        QTest::newRow("unknown version")
            << std::string() << i64 << Shape{} << none
            << std::string("{\"kind\":\"expert_stats\",\"version\":9}");
        QTest::newRow("fields missing") << std::string() << i64 << Shape{} << none
                                        << std::string("{\"kind\":\"expert_stats\",\"version\":1}");
        const std::string head =
            "{\"kind\":\"expert_stats\",\"version\":1,\"model_hash\":\"\",\"tokenizer_hash\":"
            "\"\",\"data_hash\":\"\",\"tasks\":[],\"settings\":{},\"matrices\":[],";
        QTest::newRow("no experts") << std::string() << i64 << Shape{} << none
                                    << head + "\"num_experts\":0,\"top_k\":1,\"layers\":[1]}";
        QTest::newRow("too many experts")
            << std::string() << i64 << Shape{} << none
            << head + "\"num_experts\":9000000000,\"top_k\":1,\"layers\":[1]}";
        QTest::newRow("more chosen than there are")
            << std::string() << i64 << Shape{} << none
            << head + "\"num_experts\":4,\"top_k\":5,\"layers\":[1]}";
        QTest::newRow("negative layer") << std::string() << i64 << Shape{} << none
                                        << head + "\"num_experts\":4,\"top_k\":2,\"layers\":[-1]}";
        QTest::newRow("layer without tensors")
            << std::string() << i64 << Shape{} << none
            << head + "\"num_experts\":4,\"top_k\":2,\"layers\":[2]}";
        QTest::newRow("number as text")
            << std::string() << i64 << Shape{} << none
            << head + "\"num_experts\":\"4\",\"top_k\":2,\"layers\":[1]}";
    }
    void rejects_hostile_files() {
        QFETCH(std::string, tensor);
        QFETCH(int, dtype);
        QFETCH(std::vector<std::int64_t>, shape);
        QFETCH(std::vector<std::byte>, bytes);
        QFETCH(std::string, metadata);
        save_expert_stats(example(1), path("whole.safetensors"));
        forge(path("whole.safetensors"), path("forged.safetensors"),
              {tensor, static_cast<DType>(dtype), shape, bytes, metadata});
        QVERIFY_THROWS_EXCEPTION(Error, load_expert_stats(path("forged.safetensors")));
    }

    void shards_add_up() {
        const std::vector<ExpertStats> shards{example(1), example(2), example(3)};
        const ExpertStats sum = merge_expert_stats(shards);
        const auto layer = [&](std::size_t i) -> const LayerStats& {
            return shards[i].layers.at(3);
        };
        QCOMPARE(sum.layers.at(3).tokens, std::int64_t{300});
        QCOMPARE(sum.total_tokens(), std::int64_t{300});
        for (std::size_t e = 0; e < 4; ++e) {
            QCOMPARE(sum.layers.at(3).count[e],
                     layer(0).count[e] + layer(1).count[e] + layer(2).count[e]);
            const double exact = layer(0).norm_sum[e] + layer(1).norm_sum[e] + layer(2).norm_sum[e];
            QVERIFY(std::abs(sum.layers.at(3).norm_sum[e] - exact) <= 1e-12 * exact);
            QCOMPARE(sum.layers.at(3).max_abs[e],
                     std::max({layer(0).max_abs[e], layer(1).max_abs[e], layer(2).max_abs[e]}));
        }
        QCOMPARE(sum.layers.at(3).task_tokens, (std::vector<std::int64_t>{180, 120}));
        QCOMPARE(sum.layers.at(3).gated_gram[5],
                 layer(0).gated_gram[5] + layer(1).gated_gram[5] + layer(2).gated_gram[5]);
        QCOMPARE(sum.layers.at(3).channel_max_sq[0],
                 std::max({layer(0).channel_max_sq[0], layer(1).channel_max_sq[0],
                           layer(2).channel_max_sq[0]}));
        QCOMPARE(sum.layers.at(3).down_column_sq[0], 7.0);  // the weights' own
        const auto& contexts = sum.layers.at(3).top_contexts[2];
        QCOMPARE(contexts.size(), std::size_t{3});
        QVERIFY(contexts[0].gate >= contexts[1].gate && contexts[1].gate >= contexts[2].gate);
        QCOMPARE(sum.input_energies.at("blk.1.attn_q").sq_sum,
                 (std::vector<double>{3.0, 7.5, 12.0}));
        QCOMPARE(sum.input_energies.at("blk.1.attn_q").tokens, std::int64_t{300});
        QVERIFY(!sum.settings.contains("shard"));
    }

    void golden_example_in_batches_equals_one_batch() {
        std::vector<ExpertStats> shards(3);
        for (std::size_t token = 0; token < 3; ++token) {
            shards[token].num_experts = 4;
            shards[token].top_k = 2;
            shards[token].layers[0] = empty_layer_stats(4, 0);
            golden_example::add_token(shards[token].layers[0], token, true);
        }
        const LayerStats merged = merge_expert_stats(shards).layers.at(0);
        const LayerStats whole = golden_example::layer();
        QCOMPARE(merged.count, whole.count);
        for (std::size_t e = 0; e < 4; ++e) {
            QVERIFY(std::abs(merged.gated_norm_sum[e] - whole.gated_norm_sum[e]) < 1e-12);
        }
    }

    void shards_of_different_measurements_are_refused_data() {
        QTest::addColumn<int>("change");
        QTest::newRow("model") << 0;
        QTest::newRow("data") << 1;
        QTest::newRow("settings") << 2;
        QTest::newRow("tasks") << 3;
        QTest::newRow("layers") << 4;
        QTest::newRow("kinds of statistics") << 5;
        QTest::newRow("matrices") << 6;
    }
    void shards_of_different_measurements_are_refused() {
        QFETCH(int, change);
        ExpertStats other = example(2);
        if (change == 0) other.model_hash = "another";
        if (change == 1) other.data_hash = "another";
        if (change == 2) other.settings["context"] = 256;
        if (change == 3) other.tasks[0] = "cpp";
        if (change == 4) other.layers.erase(3);
        if (change == 5) other.layers[1].coactivation.clear();
        if (change == 6) other.input_energies.clear();
        QVERIFY_THROWS_EXCEPTION(Error, merge_expert_stats({example(1), other}));
    }

    void nothing_to_merge_is_refused() { QVERIFY_THROWS_EXCEPTION(Error, merge_expert_stats({})); }
};

QTEST_APPLESS_MAIN(TestExpertStats)
#include "tst_expert_stats.moc"
