#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "base/json.h"
#include "formats/safetensors_reader.h"
#include "infer/native_model.h"
#include "prune/pruning_fixture.h"

using namespace espalier;
using namespace pruning;
namespace fs = std::filesystem;

namespace {

/// Logits, and the routing and feed-forward output of the first layer, whose input no mask changes.
class FirstLayer : public ForwardObserver {
public:
    void on_activation(Activation what, std::int64_t index, std::span<const float> rows) override {
        if (what == Activation::FeedForwardOutput && index == 0)
            output.assign(rows.begin(), rows.end());
    }
    void on_routing(std::int64_t layer, const RoutingView& routing) override {
        if (layer != 0) return;
        logits.assign(routing.logits.begin(), routing.logits.end());
        selected.assign(routing.selected.begin(), routing.selected.end());
    }
    std::vector<float> output;
    std::vector<float> logits;
    std::vector<std::int32_t> selected;
};

struct Run {
    std::vector<float> logits;
    FirstLayer first;
};

Run run(const ModelSource& source, const ExpertMask& mask, std::span<const std::int32_t> ids) {
    ThreadPool pool(1);
    NativeModel model(source, pool);
    model.set_mask(mask);
    KvCache cache(model.config());
    Run result;
    const auto logits = model.forward(ids, cache, LogitsFor::AllTokens, &result.first);
    result.logits.assign(logits.begin(), logits.end());
    return result;
}

/// The first row of a golden model's batch.
std::vector<std::int32_t> golden_ids(const std::string& name) {
    const SafetensorsFile file(golden(name) / "golden.safetensors");
    const TensorView& view = *file.find("input_ids");
    std::vector<std::int64_t> ids(static_cast<std::size_t>(view.shape[1]));
    std::memcpy(ids.data(), view.bytes.data(), ids.size() * sizeof(std::int64_t));
    return {ids.begin(), ids.end()};
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    float largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

/// A copy of the golden Qwen3-MoE whose router does not normalise its choice.
void copy_unnormalised(const fs::path& target) {
    fs::create_directories(target);
    const fs::path source = golden("models/qwen3_moe-basic");
    Json config = read_json_file(source / "config.json");
    config["norm_topk_prob"] = false;
    write_json_file(target / "config.json", config);
    fs::copy_file(source / "model.safetensors", target / "model.safetensors");
}

/// Softmax mass of the experts that go, for one token.
double lost_mass(std::span<const float> logits, const ExpertMask& mask) {
    double all = 0;
    double lost = 0;
    for (std::size_t e = 0; e < logits.size(); ++e) {
        const double weight = std::exp(static_cast<double>(logits[e]));
        all += weight;
        if (mask.is_removed(0, static_cast<std::int64_t>(e))) lost += weight;
    }
    return lost / all;
}

bool all_kept(std::span<const std::int32_t> selected, const ExpertMask& mask) {
    return std::none_of(selected.begin(), selected.end(),
                        [&](std::int32_t e) { return mask.is_removed(0, e); });
}

}  // namespace

class TestMaskedModel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void masked_model_equals_pruned_model_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("qwen3_moe") << "models/qwen3_moe-basic";
        QTest::newRow("mixtral") << "models/mixtral-basic";
        QTest::newRow("qwen3_moe, tied, sharded, bfloat16") << "models/qwen3_moe-tied-sharded";
        QTest::newRow("qwen3_moe, not normalised") << "unnormalised";
    }
    void masked_model_equals_pruned_model() {
        QFETCH(QString, name);
        const Folder folder;
        const bool made = name == "unnormalised";
        if (made) copy_unnormalised(folder.path("in"));
        const auto model = ModelSource::open(made ? folder.path("in") : golden(name.toStdString()));
        const auto ids = golden_ids(made ? "models/qwen3_moe-basic" : name.toStdString());
        const std::int64_t keep =
            std::max(model->config().router.top_k, model->config().router.num_experts / 2);
        const ExpertPlan plan = plan_keeping(*model, keep);
        prune(*model, plan, folder.path("out"));
        const auto cut = ModelSource::open(folder.path("out"));

        const Run masked = run(*model, plan.mask(model->config()), ids);
        const Run pruned = run(*cut, {}, ids);
        const Run whole = run(*model, {}, ids);
        QVERIFY(largest_difference(masked.logits, whole.logits) > 0.01F);  // the cut is felt at all
        const float difference = largest_difference(masked.logits, pruned.logits);
        QVERIFY2(difference <= 1e-4F, qPrintable(QString::number(static_cast<double>(difference))));
    }

    void masked_gguf_equals_pruned_gguf() {
        const Folder folder;
        const auto model = ModelSource::open(golden("gguf/models/qwen3moe/qwen3moe.q8_0.gguf"));
        const ExpertPlan plan = plan_keeping(*model, model->config().router.num_experts / 2);
        prune(*model, plan, folder.path("out.gguf"));
        const auto cut = ModelSource::open(folder.path("out.gguf"));
        std::vector<std::int32_t> ids;
        for (std::int32_t i = 0; i < 40; ++i) ids.push_back((i * 37) % 200);
        const Run masked = run(*model, plan.mask(model->config()), ids);
        const Run pruned = run(*cut, {}, ids);
        QVERIFY(largest_difference(masked.logits, pruned.logits) <= 1e-4F);
    }

    void tokens_whose_experts_stay_are_untouched_bit_for_bit() {
        const auto model = ModelSource::open(golden("models/qwen3_moe-basic"));
        const auto ids = golden_ids("models/qwen3_moe-basic");
        const ExpertMask mask = plan_keeping(*model, 9).mask(model->config());
        const Run whole = run(*model, {}, ids);
        const Run masked = run(*model, mask, ids);
        const auto hidden = static_cast<std::size_t>(model->config().hidden_size);
        const auto k = static_cast<std::size_t>(model->config().router.top_k);
        std::size_t untouched = 0;
        for (std::size_t t = 0; t < ids.size(); ++t) {
            const bool stays = all_kept(std::span(whole.first.selected).subspan(t * k, k), mask);
            const bool same =
                std::memcmp(whole.first.output.data() + t * hidden,
                            masked.first.output.data() + t * hidden, hidden * sizeof(float)) == 0;
            QCOMPARE(same, stays);
            untouched += stays ? 1U : 0U;
        }
        QVERIFY(untouched > 0 && untouched < ids.size());
    }

    void routers_that_do_not_normalise_grow_by_the_lost_mass() {
        const Folder folder;
        copy_unnormalised(folder.path("in"));
        const auto model = ModelSource::open(folder.path("in"));
        const auto ids = golden_ids("models/qwen3_moe-basic");
        const ExpertMask mask = plan_keeping(*model, 9).mask(model->config());
        const Run whole = run(*model, {}, ids);
        const Run masked = run(*model, mask, ids);
        const auto hidden = static_cast<std::size_t>(model->config().hidden_size);
        const auto k = static_cast<std::size_t>(model->config().router.top_k);
        const std::size_t experts = 12;
        std::size_t checked = 0;
        for (std::size_t t = 0; t < ids.size(); ++t) {
            if (!all_kept(std::span(whole.first.selected).subspan(t * k, k), mask)) continue;
            const double growth =
                1 /
                (1 - lost_mass(std::span(whole.first.logits).subspan(t * experts, experts), mask));
            for (std::size_t i = t * hidden; i < (t + 1) * hidden; ++i) {
                const double expected = growth * static_cast<double>(whole.first.output[i]);
                QVERIFY(std::abs(static_cast<double>(masked.first.output[i]) - expected) <=
                        1e-5 * std::max(1.0, std::abs(expected)));
            }
            ++checked;
        }
        QVERIFY(checked > 0);
    }
};

QTEST_APPLESS_MAIN(TestMaskedModel)
#include "tst_masked_model.moc"
