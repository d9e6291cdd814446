#include <QTest>
#include <numeric>
#include <vector>

#include "base/cancel.h"
#include "infer/golden_models.h"
#include "infer/memory_need.h"
#include "infer/native_model.h"
#include "infer/random_model.h"
#include "infer/sample_configs.h"

using namespace espalier;

namespace {

MoeConfig config_named(const std::string& part) {
    for (const auto& [name, config] : sample_configs()) {
        if (name.find(part) != std::string::npos) return config;
    }
    return {};
}

std::vector<std::int32_t> some_tokens(std::int32_t count, std::int32_t seed = 0) {
    std::vector<std::int32_t> tokens;
    for (std::int32_t i = 0; i < count; ++i) tokens.push_back((i * 31 + seed * 7 + i / 3) % 40);
    return tokens;
}

/// A model and one sequence in it.
struct Session {
    RandomModel source;
    ThreadPool pool{1};
    NativeModel model{source, pool};
    KvCache cache{source.config()};

    explicit Session(const std::string& part) : source(config_named(part), 5) {}

    std::vector<float> append(const std::vector<std::int32_t>& tokens) {
        const auto logits = model.forward(tokens, cache);
        return {logits.begin(), logits.end()};
    }
    /// As if the tokens had come into an empty cache, in the same calls.
    std::vector<float> from_scratch(const std::vector<std::vector<std::int32_t>>& calls) {
        KvCache fresh(source.config());
        std::vector<float> last;
        for (const auto& tokens : calls) {
            const auto logits = model.forward(tokens, fresh);
            last.assign(logits.begin(), logits.end());
        }
        return last;
    }
};

}  // namespace

