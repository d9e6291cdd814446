#include <QTest>
#include <cmath>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "eval/evaluate.h"
#include "eval/perplexity.h"

using namespace espalier;

namespace {

std::filesystem::path golden(const std::string& name) {
    return std::filesystem::path(ESPALIER_TEST_DATA) / "gguf" / name;
}

PerplexityOptions window_128() {
    PerplexityOptions options;
    options.context = 128;
    return options;
}

}  // namespace

class TestPerplexity : public QObject {
    Q_OBJECT

private:
    static EvaluationText golden_text(const ModelSource& model) {
        const std::vector<std::string> files{golden("perplexity.txt").string()};
        return read_texts(model, files).front();
    }

private Q_SLOTS:
    void golden_models_have_their_perplexity_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("type");
        QTest::addColumn<double>("tolerance");
        const double f32 = 1e-4;
        // Block weights decoded to float32; the reference also rounds activations.
        const double quantised = 1e-2;
        QTest::newRow("hub folder") << "models/qwen3moe/hf"
                                    << "f32" << f32;
        QTest::newRow("F32") << "models/qwen3moe/qwen3moe.f32.gguf"
                             << "f32" << f32;
        QTest::newRow("Q8_0") << "models/qwen3moe/qwen3moe.q8_0.gguf"
                              << "q8_0" << quantised;
        QTest::newRow("Q4_K_M") << "models/qwen3moe/qwen3moe.q4_k_m.gguf"
                                << "q4_k_m" << quantised;
        QTest::newRow("mixtral") << "models/mixtral/hf"
                                 << "f32" << f32;
    }
    void golden_models_have_their_perplexity() {
        QFETCH(QString, model);
        QFETCH(QString, type);
        QFETCH(double, tolerance);
        const auto path = golden(model.toStdString());
        const Json expected = read_json_file(path.parent_path() / "golden.json").at("perplexity");
        const auto source = ModelSource::open(path);
        const EvaluationText text = golden_text(*source);
        QCOMPARE(text.ids.size(), expected.at("tokens").get<std::size_t>());
        ThreadPool pool(1);
        NativeModel native(*source, pool);
        PerplexityOptions options = window_128();
        options.bos_token = bos_token(Tokenizer(source->tokenizer_files()->tokenizer));
        const Json& row = expected.at(type.toStdString());
        const auto measured = perplexity(native, text.ids, options);
        const double reference = row.at("ppl").get<double>();
        QCOMPARE(measured.tokens, static_cast<std::int64_t>(63 * row.at("running").size()));
        QVERIFY2(
            std::abs(measured.perplexity - reference) <= tolerance * reference,
            qPrintable(
                QString("%1, %2 expected").arg(measured.perplexity, 0, 'g', 10).arg(reference)));
        QVERIFY(std::abs(std::exp(measured.mean_nll) - measured.perplexity) < 1e-6);
        for (std::size_t windows = 1; windows <= 3; ++windows) {
            options.max_windows = static_cast<std::int64_t>(windows);
            const double running = row.at("running").at(windows - 1).get<double>();
            QVERIFY(std::abs(perplexity(native, text.ids, options).perplexity - running) <=
                    tolerance * running);
        }
    }

    void threads_change_no_bit() {
        const auto source = ModelSource::open(golden("models/qwen3moe/hf"));
        const EvaluationText text = golden_text(*source);
        ThreadPool one(1);
        ThreadPool two(2);
        NativeModel first(*source, one);
        NativeModel second(*source, two);
        PerplexityOptions options = window_128();
        options.max_windows = 3;
        QCOMPARE(perplexity(first, text.ids, options).mean_nll,
                 perplexity(second, text.ids, options).mean_nll);
    }

    void sliding_scores_every_token_and_sees_more_context() {
        const auto source = ModelSource::open(golden("models/qwen3moe/hf"));
        EvaluationText text = golden_text(*source);
        text.ids.resize(300);
        ThreadPool pool(1);
        NativeModel native(*source, pool);
        PerplexityOptions options = window_128();
        options.stride = 64;
        const auto measured = perplexity(native, text.ids, options);
        QCOMPARE(measured.tokens, std::int64_t{299});
        QVERIFY(std::isfinite(measured.perplexity));
    }

    void bos_replaces_the_first_token_of_each_window() {
        const auto source = ModelSource::open(golden("models/qwen3moe/hf"));
        const EvaluationText text = golden_text(*source);
        ThreadPool pool(1);
        NativeModel native(*source, pool);
        PerplexityOptions options = window_128();
        options.max_windows = 2;
        const auto replaced = [&](std::int32_t id) {
            auto ids = text.ids;
            ids[0] = id;
            ids[128] = id;
            return perplexity(native, ids, options).mean_nll;
        };
        PerplexityOptions with_bos = options;
        with_bos.bos_token = 7;
        QCOMPARE(perplexity(native, text.ids, with_bos).mean_nll, replaced(7));
        QVERIFY(replaced(7) != replaced(8));
    }

    void ids_outside_the_vocabulary_are_refused() {
        const auto source = ModelSource::open(golden("models/qwen3moe/hf"));
        ThreadPool pool(1);
        NativeModel native(*source, pool);
        std::vector<std::int32_t> ids(128, 1);
        ids.back() = static_cast<std::int32_t>(source->config().vocab_size);
        QVERIFY_THROWS_EXCEPTION(Error, perplexity(native, ids, window_128()));
        ids.back() = -1;
        QVERIFY_THROWS_EXCEPTION(Error, perplexity(native, ids, window_128()));
    }

    void stop_request_ends_it() {
        const auto source = ModelSource::open(golden("models/qwen3moe/hf"));
        const EvaluationText text = golden_text(*source);
        ThreadPool pool(1);
        NativeModel native(*source, pool);
        std::stop_source stop;
        const auto progress = [&](std::int64_t done, std::int64_t) {
            if (done == 2) stop.request_stop();
        };
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, perplexity(native, text.ids, window_128(), progress, stop.get_token()));
    }
};

QTEST_APPLESS_MAIN(TestPerplexity)
#include "tst_perplexity.moc"
