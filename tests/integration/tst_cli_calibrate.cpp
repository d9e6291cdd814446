#include <QTest>
#include <cmath>
#include <filesystem>

#include "cli.h"
#include "formats/safetensors_reader.h"
#include "model/model_source.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"
#include "routing/provenance.h"

using namespace espalier;
using espalier::test::Answer;
using espalier::test::Cli;
namespace fs = std::filesystem;

/// The whole way from texts of one's own to a small model, with few tokens.
class tst_cli_calibrate : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        m_answer = calibrate("stats.safetensors", {});
        VERIFY_DONE(m_answer);
    }

    void calibrate_counts_every_token() {
        const ExpertStats stats = load_expert_stats(m_cli.file("stats.safetensors"));
        QCOMPARE(stats.total_tokens(), std::int64_t{8192});
        QCOMPARE(stats.tasks, (std::vector<std::string>{"python", "cpp"}));
        for (const auto& [index, layer] : stats.layers) {
            std::int64_t selections = 0;
            for (const std::int64_t count : layer.count) selections += count;
            QCOMPARE(selections, 4 * layer.tokens);
        }
        for (const char* key : {"out", "seconds", "peak_bytes", "metrics"}) {
            QVERIFY(m_answer.json().contains(key));
        }
    }

    void shards_join_to_the_whole() {
        VERIFY_DONE(calibrate("one.safetensors", {"--shard", "1/2"}));
        VERIFY_DONE(calibrate("two.safetensors", {"--shard", "2/2"}));
        VERIFY_DONE(
            m_cli.run({"merge-stats", m_cli.path("one.safetensors"), m_cli.path("two.safetensors"),
                       "--out", m_cli.path("merged.safetensors")}));
        const ExpertStats whole = load_expert_stats(m_cli.file("stats.safetensors"));
        const ExpertStats merged = load_expert_stats(m_cli.file("merged.safetensors"));
        QCOMPARE(merged.layers.size(), whole.layers.size());
        for (const auto& [index, layer] : whole.layers) {
            const LayerStats& other = merged.layers.at(index);
            QCOMPARE(other.count, layer.count);
            QCOMPARE(other.coactivation, layer.coactivation);
            for (std::size_t e = 0; e < layer.count.size(); ++e) {
                const double sum = layer.gated_norm_sum[e];
                QVERIFY(std::abs(other.gated_norm_sum[e] - sum) <= 1e-12 * std::max(1.0, sum));
            }
        }
    }

    /// After the shards above.
    void a_shard_counts_once_only() {
        QFile::copy(m_cli.path("one.safetensors"), m_cli.path("again.safetensors"));
        for (const char* second : {"one.safetensors", "again.safetensors", "stats.safetensors"}) {
            const Answer answer =
                m_cli.run({"--json", "merge-stats", m_cli.path("one.safetensors"),
                           m_cli.path(second), "--out", m_cli.path("twice.safetensors")});
            QCOMPARE(answer.code, 3);
            QVERIFY(answer.json().at("error").at("message").get<std::string>().find(second) !=
                    std::string::npos);
            QVERIFY(!QFile::exists(m_cli.path("twice.safetensors")));
        }
    }

    void from_statistics_to_a_small_model_that_talks() {
        const Answer selected = m_cli.run({"--json", "select", m_cli.sample("model"), "--stats",
                                           m_cli.path("stats.safetensors"), "--keep", "0.5",
                                           "--out", m_cli.path("plan.json")});
        VERIFY_DONE(selected);
        const Answer pruned = m_cli.run({"--json", "prune", m_cli.sample("model"), "--stats",
                                         m_cli.path("stats.safetensors"), "--keep", "16", "--out",
                                         m_cli.path("cut")});
        VERIFY_DONE(pruned);
        COMPARE_JSON(pruned.json().at("metrics").at("experts_after"), Json(16));
        VERIFY_DONE(
            m_cli.run({"--json", "quantize", m_cli.path("cut"), "--type", "q4_k_m", "--stats",
                       m_cli.path("stats.safetensors"), "--out", m_cli.path("cut.gguf")}));
        const Answer talk = m_cli.run({"--json", "generate", m_cli.path("cut.gguf"), "--prompt",
                                       "def ", "--max-tokens", "8"});
        VERIFY_DONE(talk);
        QCOMPARE(talk.json().at("ids").size(), std::size_t{8});
        const QString text = m_cli.sample("heldout/python.txt");
        const Answer measured = m_cli.run({"--json", "eval", m_cli.path("cut.gguf"), "--reference",
                                           m_cli.sample("model"), "--perplexity", text, "--context",
                                           "128", "--max-windows", "4"});
        VERIFY_DONE(measured);
        const Json json = measured.json();
        QVERIFY(json.at("kl").at("mean").get<double>() < 1.5);
        QVERIFY(json.at("kl").at("top1").get<double>() > 0.5);
    }

    void a_cut_that_loses_too_much_says_how_to_take_it_on() {
        const QStringList arguments{"--json",
                                    "prune",
                                    m_cli.sample("model"),
                                    "--stats",
                                    m_cli.path("stats.safetensors"),
                                    "--keep",
                                    "0.25",
                                    "--out",
                                    m_cli.path("quarter")};
        const Answer refused = m_cli.run(arguments);
        QCOMPARE(refused.code, 3);
        const Json error = refused.json().at("error");
        COMPARE_JSON(error.at("code"), Json("E-RUN-03"));
        QVERIFY(error.at("hint").get<std::string>().find("--accept low_task_mass") !=
                std::string::npos);
        QVERIFY(!fs::exists(m_cli.file("quarter")));
        const Answer taken = m_cli.run(arguments + QStringList{"--accept", "low_task_mass"});
        VERIFY_DONE(taken);
        COMPARE_JSON(taken.json().at("metrics").at("experts_after"), Json(8));
        QVERIFY(taken.err.contains("less than"));
    }

    void experts_that_go_are_merged_into_those_that_stay() {
        VERIFY_DONE(calibrate("profiles.safetensors", {"--stats", "profiles"}));
        const QString stats = m_cli.path("profiles.safetensors");
        const QStringList choice{"--stats", stats,    "--keep",   "16",
                                 "--merge", "m_smoe", "--accept", "low_task_mass"};
        VERIFY_DONE(m_cli.run(
            QStringList{"select", m_cli.sample("model"), "--out", m_cli.path("merge.json")} +
            choice));
        VERIFY_DONE(m_cli.run(
            QStringList{"--json", "prune", m_cli.sample("model"), "--out", m_cli.path("merged")} +
            choice));
        VERIFY_DONE(m_cli.run({"--json", "prune", m_cli.sample("model"), "--expert-plan",
                               m_cli.path("merge.json"), "--stats", stats, "--out",
                               m_cli.path("merged_by_plan")}));
        QVERIFY(load_expert_plan(m_cli.file("merge.json")).merges());
        const auto merged = ModelSource::open(m_cli.file("merged"));
        QCOMPARE(merged->config().router.num_experts, std::int64_t{16});
        QCOMPARE(ModelSource::open(m_cli.file("merged_by_plan"))->hash(), merged->hash());
        QCOMPARE(provenance_of(*merged).merged.size(), std::size_t{6});

        const Answer measured =
            m_cli.run({"--json", "eval", m_cli.path("merged"), "--reference", m_cli.sample("model"),
                       "--perplexity", m_cli.sample("heldout/python.txt"), "--context", "128",
                       "--max-windows", "4"});
        VERIFY_DONE(measured);
        const Json layer = measured.json().at("routing").at("per_layer").at(0);
        QVERIFY(layer.at("joined").get<double>() > 0);
        QCOMPARE(layer.at("displaced").get<double>(), 0.0);  // every expert is in some group

        const Answer masked = m_cli.run({"--json", "eval", m_cli.sample("model"), "--expert-plan",
                                         m_cli.path("merge.json"), "--perplexity",
                                         m_cli.sample("heldout/python.txt")});
        QCOMPARE(masked.code, 3);
        QVERIFY(masked.json().at("error").at("message").get<std::string>().find("mask") !=
                std::string::npos);
        const Answer bare = m_cli.run({"--json", "prune", m_cli.sample("model"), "--expert-plan",
                                       m_cli.path("merge.json"), "--out", m_cli.path("bare")});
        QCOMPARE(bare.code, 2);
        QVERIFY(!fs::exists(m_cli.file("bare")));
    }

    /// After the merging above.
    void layers_are_chosen_one_after_the_other() {
        const QStringList choice{"--stats",  m_cli.path("profiles.safetensors"),
                                 "--keep",   "16",
                                 "--merge",  "ream",
                                 "--accept", "low_task_mass",
                                 "--data",   "python=" + m_cli.sample("calibration/python.txt"),
                                 "--data",   "cpp=" + m_cli.sample("calibration/cpp.txt")};
        VERIFY_DONE(m_cli.run(QStringList{"select", m_cli.sample("model"), "--sequential",
                                          m_cli.path("select.safetensors"), "--out",
                                          m_cli.path("sequential.json")} +
                              choice));
        VERIFY_DONE(m_cli.run(QStringList{"prune", m_cli.sample("model"), "--sequential",
                                          m_cli.path("prune.safetensors"), "--out",
                                          m_cli.path("sequential")} +
                              choice));
        VERIFY_DONE(
            m_cli.run({"prune", m_cli.sample("model"), "--expert-plan",
                       m_cli.path("sequential.json"), "--stats", m_cli.path("select.safetensors"),
                       "--out", m_cli.path("sequential_by_plan")}));
        QCOMPARE(ModelSource::open(m_cli.file("sequential_by_plan"))->hash(),
                 ModelSource::open(m_cli.file("sequential"))->hash());
        const ExpertStats stats = load_expert_stats(m_cli.file("select.safetensors"));
        QCOMPARE(load_expert_plan(m_cli.file("sequential.json")).stats_hash, stats.file_hash);
        QCOMPARE(stats.settings.at("change").at("merge").get<std::string>(), std::string("ream"));
        const Answer rounds =
            m_cli.run(QStringList{"prune", m_cli.sample("model"), "--rounds", "2", "--sequential",
                                  m_cli.path("r.safetensors"), "--out", m_cli.path("rounds")} +
                      choice);
        QCOMPARE(rounds.code, 2);
    }

    void the_model_writes_some_of_the_text() {
        const Answer own =
            calibrate("with_own.safetensors", {"--own-text", "0.1", "--own-text-seconds", "100"});
        VERIFY_DONE(own);
        const auto tokens = own.json().at("metrics").at("own_tokens").get<std::int64_t>();
        QVERIFY(tokens >= 8192 / 9 && tokens < 8192 / 9 + 256);
        QVERIFY(fs::exists(m_cli.file("with_own.own.json")));
    }

    void both_engines_trace_the_same_numbers() {
        write_json_file(m_cli.file("ids.json"), {{5, 100, 2000, 17}, {9, 8, 7, 6}});
        for (const char* engine : {"native", "torch"}) {
            VERIFY_DONE(
                m_cli.run({"trace", m_cli.sample("model"), "--ids", m_cli.path("ids.json"),
                           "--engine", engine, "--out", m_cli.path(engine) + ".safetensors"}));
        }
        const SafetensorsFile native(m_cli.file("native.safetensors"));
        const SafetensorsFile torch(m_cli.file("torch.safetensors"));
        for (const char* name :
             {"logits", "hidden_states.0", "hidden_states.6", "router_logits.5",
              "router_topk_weights.0", "mlp_out.3", "attn_out.2", "final_norm"}) {
            QVERIFY2(native.find(name) && torch.find(name), name);
            QCOMPARE(native.find(name)->shape, torch.find(name)->shape);
            QVERIFY2(largest_difference(*native.find(name), *torch.find(name)) < 1e-3, name);
        }
        QCOMPARE(native.find("logits")->shape, (Shape{2, 4, 4096}));
        QCOMPARE(native.find("router_logits.0")->shape, (Shape{8, 32}));
        const TensorView& chosen = *native.find("router_topk_indices.4");
        QVERIFY(std::ranges::equal(chosen.bytes, torch.find("router_topk_indices.4")->bytes));
    }

private:
    Answer calibrate(const char* out, const QStringList& more) const {
        return m_cli.run(QStringList{"--json", "calibrate", m_cli.sample("model"), "--data",
                                     "python=" + m_cli.sample("calibration/python.txt"), "--data",
                                     "cpp=" + m_cli.sample("calibration/cpp.txt"), "--tokens",
                                     "8192", "--context", "256", "--out", m_cli.path(out)} +
                         more);
    }

    static double largest_difference(const TensorView& a, const TensorView& b) {
        const auto count = a.bytes.size() / sizeof(float);
        const std::span x(reinterpret_cast<const float*>(a.bytes.data()), count);
        const std::span y(reinterpret_cast<const float*>(b.bytes.data()), count);
        double largest = 0;
        for (std::size_t i = 0; i < count; ++i) {
            largest = std::max(largest, static_cast<double>(std::abs(x[i] - y[i])));
        }
        return largest;
    }

    Cli m_cli;
    Answer m_answer;
};

QTEST_GUILESS_MAIN(tst_cli_calibrate)
#include "tst_cli_calibrate.moc"