class TestKvCache : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void its_size_is_known_beforehand_data() {
        QTest::addColumn<std::string>("name");
        for (const auto& [name, config] : sample_configs()) QTest::newRow(name.c_str()) << name;
    }

    void its_size_is_known_beforehand() {
        QFETCH(std::string, name);
        Session session(name);
        const MemoryNeed need = memory_need(session.source.config());
        // A new cache has room for exactly the tokens of its first call.
        session.append(some_tokens(100));
        QCOMPARE(session.cache.bytes(), need.cache_fixed + 100 * need.cache_per_token);
    }

    void rows_of_tokens_are_cut_anywhere_data() {
        QTest::addColumn<std::string>("part");
        for (const auto* part : {"plain", "sliding window", "latent attention, pairs"}) {
            QTest::addRow("%s", part) << std::string(part);
        }
    }
    void rows_of_tokens_are_cut_anywhere() {
        QFETCH(std::string, part);
        Session session(part);
        QVERIFY(!session.cache.has_recurrent_layers());
        const auto first = some_tokens(20);
        session.append(first);
        session.append(some_tokens(70, 1));
        session.cache.mark();
        QCOMPARE(session.cache.truncate(20), std::int64_t{20});
        const auto next = some_tokens(5, 2);
        QCOMPARE(session.append(next), session.from_scratch({first, next}));
        QCOMPARE(session.cache.truncate(100), std::int64_t{25});
        QCOMPARE(session.cache.truncate(0), std::int64_t{0});
        QCOMPARE(session.append(first), session.from_scratch({first}));
    }

    void recurrent_layers_go_back_to_a_mark_data() {
        QTest::addColumn<std::string>("part");
        for (const auto* part : {"delta net", "short convolutions"}) {
            QTest::addRow("%s", part) << std::string(part);
        }
    }
    void recurrent_layers_go_back_to_a_mark() {
        QFETCH(std::string, part);
        Session session(part);
        KvCache& cache = session.cache;
        QVERIFY(cache.has_recurrent_layers());
        const auto first = some_tokens(10);
        const auto second = some_tokens(10, 1);
        const auto third = some_tokens(10, 2);
        session.append(first);
        cache.mark();
        session.append(second);
        // Where it is, it can stay.
        QCOMPARE(cache.truncate(20), std::int64_t{20});
        QCOMPARE(session.append(third), session.from_scratch({first, second, third}));
        // Back to somewhere after the mark is back to the mark, again and again.
        for (int i = 0; i < 2; ++i) {
            QCOMPARE(cache.truncate(25), std::int64_t{10});
            QCOMPARE(cache.num_tokens(), std::int64_t{10});
            QCOMPARE(session.append(third), session.from_scratch({first, third}));
            session.append(second);
        }
        // Before the mark there is only the beginning.
        QCOMPARE(cache.truncate(9), std::int64_t{0});
        QCOMPARE(session.append(second), session.from_scratch({second}));
        QCOMPARE(cache.truncate(5), std::int64_t{0});
    }

    void the_last_marks_are_kept() {
        Session session("delta net");
        const auto tokens = some_tokens(10);
        for (int i = 0; i < 6; ++i) {
            session.append(tokens);
            session.cache.mark();
            session.cache.mark();  // the same place once
        }
        const auto bytes = session.cache.bytes();
        session.append(tokens);
        QCOMPARE(session.cache.truncate(65), std::int64_t{60});
        QCOMPARE(session.cache.truncate(35), std::int64_t{30});
        QVERIFY(session.cache.bytes() < bytes);
        QCOMPARE(session.cache.truncate(25), std::int64_t{0});
    }

    void drafts_are_taken_back() {
        // As speculative decoding does: three tokens at once, of which one was right.
        Session session("delta net");
        const auto prompt = some_tokens(30);
        const auto draft = some_tokens(3, 4);
        session.append(prompt);
        session.cache.mark();
        session.append(draft);
        const std::int64_t left = session.cache.truncate(31);
        QCOMPARE(left, std::int64_t{30});
        QCOMPARE(session.append({draft.front(), 7}),
                 session.from_scratch({prompt, {draft.front()}, {7}}));
    }

    void a_call_that_is_broken_off_leaves_nothing_half_done() {
        /// Asks to stop when the second layer begins.
        struct Stopper : ForwardObserver {
            std::stop_source stop;
            void on_activation(Activation what, std::int64_t index,
                               std::span<const float>) override {
                if (what == Activation::HiddenStates && index == 1) stop.request_stop();
            }
            void on_routing(std::int64_t, const RoutingView&) override {}
        };
        for (const auto* part : {"plain", "latent attention", "delta net", "short conv"}) {
            Session session(part);
            const auto first = some_tokens(12);
            const auto second = some_tokens(9, 1);
            session.append(first);
            session.cache.mark();
            Stopper stopper;
            QVERIFY_EXCEPTION_THROWN(
                session.model.forward(second, session.cache, LogitsFor::LastToken, &stopper,
                                      stopper.stop.get_token()),
                Cancelled);
            QCOMPARE(session.cache.num_tokens(), std::int64_t{12});
            QCOMPARE(session.append(second), session.from_scratch({first, second}));

            // Without a mark a recurrent model starts over, and says so.
            Session unmarked(part);
            unmarked.append(first);
            Stopper again;
            QVERIFY_EXCEPTION_THROWN(
                unmarked.model.forward(second, unmarked.cache, LogitsFor::LastToken, &again,
                                       again.stop.get_token()),
                Cancelled);
            const bool is_recurrent = unmarked.cache.has_recurrent_layers();
            QCOMPARE(unmarked.cache.num_tokens(), std::int64_t{is_recurrent ? 0 : 12});
        }
    }

    void latent_layers_keep_one_row_a_token() {
        const MoeConfig config = config_named("latent attention, pairs");
        Session session("latent attention, pairs");
        session.append(some_tokens(64));
        const auto& latent = config.attention.latent;
        QCOMPARE(session.cache.bytes(),
                 static_cast<std::uint64_t>(64 * (latent.rank + latent.rope_dim) * 4 *
                                            config.num_layers()));
    }
};

QTEST_APPLESS_MAIN(TestKvCache)
#include "tst_kv_cache.moc"
