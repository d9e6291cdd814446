#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_set.h"
#include "formats/gguf_writer.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = fs::path(ESPALIER_TEST_DATA) / "gguf";
const fs::path kMalformed = fs::path(ESPALIER_TEST_DATA) / "malformed";

std::vector<TensorSpec> specs_of(std::span<const NamedTensor> tensors) {
    std::vector<TensorSpec> specs;
    for (const auto& [name, view] : tensors) specs.push_back({name, view.dtype, view.shape});
    return specs;
}

void write_copy(const fs::path& path, const GgufMetadata& keys,
                std::span<const NamedTensor> tensors) {
    GgufWriter writer(path, keys, specs_of(tensors));
    for (const auto& [name, view] : tensors) {
        const auto half = view.bytes.size() / 2;
        writer.write(name, view.bytes.first(half));
        writer.write(name, view.bytes.subspan(half));
    }
    writer.commit();
}

void copy_split(const fs::path& target) {
    for (const auto& entry : fs::directory_iterator(kGolden / "split")) {
        if (entry.path().extension() != ".gguf") continue;
        fs::copy_file(entry.path(), target / entry.path().filename());
    }
}

constexpr const char* kFirstPart = "qwen3moe.q4_k_m-00001-of-00003.gguf";
constexpr const char* kSecondPart = "qwen3moe.q4_k_m-00002-of-00003.gguf";
constexpr const char* kThirdPart = "qwen3moe.q4_k_m-00003-of-00003.gguf";

}  // namespace

