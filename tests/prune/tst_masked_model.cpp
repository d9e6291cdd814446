#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"
#include "infer/native_model.h"
#include "prune/cut_channels.h"
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

/// A plan that keeps `count` channels of every expert, different ones in each.
ChannelPlan channels_keeping(const MoeConfig& config, std::int64_t count, std::int64_t block = 1) {
    ChannelPlan plan;
    plan.width = config.moe_intermediate_size;
    plan.kept = count;
    const std::int64_t blocks = plan.width / block;
    for (const std::int64_t layer : config.moe_layers()) {
        for (std::int64_t e = 0; e < config.router.num_experts; ++e) {
            auto& kept = plan.layers[layer].emplace_back();
            for (std::int64_t i = 0; i < count / block; ++i) {
                const std::int64_t first = (e + layer + 2 * i) % blocks;
                for (std::int64_t c = 0; c < block; ++c) {
                    kept.push_back(static_cast<std::int32_t>(first * block + c));
                }
            }
            std::sort(kept.begin(), kept.end());
            if (std::adjacent_find(kept.begin(), kept.end()) != kept.end()) {
                throw std::logic_error("the steps must not meet");
            }
        }
    }
    return plan;
}

/// A copy of a float32 golden model in which the columns of down that the plan removes are zeros:
/// what their channels compute is lost, everything else is as it was.
void copy_silenced(const ModelSource& model, const ChannelPlan& plan, const fs::path& target) {
    fs::create_directories(target);
    fs::copy_file(model.path() / "config.json", target / "config.json");
    std::vector<TensorSpec> specs;
    for (const NamedTensor& tensor : model.stored_tensors()) {
        specs.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
    }
    SafetensorsWriter writer(target / "model.safetensors", specs, {});
    for (const NamedTensor& tensor : model.stored_tensors()) {
        std::vector<float> values(tensor.view.bytes.size() / sizeof(float));
        std::memcpy(values.data(), tensor.view.bytes.data(), tensor.view.bytes.size());
        const auto key = model.role_of(tensor.name);
        if (key && key->role == TensorRole::ExpertDown) {
            const auto width = static_cast<std::size_t>(plan.width);
            const std::size_t experts = key->expert < 0 ? plan.layers.at(key->layer).size() : 1;
            const std::size_t rows = values.size() / width;
            for (std::size_t i = 0; i < values.size(); ++i) {
                const std::size_t e = key->expert < 0 ? i / width / (rows / experts)
                                                      : static_cast<std::size_t>(key->expert);
                const auto& kept = plan.layers.at(key->layer).at(e);
                const auto channel = static_cast<std::int32_t>(i % width);
                if (!std::binary_search(kept.begin(), kept.end(), channel)) values[i] = 0;
            }
        }
        writer.write(tensor.name, std::as_bytes(std::span(values)));
    }
    writer.commit();
}

