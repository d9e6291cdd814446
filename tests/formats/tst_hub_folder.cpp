#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "formats/hub_folder.h"
#include "formats/hub_folder_writer.h"
#include "formats/safetensors_writer.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

constexpr const char* kIndex = "model.safetensors.index.json";

void write_shard(const fs::path& path, const std::string& tensor) {
    SafetensorsWriter writer(path, {{tensor, DType::U8, {4}}});
    writer.write(tensor, std::vector<std::byte>(4));
    writer.commit();
}

/// Two shards with the tensors "a" and "b".
void write_two_shards(const fs::path& folder) {
    write_file(folder / "config.json", "{}");
    write_shard(folder / "one.safetensors", "a");
    write_shard(folder / "two.safetensors", "b");
    write_json_file(folder / kIndex,
                    {{"weight_map", {{"a", "one.safetensors"}, {"b", "two.safetensors"}}}});
}

}  // namespace

class TestHubFolder : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;
    fs::path folder() const { return dir_->path().toStdString(); }

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void joins_the_shards_that_the_index_names() {
        write_two_shards(folder());
        const HubFolder hub(folder());
        QCOMPARE(hub.tensors().size(), std::size_t{2});
        QVERIFY(hub.find("a") && hub.find("b") && !hub.find("c"));
        hub.release(*hub.find("b"));
    }

    void a_single_file_needs_no_index() {
        write_file(folder() / "config.json", "{\"model_type\":\"x\"}");
        write_shard(folder() / "model.safetensors", "a");
        const HubFolder hub(folder());
        QVERIFY(hub.find("a"));
        QCOMPARE(hub.config().at("model_type").get<std::string>().c_str(), "x");
    }

    void lists_the_companions_of_the_weights() {
        write_two_shards(folder());
        for (const char* name : {"tokenizer.json", "README.md", "generation_config.json"}) {
            write_file(folder() / name, "{}");
        }
        const auto files = HubFolder(folder()).companion_files();
        QCOMPARE(files.size(), std::size_t{2});
        QCOMPARE(files[0].filename().string().c_str(), "generation_config.json");
        QCOMPARE(files[1].filename().string().c_str(), "tokenizer.json");
    }

    void refuses_a_broken_folder_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("code");
        QTest::addColumn<QString>("words");
        const auto row = [](const char* name, const char* file, const char* text, const char* code,
                            const char* words) {
            QTest::addRow("%s", name)
                << QString(file) << QByteArray(text) << QString(code) << QString(words);
        };
        row("config cut off", "config.json", "{\"model_type\":", "E-FILE-04", "config.json");
        row("config empty", "config.json", "", "E-FILE-04", "config.json");
        row("config is a list", "config.json", "[]", "E-FILE-04", "config.json");
        row("config nests deeply", "config.json", std::string(5000, '[').c_str(), "E-FILE-04",
            "deeper");
        row("index cut off", kIndex, "{\"weight_map\":{\"a\":", "E-FILE-04", kIndex);
        row("index without map", kIndex, "{}", "E-FILE-04", "weight_map");
        row("map is a list", kIndex, "{\"weight_map\":[]}", "E-FILE-04", "weight_map");
        row("file is a number", kIndex, "{\"weight_map\":{\"a\":1}}", "E-FILE-04", "\"a\"");
        row("missing shard", kIndex, "{\"weight_map\":{\"a\":\"three.safetensors\"}}", "E-FILE-01",
            "three.safetensors");
        row("missing tensor", kIndex, "{\"weight_map\":{\"z\":\"one.safetensors\"}}", "E-FILE-04",
            "tensor \"z\"");
        row("path upwards", kIndex, "{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "E-FILE-04",
            "../one.safetensors");
        row("path into a folder", kIndex, "{\"weight_map\":{\"a\":\"sub/one.safetensors\"}}",
            "E-FILE-04", "sub/one.safetensors");
        row("absolute path", kIndex, "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "E-FILE-04",
            "/etc/passwd");
        row("parent folder", kIndex, "{\"weight_map\":{\"a\":\"..\"}}", "E-FILE-04", "\"..\"");
        row("empty path", kIndex, "{\"weight_map\":{\"a\":\"\"}}", "E-FILE-04", "\"\"");
        row("shard is the config", kIndex, "{\"weight_map\":{\"a\":\"config.json\"}}", "E-FILE-03",
            "config.json");
        row("shard is empty", "two.safetensors", "", "E-FILE-03", "two.safetensors");
    }

    void refuses_a_broken_folder() {
        QFETCH(QString, file);
        QFETCH(QByteArray, text);
        QFETCH(QString, code);
        QFETCH(QString, words);
        write_two_shards(folder());
        write_file(folder() / file.toStdString(), text.toStdString());
        const auto error = error_of([&] { HubFolder hub(folder()); });
        QVERIFY(error);
        QCOMPARE(QString::fromStdString(std::string(code_text(error->code()))), code);
        QVERIFY2(QString(error->what()).contains(words), error->what());
    }

    void refuses_the_same_tensor_in_two_shards() {
        write_two_shards(folder());
        write_shard(folder() / "two.safetensors", "a");
        const auto error = error_of([&] { HubFolder hub(folder()); });
        QVERIFY(error && error->code() == ErrorCode::FileMalformed);
    }

    void refuses_a_folder_without_weights_or_config() {
        QVERIFY(error_of([&] { HubFolder hub(folder()); })->code() == ErrorCode::FileMissing);
        write_file(folder() / "config.json", "{}");
        QVERIFY(error_of([&] { HubFolder hub(folder()); })->code() == ErrorCode::FileMissing);
        QVERIFY(!HubFolder::looks_like_one(folder() / "config.json"));
    }

    void writes_one_file_or_shards_data() {
        QTest::addColumn<qulonglong>("shard_bytes");
        QTest::addColumn<int>("shards");
        QTest::addRow("one") << 1000ULL << 1;
        QTest::addRow("exactly full") << 12ULL << 1;
        QTest::addRow("two") << 8ULL << 2;
        QTest::addRow("one each, even if too large") << 1ULL << 3;
    }

    void writes_one_file_or_shards() {
        QFETCH(qulonglong, shard_bytes);
        QFETCH(int, shards);
        const fs::path target = folder() / "model";
        HubFolderWriter writer(target,
                               {{"a", DType::F32, {1}},
                                {"none", DType::F32, {0}},
                                {"b", DType::F32, {1}},
                                {"c", DType::F32, {1}}},
                               shard_bytes);
        for (const char* name : {"a", "b", "c"}) {
            writer.write(name, std::vector<std::byte>(3, static_cast<std::byte>(name[0])));
            writer.write(name, std::vector<std::byte>(1, static_cast<std::byte>(name[0])));
        }
        writer.write_json("config.json", Json{{"model_type", "x"}});
        write_file(folder() / "tokenizer.json", "{}");
        writer.copy_file(folder() / "tokenizer.json");
        QVERIFY(!fs::exists(target));
        writer.commit();

        QVERIFY(!fs::exists(target.string() + ".partial"));
        QCOMPARE(fs::exists(target / kIndex), shards > 1);
        const HubFolder hub(target);
        QCOMPARE(hub.tensors().size(), std::size_t{4});
        for (const char* name : {"a", "b", "c"}) {
            QCOMPARE(static_cast<char>(hub.find(name)->bytes[3]), name[0]);
        }
        const auto is_shard = [](const fs::directory_entry& entry) {
            return entry.path().extension() == ".safetensors";
        };
        QCOMPARE(std::count_if(fs::directory_iterator(target), {}, is_shard), shards);
        QCOMPARE(hub.companion_files().size(), std::size_t{1});
    }

    void a_dropped_writer_leaves_nothing() {
        const fs::path target = folder() / "model";
        {
            HubFolderWriter writer(target, {{"a", DType::F32, {1}}});
            writer.write("a", std::vector<std::byte>(2));
            QVERIFY(fs::exists(target.string() + ".partial"));
        }
        QVERIFY(fs::is_empty(folder()));
    }

    void an_incomplete_folder_is_not_committed() {
        HubFolderWriter writer(folder() / "model", {{"a", DType::F32, {1}}, {"b", DType::F32, {1}}},
                               4);
        writer.write("a", std::vector<std::byte>(4));
        const auto error = error_of([&] { writer.commit(); });
        QVERIFY(error && error->code() == ErrorCode::VerifyFailed);
        QVERIFY(!fs::exists(folder() / "model"));
    }

    void what_a_killed_run_left_is_replaced() {
        fs::create_directories(folder() / "model.partial");
        write_file(folder() / "model.partial" / "old", "x");
        HubFolderWriter writer(folder() / "model", {{"a", DType::U8, {1}}});
        writer.write("a", std::vector<std::byte>(1));
        writer.write_text("config.json", "{}");
        writer.commit();
        QVERIFY(!fs::exists(folder() / "model" / "old"));
        QVERIFY(HubFolder(folder() / "model").find("a"));
    }

    void refuses_to_overwrite() {
        fs::create_directories(folder() / "model");
        const auto error = error_of([&] { HubFolderWriter writer(folder() / "model/", {}); });
        QVERIFY(error && error->code() == ErrorCode::FileExists);
    }
};

QTEST_APPLESS_MAIN(TestHubFolder)
#include "tst_hub_folder.moc"
