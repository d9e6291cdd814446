#include <QDir>
#include <QFile>
#include <QTest>
#include <map>

#include "cli.h"
#include "model/model_source.h"
#include "prune/expert_plan.h"

using namespace espalier;
using espalier::test::Answer;

class tst_cli_models : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        const auto model = ModelSource::open(m_cli.sample("model").toStdString());
        ExpertPlan plan;
        plan.model_hash = model->hash();
        for (const std::int64_t layer : model->config().moe_layers()) {
            for (std::int32_t e = 8; e < 24; ++e) plan.layers[layer].kept.push_back(e);
        }
        save_expert_plan(plan, m_cli.file("plan.json"));
    }

    void inspect_tells_what_scripts_rely_on() {
        const Answer answer = m_cli.run({"--json", "inspect", m_cli.sample("model")});
        VERIFY_DONE(answer);
        const Json json = answer.json();
        COMPARE_JSON(json.at("family"), Json("qwen3_moe"));
        COMPARE_JSON(json.at("layers"), Json(6));
        COMPARE_JSON(json.at("hidden_size"), Json(256));
        COMPARE_JSON(json.at("experts"), Json(32));
        COMPARE_JSON(json.at("experts_per_token"), Json(4));
        COMPARE_JSON(json.at("shared_experts"), Json(0));
        COMPARE_JSON(json.at("context_length"), Json(4096));
        QVERIFY(json.at("parameters").at("total") > json.at("parameters").at("active"));
        COMPARE_JSON(json.at("bytes"), json.at("types").at("BF16"));
        const Json& tensor = json.at("tensors").at(0);
        for (const char* key : {"name", "shape", "type", "bytes"}) QVERIFY(tensor.contains(key));
    }

    void options_of_the_program_may_follow_the_command() {
        VERIFY_DONE(m_cli.run({"inspect", m_cli.sample("model"), "--json", "--threads", "1"}));
    }

    void pruning_quantising_and_exporting_give_models() {
        const Answer pruned = m_cli.run({"--json", "prune", m_cli.sample("model"), "--expert-plan",
                                         m_cli.path("plan.json"), "--out", m_cli.path("cut")});
        VERIFY_DONE(pruned);
        COMPARE_JSON(pruned.json().at("metrics").at("experts_after"), Json(16));
        for (const char* key : {"out", "seconds", "peak_bytes", "metrics"}) {
            QVERIFY(pruned.json().contains(key));
        }
        const Answer quantized = m_cli.run({"--json", "quantize", m_cli.path("cut"), "--type",
                                            "q4_k_m", "--out", m_cli.path("cut.gguf")});
        VERIFY_DONE(quantized);
        const Json report = m_cli.run({"--json", "inspect", m_cli.path("cut.gguf")}).json();
        COMPARE_JSON(report.at("experts"), Json(16));
        COMPARE_JSON(report.at("family"), Json("qwen3_moe"));

        VERIFY_DONE(m_cli.run({"--json", "export", m_cli.path("cut"), "--to", "gguf", "--out",
                               m_cli.path("plain.gguf")}));
        VERIFY_DONE(m_cli.run({"--json", "export", m_cli.path("cut.gguf"), "--to", "hf", "--out",
                               m_cli.path("hub")}));
        COMPARE_JSON(m_cli.run({"--json", "inspect", m_cli.path("hub")}).json().at("experts"),
                     Json(16));
    }

    void a_gguf_file_is_pruned_to_a_gguf_file() {
        VERIFY_DONE(m_cli.run({"quantize", m_cli.sample("model"), "--type", "q8_0", "--out",
                               m_cli.path("whole.gguf")}));
        Json plan = read_json_file(m_cli.file("plan.json"));
        plan["model_hash"] = "";
        write_json_file(m_cli.file("plan-gguf.json"), plan);
        const Answer pruned =
            m_cli.run({"--json", "prune", m_cli.path("whole.gguf"), "--expert-plan",
                       m_cli.path("plan-gguf.json"), "--out", m_cli.path("small.gguf")});
        VERIFY_DONE(pruned);
        const Json whole = m_cli.run({"--json", "inspect", m_cli.path("whole.gguf")}).json();
        const Json small = m_cli.run({"--json", "inspect", m_cli.path("small.gguf")}).json();
        COMPARE_JSON(small.at("experts"), Json(16));
        QVERIFY(small.at("bytes").get<int>() < whole.at("bytes").get<int>());
    }

    void a_model_that_is_pruned_by_a_plan_says_what_the_mask_says() {
        VERIFY_DONE(m_cli.run({"prune", m_cli.sample("model"), "--expert-plan",
                               m_cli.path("plan.json"), "--out", m_cli.path("applied")}));
        const QStringList prompt{"--prompt", "def add(a, b):", "--max-tokens", "12"};
        const Answer masked = m_cli.run(QStringList{"--json", "generate", m_cli.sample("model"),
                                                    "--expert-plan", m_cli.path("plan.json")} +
                                        prompt);
        const Answer cut =
            m_cli.run(QStringList{"--json", "generate", m_cli.path("applied")} + prompt);
        VERIFY_DONE(masked);
        VERIFY_DONE(cut);
        COMPARE_JSON(cut.json().at("ids"), masked.json().at("ids"));
    }

    void the_library_names_models() {
        VERIFY_DONE(m_cli.run({"models", "add", m_cli.sample("model"), "--name", "tiny"}));
        const Json list = m_cli.run({"--json", "models", "list"}).json();
        const std::string text = list.dump();
        QVERIFY(text.find("\"tiny\"") != std::string::npos);
        COMPARE_JSON(m_cli.run({"--json", "inspect", "tiny"}).json().at("layers"), Json(6));
        VERIFY_DONE(m_cli.run({"models", "remove", "tiny"}));
        QCOMPARE(m_cli.run({"inspect", "tiny"}).code, 3);
        QCOMPARE(m_cli.run({"models", "remove", "tiny"}).code, 3);
    }

    void the_hub_cache_is_listed_on_request() {
        const QString snapshots = m_cli.path("cache/models--Me--Tiny/snapshots");
        QVERIFY(QDir().mkpath(snapshots));
        QVERIFY(QFile::link(m_cli.sample("model"), snapshots + "/r1"));
        QVERIFY(QDir().mkpath(m_cli.path("cache/models--Me--Half/snapshots/r1")));
        QFile config(m_cli.path("cache/models--Me--Half/snapshots/r1/config.json"));
        QVERIFY(config.open(QIODevice::WriteOnly));
        config.write("{\"model_type\": \"qwen3_moe\"}");
        config.close();
        qputenv("HF_HUB_CACHE", QFile::encodeName(m_cli.path("cache")));
        const Answer answer = m_cli.run({"--json", "models", "list", "--scan"});
        qunsetenv("HF_HUB_CACHE");
        VERIFY_DONE(answer);
        const Json list = answer.json();
        std::map<std::string, Json> found;
        for (const Json& model : list.at("found")) found[model.at("name")] = model;
        COMPARE_JSON(found.at("Half").at("gap"), Json("no weights"));
        COMPARE_JSON(found.at("Tiny").at("from"), Json("hub cache"));
        COMPARE_JSON(found.at("Tiny").at("publisher"), Json("Me"));
        COMPARE_JSON(found.at("Tiny").at("experts"), Json(32));
    }

    void bench_measures_both_speeds() {
        const Answer answer =
            m_cli.run({"--json", "bench", m_cli.sample("model"), "--prompt-tokens", "16",
                       "--gen-tokens", "4", "--repeat", "3"});
        VERIFY_DONE(answer);
        for (const char* speed : {"prompt_tps", "gen_tps"}) {
            const Json spread = answer.json().at(speed);
            QVERIFY(spread.at("min") <= spread.at("median"));
            QVERIFY(spread.at("median") <= spread.at("max"));
            QVERIFY(spread.at("min").get<double>() > 0);
        }
        QVERIFY(answer.json().at("load_s").get<double>() >= 0);
        QVERIFY(answer.json().at("rss_bytes").get<std::uint64_t>() > 1'000'000);
    }

private:
    test::Cli m_cli;
};

QTEST_GUILESS_MAIN(tst_cli_models)
#include "tst_cli_models.moc"
