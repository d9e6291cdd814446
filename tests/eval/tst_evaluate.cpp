#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "eval/evaluate.h"
#include "prune/write_pruned.h"
#include "support/linked_model.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = fs::path(ESPALIER_TEST_DATA) / "gguf";
const fs::path kModel = kGolden / "models" / "qwen3moe" / "hf";

PerplexityOptions short_windows() {
    PerplexityOptions options;
    options.context = 64;
    options.max_windows = 4;
    return options;
}

std::vector<EvaluationText> golden_texts(const ModelSource& model, const fs::path& folder) {
    const std::string text = read_file(kGolden / "perplexity.txt");
    write_file(folder / "a.txt", text);
    write_file(folder / "b.jsonl", Json{{"text", text.substr(0, 700)}}.dump() + "\n" +
                                       Json{{"text", text.substr(700)}}.dump() + "\n");
    return read_texts(model,
                      std::vector{(folder / "a.txt").string(), (folder / "b.jsonl").string()});
}

/// The lower half of the experts of every layer.
ExpertPlan lower_half(const MoeConfig& config) {
    ExpertPlan plan;
    for (const std::int64_t layer : config.moe_layers()) {
        for (std::int32_t e = 0; e < config.router.num_experts / 2; ++e)
            plan.layers[layer].kept.push_back(e);
    }
    return plan;
}

}  // namespace

class TestEvaluate : public QObject {
    Q_OBJECT

private:
    QTemporaryDir folder_;
    fs::path path(const char* name = "") const {
        return fs::path(folder_.path().toStdString()) / name;
    }

private Q_SLOTS:
    void messages_are_rendered_with_the_models_special_tokens() {
        test::link_model(kModel, path("chat"), test::chat_files_with_bos());
        write_file(path("chat.jsonl"), R"({"messages": [{"role": "user", "content": "Hi"}]})");
        const auto model = ModelSource::open(path("chat"));
        const auto text = read_texts(*model, std::vector{path("chat.jsonl").string()}).front();
        const Tokenizer tokenizer(model->tokenizer_files()->tokenizer);
        std::vector<TokenId> expected = tokenizer.encode("STARTSuser:Hi;", false);
        if (text.bos >= 0) expected.insert(expected.begin(), text.bos);
        QCOMPARE(text.ids, expected);
    }

    void perplexity_alone_has_the_documented_shape() {
        const auto model = ModelSource::open(kModel);
        ThreadPool pool(1);
        const auto texts = golden_texts(*model, path());
        const Json result = evaluate({*model, nullptr, {}, texts, short_windows(), pool});
        QCOMPARE(result.at("perplexity").size(), std::size_t{2});
        NativeModel native(*model, pool);
        const double alone = perplexity(native, texts[0].ids, short_windows()).perplexity;
        QCOMPARE(result.at("perplexity").at(texts[0].name).get<double>(), alone);
        QCOMPARE(result.at("tokens").get<int>(), 2 * 4 * 31);
        QVERIFY(!result.contains("kl") && !result.contains("routing"));
    }

    void pruned_model_is_measured_against_its_original() {
        const auto model = ModelSource::open(kModel);
        const ExpertPlan plan = lower_half(model->config());
        write_pruned({*model, plan, path("pruned"), {{"stage", "prune"}}});
        const auto pruned = ModelSource::open(path("pruned"));
        ThreadPool pool(1);
        const auto texts = golden_texts(*model, path());
        const Json result = evaluate({*pruned, model.get(), {}, texts, short_windows(), pool});
        const Json& kl = result.at("kl");
        QVERIFY(kl.at("mean").get<double>() > 0);
        QVERIFY(kl.at("p999").get<double>() >= kl.at("median").get<double>());
        QVERIFY(kl.at("top1").get<double>() < 1);
        QCOMPARE(kl.at("files").size(), std::size_t{2});
        const Json& routing = result.at("routing");
        QCOMPARE(routing.at("restricted").get<bool>(), true);
        QCOMPARE(routing.at("reference").get<std::string>(), model->hash());
        QCOMPARE(routing.at("per_layer").size(), model->config().layers.size());
        QCOMPARE(routing.at("per_task").size(), std::size_t{2});
        QCOMPARE(routing.at("floor").at("a").get<double>(), 0.0);
        QVERIFY(routing.at("floor_note").is_string());
        QVERIFY(routing.at("thresholds").contains("restricted_kl"));
        QVERIFY(!routing.at("worst").empty());
        const std::string verdict = routing.at("verdict");
        QVERIFY(verdict == "pass" || verdict == "warn" || verdict == "fail");
        // The first router sees what the original's sees: sliced, it is exactly the restricted one.
        QCOMPARE(routing.at("per_layer").at(0).at("recall").get<double>(), 1.0);
        QVERIFY(routing.at("per_layer").at(0).at("restricted_kl").get<double>() < 1e-6);
        QVERIFY(routing.at("per_layer").at(0).at("displaced").get<double>() > 0.1);

        // Masking says the same as cutting.
        const Json masked = evaluate(
            {*model, model.get(), plan.mask(model->config()), texts, short_windows(), pool});
        QVERIFY(std::abs(masked.at("kl").at("mean").get<double>() - kl.at("mean").get<double>()) <
                1e-5);
        QVERIFY(std::abs(masked.at("routing").at("mean").at("recall").get<double>() -
                         routing.at("mean").at("recall").get<double>()) < 1e-9);
        QVERIFY(masked.at("routing").at("probe_hash") == routing.at("probe_hash"));
    }

