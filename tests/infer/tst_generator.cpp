#include <QTest>
#include <filesystem>

#include "base/error.h"
#include "infer/benchmark.h"
#include "infer/generator.h"
#include "infer/golden_models.h"
#include "infer/random_model.h"
#include "infer/sample_configs.h"
#include "infer/stop_text_filter.h"

using namespace espalier;

namespace {

/// The sample model and everything it needs to speak.
struct Sample {
    std::unique_ptr<ModelSource> source =
        ModelSource::open(std::filesystem::path(ESPALIER_SAMPLE) / "model");
    Tokenizer tokenizer{source->tokenizer_files()->tokenizer};
    ThreadPool pool{2};
    NativeModel model{*source, pool};
    Generator generator{model, tokenizer, end_token_ids(*source, tokenizer)};

    GenerationResult generate(const std::string& prompt, const GenerationOptions& options,
                              std::string* streamed = nullptr) {
        const auto ids = tokenizer.encode(prompt);
        return generator.generate(ids, options,
                                  [&](std::string_view piece) {
                                      if (streamed != nullptr) *streamed += piece;
                                  },
                                  {});
    }
};

std::string filtered(const std::vector<std::string>& stops,
                     const std::vector<std::string>& pieces) {
    StopTextFilter filter(stops);
    std::string text;
    for (const auto& piece : pieces) {
        text += filter.push(piece);
        if (filter.found()) text += "|";
    }
    return text + filter.finish();
}

}  // namespace

