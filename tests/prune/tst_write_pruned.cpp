#include <QTest>
#include <algorithm>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"
#include "prune/pruning_fixture.h"
#include "routing/provenance.h"

using namespace espalier;
using namespace pruning;
namespace fs = std::filesystem;

namespace {

const std::string kHub = "models/qwen3_moe-basic";  // 12 experts, 3 a token, 3 layers
const std::string kGguf = "gguf/models/qwen3moe/qwen3moe.q4_k_m.gguf";

std::vector<std::byte> rows(std::span<const std::byte> bytes, const std::vector<std::int32_t>& kept,
                            std::size_t num_experts) {
    const std::size_t row = bytes.size() / num_experts;
    std::vector<std::byte> result;
    for (const auto expert : kept) {
        const auto part = bytes.subspan(static_cast<std::size_t>(expert) * row, row);
        result.insert(result.end(), part.begin(), part.end());
    }
    return result;
}

/// A copy of a golden hub folder whose config has the older spelling.
void copy_legacy(const fs::path& target) {
    fs::create_directories(target);
    fs::copy_file(golden(kHub) / "config.legacy.json", target / "config.json");
    fs::copy_file(golden(kHub) / "model.safetensors", target / "model.safetensors");
}

}  // namespace

class TestWritePruned : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void keeping_all_gives_identical_tensors() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kHub));
        const auto report = prune(*model, plan_keeping(*model, 12), folder.path("out"));
        const auto copy = ModelSource::open(folder.path("out"));
        QVERIFY(tensor_bytes(*copy) == tensor_bytes(*model));
        QCOMPARE(report.bytes_after, report.bytes_before);
        QCOMPARE(copy->hash(), model->hash());
        QVERIFY(report.dropped_tensors.empty());
    }

    void kept_experts_move_up_with_their_router_rows() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kHub));
        const ExpertPlan plan = plan_keeping(*model, 6);
        const auto report = prune(*model, plan, folder.path("out"));
        QCOMPARE(report.experts_before, std::int64_t{12});
        QCOMPARE(report.experts_after, std::int64_t{6});
        const auto cut = ModelSource::open(folder.path("out"));
        QCOMPARE(cut->config().router.num_experts, std::int64_t{6});
        const auto before = tensor_bytes(*model);
        const auto after = tensor_bytes(*cut);
        for (const auto& [layer, layer_plan] : plan.layers) {
            const std::string prefix = "model.layers." + std::to_string(layer) + ".mlp.";
            QVERIFY(after.at(prefix + "gate.weight") ==
                    rows(before.at(prefix + "gate.weight"), layer_plan.kept, 12));
            for (std::size_t i = 0; i < layer_plan.kept.size(); ++i) {
                for (const char* part :
                     {".gate_proj.weight", ".up_proj.weight", ".down_proj.weight"}) {
                    QVERIFY(
                        after.at(prefix + "experts." + std::to_string(i) + part) ==
                        before.at(prefix + "experts." + std::to_string(layer_plan.kept[i]) + part));
                }
            }
        }
        QVERIFY(after.at("model.layers.0.self_attn.q_proj.weight") ==
                before.at("model.layers.0.self_attn.q_proj.weight"));
        std::uint64_t bytes = 0;
        for (const auto& [name, data] : after) bytes += data.size();
        QCOMPARE(report.bytes_after, bytes);
    }

    void config_keeps_its_spelling() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kHub));
        prune(*model, plan_keeping(*model, 6), folder.path("new"));
        const Json now = read_json_file(folder.path("new") / "config.json");
        QCOMPARE(now.at("num_local_experts").get<int>(), 6);
        QVERIFY(!now.contains("num_experts"));
        Json expected = read_json_file(golden(kHub) / "config.json");
        expected["num_local_experts"] = 6;
        QVERIFY(now == expected);

        copy_legacy(folder.path("legacy"));
        const auto legacy = ModelSource::open(folder.path("legacy"));
        prune(*legacy, plan_keeping(*legacy, 6), folder.path("old"));
        const Json old = read_json_file(folder.path("old") / "config.json");
        QCOMPARE(old.at("num_experts").get<int>(), 6);
        QVERIFY(!old.contains("num_local_experts"));
    }

    void mixtral_and_shards_are_cut_too() {
        for (const char* name : {"models/mixtral-basic", "models/qwen3_moe-tied-sharded"}) {
            const Folder folder;
            const auto model = ModelSource::open(golden(name));
            const std::int64_t keep = model->config().router.num_experts / 2;
            prune(*model, plan_keeping(*model, keep), folder.path("out"));
            const auto cut = ModelSource::open(folder.path("out"));
            QCOMPARE(cut->config().router.num_experts, keep);
            QCOMPARE(cut->config().router.top_k, model->config().router.top_k);
        }
    }

    void companions_are_copied() {
        const Folder folder;
        const auto model = ModelSource::open(golden("gguf/models/qwen3moe/hf"));
        prune(*model, plan_keeping(*model, model->config().router.num_experts / 2),
              folder.path("out"));
        for (const char* name :
             {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
            QCOMPARE(read_file(folder.path("out") / name), read_file(model->path() / name));
        }
    }

    void tensors_without_a_role_are_carried_over() {
        const Folder folder;
        const SafetensorsFile file(golden(kHub) / "model.safetensors");
        const std::vector<float> frequencies{1.0F, 0.5F};
        std::vector<TensorSpec> specs;
        for (const auto& tensor : file.tensors()) {
            specs.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
        }
        const std::string extra = "model.layers.0.self_attn.rotary_emb.inv_freq";
        specs.push_back({extra, DType::F32, {2}});
        fs::create_directories(folder.path("in"));
        fs::copy_file(golden(kHub) / "config.json", folder.path("in") / "config.json");
        SafetensorsWriter writer(folder.path("in") / "model.safetensors", specs);
        for (const auto& tensor : file.tensors()) writer.write(tensor.name, tensor.view.bytes);
        writer.write(extra, std::as_bytes(std::span(frequencies)));
        writer.commit();

        const auto model = ModelSource::open(folder.path("in"));
        const auto report = prune(*model, plan_keeping(*model, 6), folder.path("out"));
        QVERIFY(report.dropped_tensors.empty());
        QVERIFY(tensor_bytes(*ModelSource::open(folder.path("out"))).contains(extra));
    }

    void provenance_names_base_lineage_and_original_ids() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kHub));
        const ExpertPlan plan = plan_keeping(*model, 6);
        prune(*model, plan, folder.path("out"));
        const Json json = read_json_file(folder.path("out") / "espalier.json");
        QCOMPARE(json.at("version").get<int>(), 1);
        QCOMPARE(json.at("base").at("name").get<std::string>(), std::string("qwen3_moe-basic"));
        QCOMPARE(json.at("base").at("hash").get<std::string>(), model->hash());
        QCOMPARE(json.at("lineage").size(), std::size_t{1});
        QCOMPARE(json.at("lineage").at(0).at("stage").get<std::string>(), std::string("prune"));
        for (const auto& [layer, layer_plan] : plan.layers) {
            QCOMPARE(json.at("expert_map")
                         .at(static_cast<std::size_t>(layer))
                         .get<std::vector<std::int32_t>>(),
                     layer_plan.kept);
        }
    }

    void second_cut_maps_to_the_first_models_ids_data() {
        QTest::addColumn<QString>("source");
        QTest::newRow("hub folder") << QString::fromStdString(kHub);
        QTest::newRow("GGUF") << QString::fromStdString(kGguf);
    }
    void second_cut_maps_to_the_first_models_ids() {
        QFETCH(QString, source);
        const Folder folder;
        const auto model = ModelSource::open(golden(source.toStdString()));
        const std::int64_t experts = model->config().router.num_experts;
        const ExpertPlan first = plan_keeping(*model, experts - 2);
        const bool hub = model->hub_folder() != nullptr;
        prune(*model, first, folder.path(hub ? "once" : "once.gguf"));
        const auto once = ModelSource::open(folder.path(hub ? "once" : "once.gguf"));
        const ExpertPlan second = plan_keeping(*once, experts - 4);
        prune(*once, second, folder.path(hub ? "twice" : "twice.gguf"));
        const auto twice = ModelSource::open(folder.path(hub ? "twice" : "twice.gguf"));
        const Provenance provenance = provenance_of(*twice);
        QCOMPARE(provenance.base_hash, model->hash());
        QCOMPARE(provenance.lineage.size(), std::size_t{2});
        for (const auto& [layer, plan] : second.layers) {
            std::vector<std::int32_t> expected;
            for (const auto id : plan.kept) {
                expected.push_back(first.layers.at(layer).kept[static_cast<std::size_t>(id)]);
            }
            QCOMPARE(provenance.expert_map[static_cast<std::size_t>(layer)], expected);
        }
        // The same experts cut at once give the same weights.
        ExpertPlan both;
        for (const auto& [layer, plan] : second.layers) {
            both.layers[layer].kept = provenance.expert_map[static_cast<std::size_t>(layer)];
        }
        prune(*model, both, folder.path(hub ? "at-once" : "at-once.gguf"));
        const auto at_once = ModelSource::open(folder.path(hub ? "at-once" : "at-once.gguf"));
        QVERIFY(tensor_bytes(*at_once) == tensor_bytes(*twice));
    }

    void gguf_blocks_are_copied_byte_for_byte() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kGguf));
        const auto experts = static_cast<std::size_t>(model->config().router.num_experts);
        const ExpertPlan plan = plan_keeping(*model, static_cast<std::int64_t>(experts) / 2);
        prune(*model, plan, folder.path("out.gguf"));
        const auto cut = ModelSource::open(folder.path("out.gguf"));
        QCOMPARE(cut->config().router.num_experts, static_cast<std::int64_t>(experts) / 2);
        const auto before = tensor_bytes(*model);
        const auto after = tensor_bytes(*cut);
        QCOMPARE(after.size(), before.size());
        for (const auto& [name, bytes] : before) {
            const auto key = model->role_of(name);
            QVERIFY(key.has_value());
            const bool sliced = key->role == TensorRole::Router || is_expert_role(key->role);
            QVERIFY2(after.at(name) ==
                         (sliced ? rows(bytes, plan.layers.at(key->layer).kept, experts) : bytes),
                     name.c_str());
        }
    }

    void gguf_keys_change_only_where_they_must() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kGguf));
        prune(*model, plan_keeping(*model, 4), folder.path("out.gguf"));
        const auto cut = ModelSource::open(folder.path("out.gguf"));
        const GgufMetadata& after = cut->gguf_file()->metadata();
        for (const auto& [key, value] : model->gguf_file()->metadata().entries()) {
            if (key == "qwen3moe.expert_count") continue;
            QVERIFY2(after.find(key) != nullptr && *after.find(key) == value, key.c_str());
        }
        QVERIFY(std::holds_alternative<std::uint32_t>(*after.find("qwen3moe.expert_count")));
        QCOMPARE(after.integer("qwen3moe.expert_count"), std::int64_t{4});
        QCOMPARE(after.text("espalier.base.hash"), model->hash());
    }

    void cancelled_writing_leaves_nothing_data() {
        QTest::addColumn<QString>("source");
        QTest::newRow("hub folder") << QString::fromStdString(kHub);
        QTest::newRow("GGUF") << QString::fromStdString(kGguf);
    }
    void cancelled_writing_leaves_nothing() {
        QFETCH(QString, source);
        const Folder folder;
        const auto model = ModelSource::open(golden(source.toStdString()));
        const ExpertPlan plan = plan_keeping(*model, 4);
        std::stop_source stop;
        const PruneWrite request{*model,
                                 plan,
                                 folder.path("out"),
                                 {},
                                 [&](std::uint64_t done, std::uint64_t total) {
                                     if (2 * done > total) stop.request_stop();
                                 },
                                 stop.get_token()};
        QVERIFY_THROWS_EXCEPTION(Cancelled, write_pruned(request));
        QCOMPARE(folder.names(), std::vector<std::string>{});
    }

    void progress_reaches_the_end() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kHub));
        std::uint64_t last = 0;
        std::uint64_t total = 0;
        const ExpertPlan plan = plan_keeping(*model, 6);
        const auto report = write_pruned(
            {*model, plan, folder.path("out"), {}, [&](std::uint64_t done, std::uint64_t all) {
                 QVERIFY(done > last);
                 last = done;
                 total = all;
             }});
        QCOMPARE(last, total);
        QCOMPARE(total, report.bytes_after);
    }

    void existing_output_is_left_alone() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kGguf));
        write_file(folder.path("out.gguf"), "mine");
        try {
            prune(*model, plan_keeping(*model, 4), folder.path("out.gguf"));
            QFAIL("overwritten");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::FileExists);
        }
        QCOMPARE(read_file(folder.path("out.gguf")), std::string("mine"));
    }

    void plan_for_another_model_is_refused() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kHub));
        ExpertPlan plan = plan_keeping(*model, 6);
        plan.layers[0].kept.back() = 12;
        QVERIFY_THROWS_EXCEPTION(Error, prune(*model, plan, folder.path("out")));
        plan = plan_keeping(*model, 2);  // each token needs three
        QVERIFY_THROWS_EXCEPTION(Error, prune(*model, plan, folder.path("out")));
        QCOMPARE(folder.names(), std::vector<std::string>{});
    }

    void broken_provenance_is_refused_data() {
        QTest::addColumn<QString>("text");
        QTest::newRow("no JSON") << "{";
        QTest::newRow("a list") << "[]";
        QTest::newRow("another version") << "{\"version\":7}";
        QTest::newRow("no base") << "{\"version\":1,\"lineage\":[],\"expert_map\":[]}";
        QTest::newRow("too few layers") << "{\"version\":1,\"base\":{\"name\":\"a\",\"hash\":\"b\"}"
                                           ",\"lineage\":[],\"expert_map\":[[0]]}";
        const QString head =
            "{\"version\":1,\"base\":{\"name\":\"a\",\"hash\":\"b\"},\"lineage\":[],\"expert_map\":"
            "[";
        const QString row = "[0,1,2,3,4,5,6,7,8,9,10,11]";
        QTest::newRow("too few experts") << head + row + ",[0,1]," + row + "]}";
        QTest::newRow("negative id") << head + row + ",[0,1,2,3,4,5,6,7,8,9,10,-1]," + row + "]}";
        QTest::newRow("id twice") << head + row + ",[0,1,2,3,4,5,6,7,8,9,10,10]," + row + "]}";
        QTest::newRow("id is a text")
            << head + row + ",[0,1,2,3,4,5,6,7,8,9,10,\"x\"]," + row + "]}";
    }
    void broken_provenance_is_refused() {
        QFETCH(QString, text);
        const Folder folder;
        copy_legacy(folder.path("in"));
        write_file(folder.path("in") / "espalier.json", text.toStdString());
        const auto model = ModelSource::open(folder.path("in"));
        QVERIFY_THROWS_EXCEPTION(Error, prune(*model, plan_keeping(*model, 6), folder.path("out")));
    }
};

QTEST_APPLESS_MAIN(TestWritePruned)
#include "tst_write_pruned.moc"
