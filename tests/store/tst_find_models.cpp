#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "base/error.h"
#include "store/delete_result.h"
#include "store/find_models.h"
#include "store/gguf_parts.h"
#include "store/model_card.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

std::vector<FoundModel> all_below(const fs::path& root, ModelOrigin origin = ModelOrigin::Folder) {
    ModelFinder finder({{root, origin}});
    std::vector<FoundModel> found;
    while (!finder.is_done()) {
        for (FoundModel& model : finder.step()) found.push_back(std::move(model));
    }
    return found;
}

/// The only one, or a failure that says how many there are.
FoundModel the_one(const std::vector<FoundModel>& found) {
    if (found.size() != 1) qFatal("%zu models instead of one", found.size());
    return found.front();
}

constexpr const char* kIndex =
    R"({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})";

}  // namespace

class tst_find_models : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_root = fs::canonical(m_dir->path().toStdString());
    }

    void takes_the_snapshot_that_main_names() {
        add_snapshot("old", {{"config.json", "{}"}, {"model.safetensors", "12345"}});
        add_snapshot("new", {{"config.json", "{}"}, {"model.safetensors", "123"}});
        write(repository() / "refs" / "main", "old\n");
        const FoundModel model = the_one(all_below(m_root, ModelOrigin::HubCache));
        QCOMPARE(model.path, repository() / "snapshots" / "old");
        QCOMPARE(model.name, std::string("Tiny-MoE"));
        QCOMPARE(model.publisher, std::string("Owner"));
        QCOMPARE(model.origin, ModelOrigin::HubCache);
        QCOMPARE(model.gap, ModelGap::None);
        QCOMPARE(model.bytes, std::uint64_t{7});
        QCOMPARE(model.files.size(), std::size_t{2});
    }

    void a_reference_that_leads_outside_is_not_followed() {
        add_snapshot("only", {{"config.json", "{}"}, {"model.safetensors", "12345"}});
        for (const char* reference : {"../../../etc", "missing", "", "."}) {
            write(repository() / "refs" / "main", reference);
            QCOMPARE(the_one(all_below(m_root)).path, repository() / "snapshots" / "only");
        }
    }

    void says_what_a_hub_folder_lacks_data() {
        QTest::addColumn<QStringList>("files");
        QTest::addColumn<QStringList>("broken");
        QTest::addColumn<int>("gap");
        QTest::addColumn<QStringList>("missing");
        const auto row = [](const char* name, const QStringList& files, const QStringList& broken,
                            ModelGap gap, const QStringList& missing) {
            QTest::newRow(name) << files << broken << static_cast<int>(gap) << missing;
        };
        const QStringList config{"config.json"};
        const QString first = "model-00001-of-00002.safetensors";
        const QString second = "model-00002-of-00002.safetensors";
        const QString index = "model.safetensors.index.json";
        row("whole", config + QStringList{"model.safetensors"}, {}, ModelGap::None, {});
        row("whole in two files", config + QStringList{index, first, second}, {}, ModelGap::None,
            {});
        row("one of two", config + QStringList{index, first}, {}, ModelGap::Parts, {second});
        row("a link to what was not loaded", config + QStringList{index, first}, {second},
            ModelGap::Download, {second});
        row("the only file not loaded", config, {"model.safetensors"}, ModelGap::Download,
            {"model.safetensors"});
        row("no index", config + QStringList{first, second}, {}, ModelGap::Parts, {index});
        row("old format", config + QStringList{"pytorch_model.bin"}, {}, ModelGap::Format, {});
        row("no weights", config, {}, ModelGap::Weights, {});
        row("no config", {"model.safetensors"}, {"config.json"}, ModelGap::Download,
            {"config.json"});
    }

    void says_what_a_hub_folder_lacks() {
        QFETCH(QStringList, files);
        QFETCH(QStringList, broken);
        QFETCH(int, gap);
        QFETCH(QStringList, missing);
        const fs::path folder = m_root / "some" / "model-folder";
        for (const QString& file : files) {
            const bool is_index = file.endsWith("index.json");
            const bool is_config = file == "config.json";
            write(folder / file.toStdString(),
                  is_index ? kIndex : (is_config ? R"({"model_type": "x"})" : "weights"));
        }
        fs::create_directories(folder);
        for (const QString& file : broken)
            fs::create_symlink("../nowhere", folder / file.toStdString());
        const FoundModel model = the_one(all_below(m_root));
        QCOMPARE(model.path, folder);
        QCOMPARE(model.name, std::string("model-folder"));
        QCOMPARE(static_cast<int>(model.gap), gap);
        QStringList found;
        for (const std::string& name : model.missing) found.append(QString::fromStdString(name));
        QCOMPARE(found, missing);
        QCOMPARE(gap_text(model.gap).empty(), gap == 0);
    }

    void an_unfinished_blob_makes_a_download_of_it() {
        add_snapshot("only", {{"config.json", "{}"}, {"model.safetensors.index.json", kIndex}});
        write(repository() / "blobs" / "abc.incomplete", "half");
        QCOMPARE(the_one(all_below(m_root)).gap, ModelGap::Download);
        fs::remove_all(repository() / "snapshots");
        const FoundModel barely = the_one(all_below(m_root));
        QCOMPARE(barely.gap, ModelGap::Download);
        QCOMPARE(barely.name, std::string("Tiny-MoE"));
    }

    void finds_split_and_half_loaded_ggufs() {
        const fs::path folder = m_root / "Publisher" / "Model-GGUF";
        for (const char* name :
             {"whole.gguf", "split-00001-of-00002.gguf", "split-00002-of-00002.gguf",
              "cut-00002-of-00002.gguf", "mmproj-model.gguf", "downloading_late.gguf.part",
              "whole.gguf.part"}) {
            write(folder / name, "GGUF");
        }
        std::map<std::string, FoundModel> found;
        for (FoundModel& model : all_below(m_root, ModelOrigin::LmStudio))
            found[model.name] = model;
        QCOMPARE(found.size(), std::size_t{4});
        QCOMPARE(found.at("whole").publisher, std::string("Publisher"));
        QCOMPARE(found.at("whole").gap, ModelGap::None);
        QCOMPARE(found.at("split").path, folder / "split-00001-of-00002.gguf");
        QCOMPARE(found.at("split").files.size(), std::size_t{2});
        QCOMPARE(found.at("split").gap, ModelGap::None);
        QCOMPARE(found.at("cut").gap, ModelGap::Parts);
        QCOMPARE(found.at("cut").missing, std::vector<std::string>{"cut-00001-of-00002.gguf"});
        QCOMPARE(found.at("late").gap, ModelGap::Download);
    }

    void a_folder_of_other_things_holds_no_model() {
        write(m_root / "app" / "config.json", R"({"port": 80})");
        write(m_root / "list" / "config.json", "[1, 2");
        write(m_root / ".git" / "model.gguf", "GGUF");
        write(m_root / "datasets--a--b" / "model.gguf", "GGUF");
        QCOMPARE(all_below(m_root).size(), std::size_t{0});
    }

    void circles_of_links_end() {
        write(m_root / "a" / "one.gguf", "GGUF");
        fs::create_directory_symlink(m_root, m_root / "a" / "round");
        fs::create_symlink("self", m_root / "a" / "self");
        fs::create_directory_symlink(m_root / "a", m_root / "again");
        QCOMPARE(all_below(m_root).size(), std::size_t{1});
    }

    void a_folder_that_may_not_be_read_is_named() {
        if (::geteuid() == 0) QSKIP("root may read everything");
        write(m_root / "closed" / "one.gguf", "GGUF");
        fs::permissions(m_root / "closed", fs::perms::none);
        const auto found = all_below(m_root);
        fs::permissions(m_root / "closed", fs::perms::owner_all);
        QCOMPARE(the_one(found).gap, ModelGap::Access);
    }

    void goes_no_deeper_than_people_keep_models() {
        fs::path deep = m_root;
        for (int level = 0; level < 12; ++level) deep /= "x";
        write(deep / "far.gguf", "GGUF");
        write(m_root / "x" / "x" / "near.gguf", "GGUF");
        QCOMPARE(the_one(all_below(m_root)).name, std::string("near"));
    }

    void one_path_is_looked_at_by_itself() {
        write(m_root / "b" / "m-00001-of-00002.gguf", "GGUF");
        write(m_root / "b" / "m-00002-of-00002.gguf", "GGUF");
        const auto model = look_at_model(m_root / "b" / "m-00001-of-00002.gguf");
        QVERIFY(model);
        QCOMPARE(model->bytes, std::uint64_t{8});
        QVERIFY(!look_at_model(m_root / "b"));
        QVERIFY(!look_at_model(m_root / "none.gguf"));
        const std::string before = model->stamp();
        write(m_root / "b" / "m-00002-of-00002.gguf", "GGUF and more");
        QVERIFY(look_at_model(model->path)->stamp() != before);
    }

    void names_of_parts_are_read_data() {
        QTest::addColumn<std::string>("name");
        QTest::addColumn<std::string>("stem");
        QTest::addColumn<qint64>("count");
        QTest::newRow("one") << std::string("a.gguf") << std::string("a") << qint64{0};
        QTest::newRow("part") << std::string("a-00002-of-00003.gguf") << std::string("a")
                              << qint64{3};
        QTest::newRow("beyond") << std::string("a-00004-of-00003.gguf")
                                << std::string("a-00004-of-00003") << qint64{0};
        QTest::newRow("too many") << std::string("a-00001-of-99999.gguf")
                                  << std::string("a-00001-of-99999") << qint64{0};
        QTest::newRow("capitals") << std::string("A.GGUF") << std::string("A") << qint64{0};
    }

    void names_of_parts_are_read() {
        QFETCH(std::string, name);
        QVERIFY(is_gguf_name(name));
        const GgufParts parts = gguf_parts(name);
        QTEST(parts.stem, "stem");
        QTEST(static_cast<qint64>(parts.count), "count");
        const auto names = parts.names();
        QVERIFY(std::find(names.begin(), names.end(), name) != names.end());
    }

    void the_hub_cache_lies_where_the_environment_says() {
        qputenv("HOME", "/home/me");
        for (const char* name :
             {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"})
            qunsetenv(name);
        const auto cache = [] { return known_model_roots().front().path.string(); };
        QCOMPARE(cache(), std::string("/home/me/.cache/huggingface/hub"));
        qputenv("XDG_CACHE_HOME", "/c");
        QCOMPARE(cache(), std::string("/c/huggingface/hub"));
        qputenv("HF_HOME", "/h");
        QCOMPARE(cache(), std::string("/h/hub"));
        qputenv("HF_HUB_CACHE", "relative");
        QCOMPARE(cache(), std::string("/h/hub"));
        qputenv("HF_HUB_CACHE", "/k");
        QCOMPARE(cache(), std::string("/k"));
        QCOMPARE(known_model_roots().at(1),
                 (ModelRoot{"/home/me/.lmstudio/models", ModelOrigin::LmStudio}));
    }

    void the_card_names_the_licence_data() {
        QTest::addColumn<std::string>("card");
        QTest::addColumn<std::string>("licence");
        QTest::newRow("plain") << std::string("---\nlicense: apache-2.0\ntags:\n- moe\n---\n# M")
                               << std::string("apache-2.0");
        QTest::newRow("other") << std::string(
                                      "---\nlicense: other\nlicense_name: \"my own\"\n---\n")
                               << std::string("my own");
        QTest::newRow("below the head") << std::string("---\n---\nlicense: mit\n") << std::string();
        QTest::newRow("no head") << std::string("license: mit\n") << std::string();
    }

    void the_card_names_the_licence() {
        QFETCH(std::string, card);
        write(m_root / "README.md", card);
        QTEST(licence_of(m_root), "licence");
        if (licence_of(m_root).empty()) {
            write(m_root / "LICENSE", "…");
            QCOMPARE(licence_of(m_root), std::string("LICENSE"));
        }
    }

    void deletes_only_what_a_run_wrote() {
        const fs::path run = m_root / "run";
        write(run / "recipe.json", "{}");
        write(run / "02-quantize" / "model.gguf", "GGUF");
        write(m_root / "elsewhere.gguf", "GGUF");
        fs::create_symlink(m_root / "elsewhere.gguf", run / "linked.gguf");
        const std::vector<fs::path> foreign{m_root / "elsewhere.gguf", run / "linked.gguf", run,
                                            run / ".." / "elsewhere.gguf", m_root};
        for (const fs::path& path : foreign)
            QVERIFY_THROWS_EXCEPTION(Error, delete_result(run, path));
        QVERIFY(fs::exists(m_root / "elsewhere.gguf"));
        delete_result(run, run / "02-quantize" / "model.gguf");
        QVERIFY(!fs::exists(run / "02-quantize" / "model.gguf"));
        QVERIFY(fs::exists(run / "recipe.json"));
        fs::remove(run / "recipe.json");
        write(run / "other.gguf", "GGUF");
        QVERIFY_THROWS_EXCEPTION(Error, delete_result(run, run / "other.gguf"));
    }

private:
    fs::path repository() const { return m_root / "hub" / "models--Owner--Tiny-MoE"; }

    static void write(const fs::path& path, const std::string& text) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }

    /// As the hub's cache has it: the files are links to blobs.
    void add_snapshot(const std::string& revision,
                      const std::map<std::string, std::string>& files) const {
        const fs::path snapshot = repository() / "snapshots" / revision;
        fs::create_directories(snapshot);
        for (const auto& [name, text] : files) {
            const std::string blob = revision + "-" + name + "-blob";
            write(repository() / "blobs" / blob, text);
            fs::create_symlink(fs::path("../../blobs") / blob, snapshot / name);
        }
    }

    std::unique_ptr<QTemporaryDir> m_dir;
    fs::path m_root;
};

QTEST_APPLESS_MAIN(tst_find_models)
#include "tst_find_models.moc"