class TestGenerator : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void stop_texts_are_found_across_pieces() {
        QCOMPARE(filtered({"STOP"}, {"ab", "S", "T", "OP", "cd"}), std::string("ab||"));
        QCOMPARE(filtered({"STOP"}, {"abSTO", "nSTOPx"}), std::string("abSTOn|"));
        QCOMPARE(filtered({"STOP"}, {"abSTO"}), std::string("abSTO"));
        QCOMPARE(filtered({"aab"}, {"aa", "ab"}), std::string("a|"));
        QCOMPARE(filtered({"xyz", "yz"}, {"wxy", "z"}), std::string("w|"));
        QCOMPARE(filtered({"", "b"}, {"ab"}), std::string("a|"));
        QCOMPARE(filtered({}, {"ab"}), std::string("ab"));
    }

    void greedy_text_is_streamed_as_it_is_returned() {
        Sample sample;
        std::string streamed;
        const auto result = sample.generate("def main(", {.max_tokens = 40}, &streamed);
        QCOMPARE(result.ids.size(), std::size_t{40});
        QCOMPARE(result.stop, StopReason::MaxTokens);
        QCOMPARE(streamed, result.text);
        QCOMPARE(result.text, sample.tokenizer.decode(result.ids, true));
        QVERIFY(result.prompt_tokens_per_second > 0);
        QVERIFY(result.generated_tokens_per_second > 0);
        QCOMPARE(result.prompt_tokens,
                 static_cast<std::int64_t>(sample.tokenizer.encode("def main(").size()));
    }

    void float_and_integer_arithmetic_say_the_same() {
        Sample sample;
        GenerationOptions options{.max_tokens = 40};
        const auto fast = sample.generate("The list of", options);
        options.arithmetic = Arithmetic::Float32;
        const auto exact = sample.generate("The list of", options);
        QCOMPARE(fast.ids, exact.ids);
        QCOMPARE(exact.reused_tokens, std::int64_t{0});  // other keys and values
    }

    void a_stop_text_ends_the_answer_before_itself() {
        Sample sample;
        const auto whole = sample.generate("import os\n", {.max_tokens = 60});
        QVERIFY(whole.text.size() > 30);
        const std::string stop = whole.text.substr(20, 7);
        std::string streamed;
        const auto result =
            sample.generate("import os\n", {.max_tokens = 60, .stop_texts = {stop}}, &streamed);
        QCOMPARE(result.stop, StopReason::StopText);
        QCOMPARE(result.text, whole.text.substr(0, whole.text.find(stop)));
        QCOMPARE(streamed, result.text);
    }

    void an_end_token_is_not_part_of_the_answer() {
        Sample sample;
        const auto whole = sample.generate("import os\n", {.max_tokens = 20});
        Generator generator(sample.model, sample.tokenizer, {whole.ids[7]});
        const auto result =
            generator.generate(sample.tokenizer.encode("import os\n"), {.max_tokens = 20}, {}, {});
        const auto first = std::find(whole.ids.begin(), whole.ids.end(), whole.ids[7]);
        QCOMPARE(result.stop, StopReason::EndToken);
        QCOMPARE(result.ids, std::vector<std::int32_t>(whole.ids.begin(), first));
    }

    void end_tokens_come_from_config_and_vocabulary() {
        const Sample sample;
        const auto ids = end_token_ids(*sample.source, sample.tokenizer);
        QVERIFY(std::ranges::find(ids, 4089) != ids.end());
        QVERIFY(std::ranges::find(ids, *sample.tokenizer.id_of("<|im_end|>")) != ids.end());
        QVERIFY(std::ranges::is_sorted(ids));
    }

    void the_context_fills_up() {
        Sample sample;
        std::vector<std::int32_t> prompt(4093, 17);
        Generator generator(sample.model, sample.tokenizer, {});
        const auto result = generator.generate(prompt, {.max_tokens = 100}, {}, {});
        QCOMPARE(result.stop, StopReason::ContextFull);
        QCOMPARE(result.ids.size(), std::size_t{4});  // three that fit, and one more to say
        prompt.resize(4097, 17);
        QVERIFY_EXCEPTION_THROWN(generator.generate(prompt, {}, {}, {}), Error);
    }

    void stopping_is_prompt_and_keeps_what_is_there() {
        Sample sample;
        std::stop_source stop;
        std::string streamed;
        const auto ids = sample.tokenizer.encode("class Node:\n");
        const auto result = sample.generator.generate(
            ids, {.max_tokens = 3000},
            [&](std::string_view piece) {
                streamed += piece;
                QVERIFY(!stop.stop_requested());  // no piece comes after it
                if (streamed.size() >= 40) stop.request_stop();
            },
            stop.get_token());
        QCOMPARE(result.stop, StopReason::Cancelled);
        QCOMPARE(result.text, streamed);
        QVERIFY(result.text.size() >= 40);
    }

    void a_stop_before_the_prompt_is_read_gives_no_text() {
        Sample sample;
        std::stop_source stop;
        stop.request_stop();
        const std::vector<std::int32_t> prompt(4000, 21);
        const auto result =
            sample.generator.generate(prompt, {.max_tokens = 3000}, {}, stop.get_token());
        QCOMPARE(result.stop, StopReason::Cancelled);
        QVERIFY(result.ids.empty());
    }

    void a_longer_prompt_goes_on_from_the_last_one() {
        Sample sample;
        auto prompt = sample.tokenizer.encode("for i in range(");
        const auto first = sample.generator.generate(prompt, {.max_tokens = 10}, {}, {});
        const auto length = static_cast<std::int64_t>(prompt.size());
        QCOMPARE(first.reused_tokens, std::int64_t{0});
        prompt.insert(prompt.end(), first.ids.begin(), first.ids.end());
        prompt.push_back(33);
        const auto second = sample.generator.generate(prompt, {.max_tokens = 10}, {}, {});
        QCOMPARE(second.reused_tokens, length + 9);  // the tenth was never computed
        Generator fresh(sample.model, sample.tokenizer, {});
        QCOMPARE(fresh.generate(prompt, {.max_tokens = 10}, {}, {}).ids, second.ids);
        // The same prompt again: all but its last token is there.
        const auto third = sample.generator.generate(prompt, {.max_tokens = 10}, {}, {});
        QCOMPARE(third.reused_tokens, static_cast<std::int64_t>(prompt.size()) - 1);
        QCOMPARE(third.ids, second.ids);
    }

    void a_recurrent_model_goes_back_to_the_end_of_a_prompt() {
        const Sample sample;
        MoeConfig config;
        for (const auto& [name, one] : sample_configs()) {
            if (name.starts_with("delta net")) config = one;
        }
        config.vocab_size = sample.source->config().vocab_size;
        const RandomModel source(config, 3);
        ThreadPool pool(1);
        NativeModel model(source, pool);
        Generator generator(model, sample.tokenizer, {});
        const auto answer = [&](const std::vector<std::int32_t>& prompt) {
            return generator.generate(prompt, {.max_tokens = 12}, {}, {});
        };
        const auto fresh = [&](const std::vector<std::int32_t>& prompt) {
            Generator other(model, sample.tokenizer, {});
            return other.generate(prompt, {.max_tokens = 12}, {}, {}).ids;
        };
        std::vector<std::int32_t> prompt = {5, 60, 7, 8, 90, 11, 12, 13};
        const auto first = answer(prompt);
        QCOMPARE(first.reused_tokens, std::int64_t{0});
        // The same again: all but the last token of the prompt is there.
        const auto again = answer(prompt);
        QCOMPARE(again.reused_tokens, std::int64_t{7});
        QCOMPARE(again.ids, first.ids);
        // The next turn goes on after the answer.
        auto turn = prompt;
        turn.insert(turn.end(), first.ids.begin(), first.ids.end());
        turn.insert(turn.end(), {100, 101, 102});
        const auto second = answer(turn);
        QCOMPARE(second.reused_tokens, std::int64_t{8 + 11});
        QCOMPARE(second.ids, fresh(turn));
        // A turn whose answer was left out of the prompt goes back to the end of the first prompt.
        prompt.insert(prompt.end(), {200, 201, 202});
        const auto third = answer(prompt);
        QCOMPARE(third.reused_tokens, std::int64_t{7});
        QCOMPARE(third.ids, fresh(prompt));
    }

    void a_mask_empties_the_cache() {
        Sample sample;
        sample.generate("for i in range(", {.max_tokens = 5});
        ExpertMask mask;
        mask.removed.assign(6, std::vector<bool>(32, false));
        mask.removed[0][0] = true;
        sample.model.set_mask(mask);
        QCOMPARE(sample.generate("for i in range(", {.max_tokens = 5}).reused_tokens,
                 std::int64_t{0});
    }

    void drawn_text_repeats_with_its_seed() {
        Sample sample;
        const GenerationOptions options{
            .sampling = {.temperature = 0.9, .top_k = 40, .top_p = 0.95, .seed = 3},
            .max_tokens = 30};
        GenerationOptions other = options;
        other.sampling.seed = 4;
        const auto first = sample.generate("def test_", options);
        QCOMPARE(sample.generate("def test_", options).ids, first.ids);
        QVERIFY(sample.generate("def test_", other).ids != first.ids);
    }

    void wrong_requests_are_refused() {
        Sample sample;
        QVERIFY_EXCEPTION_THROWN(sample.generator.generate({}, {}, {}, {}), Error);
        QVERIFY_EXCEPTION_THROWN(sample.generate("a", {.max_tokens = -1}), Error);
        QVERIFY_EXCEPTION_THROWN(sample.generate("a", {.sampling = {.top_p = 2.0}}), Error);
        QVERIFY_EXCEPTION_THROWN(
            sample.generator.generate(std::vector<std::int32_t>{5000}, {}, {}, {}), Error);
        QCOMPARE(sample.generate("a", {.max_tokens = 0}).ids.size(), std::size_t{0});
    }

    void the_benchmark_measures() {
        Sample sample;
        const auto result =
            run_benchmark(sample.model, {.prompt_tokens = 32, .gen_tokens = 4, .repeat = 3});
        QVERIFY(result.prompt_tps.min > 0 && result.prompt_tps.min <= result.prompt_tps.median);
        QVERIFY(result.gen_tps.median <= result.gen_tps.max);
        QCOMPARE(run_benchmark(sample.model, {.prompt_tokens = 0, .gen_tokens = 2}).prompt_tps.max,
                 0.0);
        QVERIFY_EXCEPTION_THROWN(run_benchmark(sample.model, {.repeat = 0}), Error);
        QVERIFY_EXCEPTION_THROWN(run_benchmark(sample.model, {.prompt_tokens = 99999}), Error);
    }
};

QTEST_APPLESS_MAIN(TestGenerator)
#include "tst_generator.moc"