void prune_channels(const ModelSource& model, const ExpertPlan& experts,
                    const ChannelPlan& channels, const fs::path& out) {
    write_pruned({.model = model,
                  .plan = experts,
                  .out = out,
                  .lineage = {{"stage", "prune"}},
                  .channels = &channels});
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
        // Every way of routing: softmax normalised or not, biases, sigmoids with a selection bias,
        // groups, shared experts, dense first layers.
        QTest::addColumn<QString>("name");
        const Json cases = read_json_file(golden("models/cases.json"));
        for (const auto& item : cases.items()) {
            QTest::addRow("%s", item.key().c_str())
                << QString("models/%1").arg(QString::fromStdString(item.key()));
        }
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

    void scaled_outputs_are_the_same_masked_or_written_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"olmoe-basic", "deepseek_v2-lite", "qwen2_moe-shared-expert",
                                 "gpt_oss-basic", "qwen3_5_moe-hub-layout"}) {
            QTest::addRow("%s", name) << QString("models/%1").arg(QLatin1String(name));
        }
    }
    void scaled_outputs_are_the_same_masked_or_written() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden(name.toStdString()));
        const auto ids = golden_ids(name.toStdString());
        ExpertPlan plan = plan_keeping(*model, model->config().router.num_experts - 1);
        const Run plain = run(*model, plan.mask(model->config()), ids);
        for (auto& [layer, row] : plan.layers) row.output_scale = 0.75;
        prune(*model, plan, folder.path("out"));
        const auto cut = ModelSource::open(folder.path("out"));
        const Run masked = run(*model, plan.mask(model->config()), ids);
        QVERIFY(largest_difference(masked.logits, plain.logits) > 0.001F);
        QVERIFY(largest_difference(masked.logits, run(*cut, {}, ids).logits) <= 1e-4F);
    }

    void quantised_experts_are_not_scaled() {
        const Folder folder;
        const auto model = ModelSource::open(golden("models/gpt_oss-mxfp4"));
        ExpertPlan plan = plan_keeping(*model, model->config().router.num_experts / 2);
        plan.layers.begin()->second.output_scale = 0.5;
        QVERIFY_THROWS_EXCEPTION(Error, prune(*model, plan, folder.path("out")));
        QVERIFY(!fs::exists(folder.path("out")));
    }

    void silenced_channels_equal_removed_ones_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("qwen3_moe") << "models/qwen3_moe-basic";
        QTest::newRow("mixtral, with \"intermediate_size\" alone") << "models/mixtral-basic";
        QTest::newRow("gate and up in one tensor of all experts")
            << "models/qwen3_5_moe-hub-layout";
    }
    void silenced_channels_equal_removed_ones() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden(name.toStdString()));
        const auto ids = golden_ids(name.toStdString());
        const MoeConfig& config = model->config();
        const std::int64_t kept = config.moe_intermediate_size / 2 - 1;
        const ChannelPlan channels = channels_keeping(config, kept);
        prune_channels(*model, {}, channels, folder.path("out"));
        copy_silenced(*model, channels, folder.path("silenced"));
        const auto cut = ModelSource::open(folder.path("out"));
        QCOMPARE(cut->config().moe_intermediate_size, kept);
        QCOMPARE(cut->config().router.num_experts, config.router.num_experts);
        const auto silenced = ModelSource::open(folder.path("silenced"));
        const Run expected = run(*silenced, {}, ids);
        QVERIFY(largest_difference(expected.logits, run(*model, {}, ids).logits) > 0.01F);
        QVERIFY(largest_difference(expected.logits, run(*cut, {}, ids).logits) <= 1e-4F);

        // Experts and channels in one go.
        const ExpertPlan experts = plan_keeping(*model, config.router.num_experts / 2 + 1);
        prune_channels(*model, experts, channels, folder.path("both"));
        const auto both = ModelSource::open(folder.path("both"));
        QVERIFY(largest_difference(run(*silenced, experts.mask(config), ids).logits,
                                   run(*both, {}, ids).logits) <= 1e-4F);
    }

    void channels_of_a_gguf_file() {
        const Folder folder;
        const auto model = ModelSource::open(golden("gguf/models/qwen3moe/qwen3moe.f32.gguf"));
        const MoeConfig& config = model->config();
        const ChannelPlan plan = channels_keeping(config, 8, 4);
        prune_channels(*model, {}, plan, folder.path("out.gguf"));
        const auto cut = ModelSource::open(folder.path("out.gguf"));
        QCOMPARE(cut->config().moe_intermediate_size, 8);
        const auto width = static_cast<std::size_t>(config.moe_intermediate_size);
        const auto hidden = static_cast<std::size_t>(config.hidden_size);
        std::vector<float> whole(width * hidden);
        std::vector<float> part(8 * hidden);
        for (const std::int64_t layer : config.moe_layers()) {
            for (std::int32_t e = 0; e < config.router.num_experts; ++e) {
                const auto index = static_cast<std::int32_t>(layer);
                const auto& kept = plan.layers.at(layer).at(static_cast<std::size_t>(e));
                model->decode({TensorRole::ExpertDown, index, e}, whole);
                cut->decode({TensorRole::ExpertDown, index, e}, part);
                for (std::size_t i = 0; i < part.size(); ++i) {
                    const auto column = static_cast<std::size_t>(kept[i % 8]);
                    QCOMPARE(part[i], whole[i / 8 * width + column]);
                }
                model->decode({TensorRole::ExpertUp, index, e}, whole);
                cut->decode({TensorRole::ExpertUp, index, e}, part);
                for (std::size_t i = 0; i < part.size(); ++i) {
                    const auto row = static_cast<std::size_t>(kept[i / hidden]);
                    QCOMPARE(part[i], whole[row * hidden + i % hidden]);
                }
            }
        }
    }

    void channels_of_quantised_columns_go_by_blocks() {
        // Two rows of two blocks of 32: 34 bytes each.
        std::vector<std::byte> bytes(4 * 34);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
        const NamedTensor stored{"down", TensorView{DType::Q8_0, {2, 64}, bytes}};
        ChannelPlan plan;
        plan.width = 64;
        plan.kept = 32;
        plan.layers[0].resize(1);
        for (std::int32_t c = 32; c < 64; ++c) plan.layers[0][0].push_back(c);
        const TensorKey key{TensorRole::ExpertDown, 0, 0};
        const ChannelCut cut = cut_channels(stored, key, plan, {});
        QCOMPARE(cut.shape, (Shape{2, 32}));
        const std::vector<std::byte> left = gather(cut.matrices.at(0));
        std::vector<std::byte> expected(bytes.begin() + 34, bytes.begin() + 68);
        expected.insert(expected.end(), bytes.begin() + 102, bytes.end());
        QVERIFY(left == expected);
        plan.layers[0][0].front() = 0;  // torn
        QVERIFY_THROWS_EXCEPTION(Error, cut_channels(stored, key, plan, {}));

        const Folder folder;
        const auto model = ModelSource::open(golden("gguf/models/qwen3moe/qwen3moe.q8_0.gguf"));
        const ChannelPlan torn = channels_keeping(model->config(), 16);
        QVERIFY_THROWS_EXCEPTION(Error, prune_channels(*model, {}, torn, folder.path("torn.gguf")));
        QVERIFY(!fs::exists(folder.path("torn.gguf")));
    }

    void channels_that_families_cannot_lose_are_refused() {
        for (const char* name : {"models/gpt_oss-basic", "models/deepseek_v3-basic"}) {
            const Folder folder;
            const auto model = ModelSource::open(golden(name));
            const ChannelPlan plan = channels_keeping(model->config(), 4);
            QVERIFY_THROWS_EXCEPTION(Error, prune_channels(*model, {}, plan, folder.path("out")));
            QVERIFY(!fs::exists(folder.path("out")));
        }
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