    void cuts_of_one_base_are_compared_where_one_holds_the_other() {
        const auto model = ModelSource::open(kModel);
        ExpertPlan plan = lower_half(model->config());
        write_pruned({*model, plan, path("lower"), {{"stage", "prune"}}});
        for (auto& [layer, kept] : plan.layers) kept.kept = {0, 1, 2};
        write_pruned({*model, plan, path("three"), {{"stage", "prune"}}});
        for (auto& [layer, kept] : plan.layers) kept.kept = {0, 1, 2, 5};
        write_pruned({*model, plan, path("other"), {{"stage", "prune"}}});
        const auto lower = ModelSource::open(path("lower"));
        const auto three = ModelSource::open(path("three"));
        const auto other = ModelSource::open(path("other"));
        ThreadPool pool(1);
        const auto texts = golden_texts(*model, path());
        const Json within = evaluate({*three, lower.get(), {}, texts, short_windows(), pool});
        QCOMPARE(within.at("routing").at("per_layer").at(0).at("recall").get<double>(), 1.0);
        QVERIFY(within.at("routing").at("per_layer").at(0).at("displaced").get<double>() > 0);
        // Expert 5 has no counterpart: predictions compare, routing does not.
        const Json across = evaluate({*other, lower.get(), {}, texts, short_windows(), pool});
        QVERIFY(across.at("kl").at("mean").get<double>() > 0);
        QVERIFY(across.at("routing").at("verdict").is_null());
        QVERIFY(across.at("routing").at("note").is_string());
    }

    void quantised_model_is_judged_by_its_recall() {
        const auto model = ModelSource::open(kModel);
        const auto quantised = ModelSource::open(kModel.parent_path() / "qwen3moe.q8_0.gguf");
        ThreadPool pool(1);
        const auto texts = golden_texts(*model, path());
        const Json result = evaluate({*quantised, model.get(), {}, texts, short_windows(), pool});
        const Json& routing = result.at("routing");
        QCOMPARE(routing.at("restricted").get<bool>(), false);
        QCOMPARE(routing.at("worst").at(0).at("metric").get<std::string>(), std::string("recall"));
        QVERIFY(routing.at("mean").at("recall").get<double>() > 0.9);
        QVERIFY(result.at("kl").at("mean").get<double>() < 0.1);
    }

    void start_token_of_the_model_begins_every_window() {
        const auto model = ModelSource::open(kModel);
        ThreadPool pool(1);
        auto texts = golden_texts(*model, path());
        texts.resize(1);
        QCOMPARE(texts[0].bos, TokenId{-1});  // this tokenizer adds none
        texts[0].bos = 7;
        const Json result = evaluate({*model, nullptr, {}, texts, short_windows(), pool});
        PerplexityOptions options = short_windows();
        options.bos_token = 7;
        NativeModel native(*model, pool);
        QCOMPARE(result.at("perplexity").at(texts[0].name).get<double>(),
                 perplexity(native, texts[0].ids, options).perplexity);
    }

    void nothing_to_measure_is_refused() {
        const auto model = ModelSource::open(kModel);
        ThreadPool pool(1);
        QVERIFY_THROWS_EXCEPTION(Error, evaluate({*model, nullptr, {}, {}, short_windows(), pool}));
        const auto bare =
            ModelSource::open(fs::path(ESPALIER_TEST_DATA) / "models" / "qwen3_moe-basic");
        QVERIFY_THROWS_EXCEPTION(Error, read_texts(*bare, std::vector<std::string>{"a.txt"}));
    }
};

QTEST_APPLESS_MAIN(TestEvaluate)
#include "tst_evaluate.moc"
