#include <QTest>
#include <cmath>
#include <filesystem>

#include "base/cancel.h"
#include "base/error.h"
#include "eval/compare.h"
#include "eval/mask_probe.h"
#include "infer/random_model.h"
#include "infer/sample_configs.h"

using namespace espalier;

namespace {

constexpr std::int64_t kContext = 24;

std::vector<std::int32_t> some_ids(std::int64_t count, std::int32_t vocab) {
    std::vector<std::int32_t> ids;
    for (std::int32_t i = 0; i < count; ++i) ids.push_back((i * 37 + i / 7 + i * i) % vocab);
    return ids;
}

TokenWindows windows_of(const std::vector<std::int32_t>& ids) {
    TokenWindows windows;
    windows.tasks = {"even", "odd"};
    for (std::size_t begin = 0; begin + kContext <= ids.size(); begin += kContext) {
        windows.task_of_window.push_back(static_cast<std::int32_t>(windows.windows.size() % 2));
        windows.windows.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                     ids.begin() + static_cast<std::ptrdiff_t>(begin + kContext));
    }
    return windows;
}

/// All but the first `layers` layers stay whole; there expert `expert` goes.
ExpertMask mask_of(const MoeConfig& config, std::int64_t expert, std::size_t first,
                   std::size_t last) {
    ExpertMask mask;
    mask.removed.resize(config.layers.size());
    for (std::size_t l = 0; l < config.layers.size(); ++l) {
        if (config.layers[l].feed_forward == FeedForwardKind::Dense) continue;
        mask.removed[l].resize(static_cast<std::size_t>(config.router.num_experts));
        if (l >= first && l < last) mask.removed[l][static_cast<std::size_t>(expert)] = true;
    }
    return mask;
}

/// A random model with more layers, so that a measurement can begin between them.
MoeConfig deep_config() {
    MoeConfig config = sample_configs().front().second;
    while (config.layers.size() < 5) config.layers.push_back(config.layers.back());
    return config;
}

Comparison compared(const RandomModel& original, const RandomModel& source,
                    const std::vector<std::int32_t>& ids, const ExpertMask& mask) {
    ThreadPool pool(2);
    NativeModel whole(original, pool);
    NativeModel masked(source, pool);
    masked.set_mask(mask);
    return compare_models({.reference = whole,
                           .model = masked,
                           .expert_map = {},
                           .ids = ids,
                           .options = {.context = kContext, .first_scored = kContext / 4},
                           .mask = mask});
}

}  // namespace

class TestMaskProbe : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void costs_are_those_of_the_comparison_data() {
        QTest::addColumn<quint64>("memory");
        QTest::addColumn<bool>("other");
        for (const bool other : {false, true}) {
            const char* whole = other ? ", held to another model" : "";
            QTest::addRow("everything is remembered%s", whole) << (quint64{1} << 30) << other;
            QTest::addRow("some states, logits again%s", whole) << (quint64{1} << 15) << other;
            QTest::addRow("nothing is remembered%s", whole) << quint64{0} << other;
        }
    }

    void costs_are_those_of_the_comparison() {
        QFETCH(quint64, memory);
        QFETCH(bool, other);
        const MoeConfig config = deep_config();
        const RandomModel source(config, 5);
        const RandomModel original(config, other ? 6 : 5);
        const auto ids = some_ids(6 * kContext, static_cast<std::int32_t>(config.vocab_size));
        ThreadPool pool(2);
        NativeModel model(source, pool);
        NativeModel whole(original, pool);
        MaskProbe probe(model, windows_of(ids),
                        {.memory_bytes = memory, .whole = other ? &whole : nullptr});
        if (!other) {
            QVERIFY(std::abs(probe.whole().all.kl) < 1e-8);
            QCOMPARE(probe.whole().all.top1, 1.0);
        }
        const auto last = config.layers.size();
        const std::vector<ExpertMask> masks = {
            mask_of(config, 1, 0, last), mask_of(config, 2, last - 1, last),
            mask_of(config, 0, 2, last), mask_of(config, 1, 0, last),
            mask_of(config, 3, 0, 1),    {}};
        for (std::size_t i = 0; i < masks.size(); ++i) {
            const auto cost = probe.measure(masks[i]);
            if (i % 2 == 0) probe.settle(masks[i]);
            const Comparison expected = compared(original, source, ids, masks[i]);
            QCOMPARE(cost.all.tokens, expected.tokens);
            QVERIFY(std::abs(cost.all.kl - expected.kl_mean) < 1e-7);
            QVERIFY(std::abs(cost.all.perplexity / expected.model_perplexity - 1) < 1e-7);
            QCOMPARE(cost.all.top1, expected.top1);
            QVERIFY(masks[i].empty() || cost.all.kl > 1e-5);
        }
    }

    void tasks_sum_up_to_all() {
        const MoeConfig config = deep_config();
        const RandomModel source(config, 5);
        const auto ids = some_ids(5 * kContext, static_cast<std::int32_t>(config.vocab_size));
        ThreadPool pool(1);
        NativeModel model(source, pool);
        MaskProbe probe(model, windows_of(ids));
        const auto cost = probe.measure(mask_of(config, 1, 0, 3));
        QCOMPARE(cost.tasks.size(), std::size_t{2});
        QCOMPARE(cost.tasks[0].tokens * 2, cost.tasks[1].tokens * 3);
        QCOMPARE(cost.tasks[0].tokens + cost.tasks[1].tokens, cost.all.tokens);
        const double mean = (cost.tasks[0].kl * 3 + cost.tasks[1].kl * 2) / 5;
        QVERIFY(std::abs(mean - cost.all.kl) < 1e-12);
    }

    void a_stop_in_between_leaves_it_usable() {
        const MoeConfig config = deep_config();
        const RandomModel source(config, 5);
        const auto ids = some_ids(3 * kContext, static_cast<std::int32_t>(config.vocab_size));
        ThreadPool pool(1);
        NativeModel model(source, pool);
        MaskProbe probe(model, windows_of(ids));
        const ExpertMask mask = mask_of(config, 1, 2, 5);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(probe.settle(mask, stop.get_token()), Cancelled);
        probe.settle(mask);
        probe.measure(mask_of(config, 2, 0, 1));
        probe.settle(mask);  // measured again, since another one came between
        const double kl = probe.measure(mask).all.kl;
        QCOMPARE(kl, MaskProbe(model, windows_of(ids)).measure(mask).all.kl);
    }

    void a_text_of_one_token_is_refused() {
        const RandomModel source(deep_config(), 5);
        ThreadPool pool(1);
        NativeModel model(source, pool);
        TokenWindows windows{{{1}}, {0}, {"a"}};
        QVERIFY_EXCEPTION_THROWN(MaskProbe(model, windows), Error);
    }
};

QTEST_APPLESS_MAIN(TestMaskProbe)
#include "tst_mask_probe.moc"
