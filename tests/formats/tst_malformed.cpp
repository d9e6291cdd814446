#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "formats/gguf_reader.h"
#include "formats/safetensors_reader.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = fs::path(ESPALIER_TEST_DATA) / "malformed";

void open_file(const fs::path& path) {
    if (path.extension() == ".gguf") {
        GgufFile file(path);
    } else {
        SafetensorsFile file(path);
    }
}

/// Where the last tensor ends; a GGUF file may go on with padding.
std::size_t end_of_data(const fs::path& path) {
    if (path.extension() != ".gguf") return fs::file_size(path);
    const GgufFile file(path);
    const auto last = file.tensors().back().view.bytes;
    return static_cast<std::size_t>(last.data() + last.size() - file.file().bytes().data());
}

/// The field that an error must name, by the beginning of the file's name.
struct Field {
    const char* prefix;
    const char* word;
};

constexpr std::array kFields{
    Field{"empty_file.gguf", "magic"},
    Field{"empty_file", "header"},
    Field{"seven_bytes", "header"},
    Field{"length_only", "header"},
    Field{"header_bad_utf8", "header"},
    Field{"header_truncated.gguf", "tensor"},
    Field{"header_", "header"},
    Field{"dtype_", "dtype"},
    Field{"shape_negative", "in the shape of tensor \"a\""},
    Field{"shape_", "shape"},
    Field{"offsets_overlap.gguf", "offset"},
    Field{"offsets_", "data_offsets"},
    Field{"data_truncated.gguf", "the data of tensor"},
    Field{"data_", "data_offsets"},
    Field{"duplicate_key", "key \"general.architecture\""},
    Field{"duplicate_tensor", "tensor \"a\""},
    Field{"duplicate_names", "name \"a\""},
    Field{"metadata_", "__metadata__"},
    Field{"magic_", "version"},
    Field{"bad_magic", "magic"},
    Field{"old_ggml", "magic"},
    Field{"version_", "version"},
    Field{"kv_count_huge", "key count"},
    Field{"kv_count_too_many", "the name of tensor 1"},
    Field{"tensor_count_", "tensor count"},
    Field{"key_length", "name of key"},
    Field{"string_length", "value of key"},
    Field{"value_type", "type 77"},
    Field{"array_", "value of key \"x\""},
    Field{"alignment_", "general.alignment"},
    Field{"n_dims", "dimensions"},
    Field{"dim_", "negative dimension"},
    Field{"dims_", "tensor \"a\""},
    Field{"type_", "type"},
    Field{"row_", "rows of 33"},
    Field{"offset_", "offset"},
    Field{"tensor_name", "name of tensor"},
};

}  // namespace

class TestMalformed : public QObject {
    Q_OBJECT

    void add_rows(const std::string& expectation) {
        QTest::addColumn<QString>("name");
        for (const auto& row : read_json_file(kFolder / "index.json")) {
            if (row.at("expect") != expectation) continue;
            const QString name = QString::fromStdString(row.at("file"));
            QTest::addRow("%s", qPrintable(name)) << name;
        }
    }

private Q_SLOTS:
    void refuses_with_file_and_field_data() { add_rows("reject"); }

    void refuses_with_file_and_field() {
        QFETCH(QString, name);
        const std::string file = name.toStdString();
        const auto error = error_of([&] { open_file(kFolder / file); });
        QVERIFY(error);
        QVERIFY(code_text(error->code()).starts_with("E-FILE-"));
        const std::string message = error->what();
        QVERIFY2(message.find(file) != std::string::npos, message.c_str());
        QVERIFY(!error->hint().empty());
        for (const auto& [prefix, word] : kFields) {
            if (!file.starts_with(prefix)) continue;
            QVERIFY2(message.find(word) != std::string::npos, message.c_str());
            return;
        }
        QFAIL("no field is expected for this file");
    }

    void opens_what_is_unusual_but_valid_data() { add_rows("accept"); }

    void opens_what_is_unusual_but_valid() {
        QFETCH(QString, name);
        open_file(kFolder / name.toStdString());
    }

    void answers_cleanly_where_readers_differ_data() { add_rows("either"); }

    void answers_cleanly_where_readers_differ() {
        QFETCH(QString, name);
        const auto error = error_of([&] { open_file(kFolder / name.toStdString()); });
        if (error) QVERIFY(code_text(error->code()).starts_with("E-FILE-"));
    }

    void the_whole_set_takes_less_than_a_second() {
        QElapsedTimer timer;
        timer.start();
        int count = 0;
        for (const auto& entry : fs::directory_iterator(kFolder)) {
            if (entry.path().extension() == ".json") continue;
            error_of([&] { open_file(entry.path()); });
            ++count;
        }
        QVERIFY(count > 70);
        QVERIFY(timer.elapsed() < 1000);
    }

    void half_a_download_is_an_error_at_every_length_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"ok_scalar_and_metadata.safetensors", "ok_all_value_types.gguf"}) {
            QTest::addRow("%s", name) << QString(name);
        }
    }

    void half_a_download_is_an_error_at_every_length() {
        QFETCH(QString, name);
        const QTemporaryDir dir;
        const fs::path whole = kFolder / name.toStdString();
        const fs::path part = fs::path(dir.path().toStdString()) / name.toStdString();
        const std::string bytes = read_file(whole);
        for (std::size_t length = 0; length < end_of_data(whole); ++length) {
            std::ofstream(part, std::ios::binary).write(bytes.data(), static_cast<long>(length));
            const auto error = error_of([&] { open_file(part); });
            QVERIFY2(error, qPrintable(QString::number(length)));
            QVERIFY(code_text(error->code()).starts_with("E-FILE-"));
        }
    }
};

QTEST_APPLESS_MAIN(TestMalformed)
#include "tst_malformed.moc"