class TestGguf : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void written_copies_equal_the_originals_byte_for_byte_data() {
        QTest::addColumn<QString>("path");
        for (const char* path :
             {"gguf/models/qwen3moe/qwen3moe.f32.gguf", "gguf/models/qwen3moe/qwen3moe.q4_k_m.gguf",
              "gguf/models/qwen3moe/qwen3moe.q8_0.gguf", "gguf/models/mixtral/mixtral.q4_k_m.gguf",
              "gguf/imatrix/qwen3moe.imatrix.gguf", "malformed/ok_minimal.gguf",
              "malformed/ok_alignment_64.gguf", "malformed/ok_no_tensors.gguf",
              "malformed/ok_all_value_types.gguf"}) {
            QTest::addRow("%s", path) << QString(path);
        }
    }

    void written_copies_equal_the_originals_byte_for_byte() {
        QFETCH(QString, path);
        const fs::path original = fs::path(ESPALIER_TEST_DATA) / path.toStdString();
        const QTemporaryDir dir;
        const fs::path copy = dir.filePath("copy.gguf").toStdString();
        const GgufFile file(original);
        write_copy(copy, file.metadata(), file.tensors());

        const GgufFile again(copy);
        QCOMPARE(again.version(), 3U);
        QVERIFY(again.metadata() == file.metadata());
        QCOMPARE(again.tensors().size(), file.tensors().size());
        QVERIFY(read_file(copy) == read_file(original));
    }

    void version_2_reads_like_version_3() {
        const GgufFile two(kMalformed / "ok_version_2.gguf");
        const GgufFile three(kMalformed / "ok_minimal.gguf");
        QCOMPARE(two.version(), 2U);
        QVERIFY(two.metadata() == three.metadata());
        QVERIFY(std::equal(two.tensors()[0].view.bytes.begin(), two.tensors()[0].view.bytes.end(),
                           three.tensors()[0].view.bytes.begin()));
    }

    void shapes_are_outermost_first() {
        const GgufFile file(kGolden / "models/qwen3moe/qwen3moe.f32.gguf");
        QCOMPARE(file.find("token_embd.weight")->shape, (Shape{320, 256}));
        QCOMPARE(file.find("blk.0.ffn_down_exps.weight")->shape, (Shape{8, 256, 32}));
        QVERIFY(!file.find("blk.9.ffn_down_exps.weight"));
    }

    void keys_answer_by_kind() {
        GgufMetadata keys("some.gguf");
        keys.set("small", std::int8_t{-3});
        keys.set("large", std::uint64_t{1} << 63);
        keys.set("half", 0.5F);
        keys.set("yes", true);
        keys.set("text", std::string("t"));
        keys.set("list", GgufArray(std::vector<std::int32_t>{1, 2}));
        QCOMPARE(keys.integer("small"), std::int64_t{-3});
        QCOMPARE(keys.number("small"), -3.0);
        QCOMPARE(keys.number("half"), 0.5);
        QCOMPARE(keys.number("large"), 0x1p63);
        QCOMPARE(keys.flag_or("yes", false), true);
        QCOMPARE(keys.flag_or("no", true), true);
        QCOMPARE(keys.text("text").c_str(), "t");
        QCOMPARE(keys.integer_or("absent", 7), std::int64_t{7});
        QCOMPARE(keys.array<std::int32_t>("list")->size(), std::size_t{2});
        QVERIFY(!keys.array<float>("list") && !keys.array<float>("half"));
        for (const char* key : {"absent", "large", "half", "yes", "text", "list"}) {
            const auto error = error_of([&] { static_cast<void>(keys.integer(key)); });
            QVERIFY(error && error->code() == ErrorCode::FileMalformed);
            QVERIFY(QString(error->what()).contains("some.gguf"));
            QVERIFY(QString(error->what()).contains(key));
        }
        QVERIFY(error_of([&] { static_cast<void>(keys.flag_or("text", true)); }));
        QVERIFY(error_of([&] { static_cast<void>(keys.text_or("yes", "")); }));
    }

    void keys_keep_their_order() {
        GgufMetadata keys;
        for (const char* key : {"c", "a", "b"}) keys.set(key, std::uint32_t{1});
        keys.set("a", std::uint32_t{2});
        QVERIFY(keys.erase("c"));
        QVERIFY(!keys.erase("c"));
        QCOMPARE(keys.entries().size(), std::size_t{2});
        QCOMPARE(keys.entries()[0].first.c_str(), "a");
        QCOMPARE(keys.integer("a"), std::int64_t{2});
        QCOMPARE(keys.integer("b"), std::int64_t{1});
    }

    void refuses_to_write_what_gguf_has_no_words_for_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("dtype");
        QTest::addColumn<int>("dims");
        QTest::addRow("type") << "a" << static_cast<int>(DType::F8E4M3) << 1;
        QTest::addRow("name of 64 bytes") << QString(64, 'n') << static_cast<int>(DType::F32) << 1;
        QTest::addRow("5 dimensions") << "a" << static_cast<int>(DType::F32) << 5;
    }

    void refuses_to_write_what_gguf_has_no_words_for() {
        QFETCH(QString, name);
        QFETCH(int, dtype);
        QFETCH(int, dims);
        const QTemporaryDir dir;
        const fs::path path = dir.filePath("x.gguf").toStdString();
        const Shape shape(static_cast<std::size_t>(dims), 1);
        const auto error = error_of([&] {
            GgufWriter(path, {}, {{name.toStdString(), static_cast<DType>(dtype), shape}});
        });
        QVERIFY(error && error->code() == ErrorCode::GgufInexpressible);
        QVERIFY(fs::is_empty(dir.path().toStdString()));
    }

    void joins_the_parts_of_a_split_model() {
        const GgufSet set(kGolden / "split" / kFirstPart);
        const GgufFile whole(kGolden / "models/qwen3moe/qwen3moe.q4_k_m.gguf");
        QCOMPARE(set.tensors().size(), whole.tensors().size());
        for (const auto& [name, view] : whole.tensors()) {
            const TensorView* part = set.find(name);
            QVERIFY(part && part->shape == view.shape);
            QVERIFY(std::equal(part->bytes.begin(), part->bytes.end(), view.bytes.begin()));
            set.release(*part);
        }
        const QTemporaryDir dir;
        const fs::path joined = dir.filePath("joined.gguf").toStdString();
        write_copy(joined, set.metadata(), set.tensors());
        QVERIFY(!GgufFile(joined).metadata().find("split.count"));
        QCOMPARE(GgufSet(joined).tensors().size(), whole.tensors().size());
    }

    void refuses_a_part_other_than_the_first() {
        const auto error = error_of([] { GgufSet set(kGolden / "split" / kSecondPart); });
        QVERIFY(error && error->code() == ErrorCode::FileUnsupported);
        QVERIFY(QString(error->hint().c_str()).contains("first part"));
    }

    void names_a_missing_part() {
        const QTemporaryDir dir;
        const fs::path folder = dir.path().toStdString();
        copy_split(folder);
        fs::remove(folder / kThirdPart);
        const auto error = error_of([&] { GgufSet set(folder / kFirstPart); });
        QVERIFY(error && error->code() == ErrorCode::FileMissing);
        QVERIFY(QString(error->what()).contains(kThirdPart));
    }

    void names_a_foreign_part_data() {
        QTest::addColumn<QString>("source");
        QTest::addRow("whole model") << "models/qwen3moe/qwen3moe.q4_k_m.gguf";
        QTest::addRow("another part") << QString("split/") + kThirdPart;
    }

    void names_a_foreign_part() {
        QFETCH(QString, source);
        const QTemporaryDir dir;
        const fs::path folder = dir.path().toStdString();
        copy_split(folder);
        fs::copy_file(kGolden / source.toStdString(), folder / kSecondPart,
                      fs::copy_options::overwrite_existing);
        const auto error = error_of([&] { GgufSet set(folder / kFirstPart); });
        QVERIFY(error && error->code() == ErrorCode::FileMalformed);
        QVERIFY(QString(error->what()).contains(kSecondPart));
    }
};

QTEST_APPLESS_MAIN(TestGguf)
#include "tst_gguf.moc"
