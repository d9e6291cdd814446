#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

/// A file with this header text and so many bytes of data.
void write_raw(const fs::path& path, const std::string& header, std::size_t data_bytes) {
    const std::uint64_t length = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), sizeof(length));
    file << header << std::string(data_bytes, 'd');
}

std::vector<std::byte> bytes_from(std::size_t count, unsigned first) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(first + i);
    return bytes;
}

}  // namespace

class TestSafetensors : public QObject {
    Q_OBJECT

    QTemporaryDir dir_;
    fs::path file(const char* name) const { return dir_.filePath(name).toStdString(); }

private Q_SLOTS:
    void every_type_goes_there_and_back() {
        std::vector<TensorSpec> specs;
        for (std::size_t i = 0; i < kNumDTypes; ++i) {
            const auto dtype = static_cast<DType>(i);
            if (info(dtype).safetensors_name.empty()) continue;
            specs.push_back({std::string(info(dtype).name), dtype, {3, 2}});
        }
        QCOMPARE(specs.size(), std::size_t{16});
        SafetensorsWriter writer(file("types.safetensors"), specs, {{"format", "pt"}});
        for (const auto& spec : specs) {
            writer.write(spec.name, bytes_from(*tensor_bytes(spec.dtype, spec.shape), 7));
        }
        writer.commit();

        const SafetensorsFile read(file("types.safetensors"));
        QCOMPARE(read.tensors().size(), specs.size());
        QVERIFY(read.metadata() == (std::map<std::string, std::string>{{"format", "pt"}}));
        for (const auto& spec : specs) {
            const TensorView* view = read.find(spec.name);
            QVERIFY(view && view->dtype == spec.dtype && view->shape == spec.shape);
            const auto expected = bytes_from(*tensor_bytes(spec.dtype, spec.shape), 7);
            QVERIFY(std::equal(view->bytes.begin(), view->bytes.end(), expected.begin(),
                               expected.end()));
        }
        QVERIFY(!read.find("BF1"));
    }

    void names_and_metadata_may_hold_any_text() {
        const std::string name = "a \"quoted\" \\ name\n\xC3\xA4";
        SafetensorsWriter writer(file("names.safetensors"), {{name, DType::U8, {1}}},
                                 {{"key \"1\"", "value\t2"}});
        writer.write(name, bytes_from(1, 0));
        writer.commit();
        const SafetensorsFile read(file("names.safetensors"));
        QVERIFY(read.find(name));
        QCOMPARE(read.metadata().at("key \"1\"").c_str(), "value\t2");
    }

    void scalars_and_empty_tensors_need_no_care() {
        SafetensorsWriter writer(file("odd.safetensors"), {{"none", DType::F32, {0, 4}},
                                                           {"scalar", DType::F32, {}},
                                                           {"nothing", DType::U8, {0}}});
        writer.write("scalar", bytes_from(4, 0));
        writer.commit();
        const SafetensorsFile read(file("odd.safetensors"));
        QVERIFY(read.find("none")->bytes.empty());
        QCOMPARE(read.find("scalar")->shape, Shape{});
        QCOMPARE(read.find("scalar")->bytes.size(), std::size_t{4});
    }

    void a_tensor_may_come_in_pieces() {
        SafetensorsWriter writer(file("pieces.safetensors"), {{"a", DType::U8, {5}}});
        writer.write("a", bytes_from(2, 0));
        writer.write("a", {});
        writer.write("a", bytes_from(3, 2));
        writer.commit();
        const auto view = *SafetensorsFile(file("pieces.safetensors")).find("a");
        QCOMPARE(view.shape, Shape{5});
    }

    void the_data_begins_at_a_multiple_of_eight() {
        for (int length = 1; length < 10; ++length) {
            const std::string name(static_cast<std::size_t>(length), 'n');
            SafetensorsWriter writer(file("aligned.safetensors"), {{name, DType::F64, {1}}});
            writer.write(name, bytes_from(8, 0));
            writer.commit();
            const SafetensorsFile read(file("aligned.safetensors"));
            const auto offset = read.find(name)->bytes.data() - read.file().bytes().data();
            QCOMPARE(offset % 8, std::ptrdiff_t{0});
        }
    }

    void misuse_of_the_writer_is_refused() {
        const std::vector<TensorSpec> specs{{"a", DType::U8, {2}}, {"b", DType::U8, {1}}};
        SafetensorsWriter writer(file("misuse.safetensors"), specs);
        const auto code = [&](auto&& call) { return error_of(call)->code(); };
        QVERIFY(code([&] { writer.write("b", bytes_from(1, 0)); }) == ErrorCode::VerifyFailed);
        QVERIFY(code([&] { writer.write("a", bytes_from(3, 0)); }) == ErrorCode::VerifyFailed);
        writer.write("a", bytes_from(2, 0));
        QVERIFY(code([&] { writer.commit(); }) == ErrorCode::VerifyFailed);
        QVERIFY(code([&] {
                    SafetensorsWriter(file("x"), {{"a", DType::U8, {1}}, {"a", DType::U8, {1}}});
                }) == ErrorCode::UsageInvalid);
        QVERIFY(code([&] {
                    SafetensorsWriter(file("x"), {{"a", DType::Q4_K, {256}}});
                }) == ErrorCode::UsageInvalid);
        QVERIFY(code([&] {
                    SafetensorsWriter(file("x"), {{"a", DType::U8, {-1}}});
                }) == ErrorCode::UsageInvalid);
        QVERIFY(!fs::exists(file("misuse.safetensors")) && !fs::exists(file("x")));
    }

    void refuses_headers_data() {
        QTest::addColumn<QByteArray>("header");
        QTest::addColumn<QString>("words");
        const auto row = [](const char* name, const char* header, const char* words) {
            QTest::addRow("%s", name) << QByteArray(header) << QString(words);
        };
        const char* kEmpty = "its header is not a JSON object";
        row("text", "\"a\"", kEmpty);
        row("byte order mark", "\xEF\xBB\xBF{}", kEmpty);
        row("entry is a list", "{\"a\":[]}", "an array in place of the description of \"a\"");
        row("entry is null", "{\"a\":null}", "null in place of the description");
        row("unknown field",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"strides\":[1]}}",
            "the unknown field \"strides\"");
        row("shape twice", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"shape\":[4]}}",
            "\"shape\" stands twice");
        row("dtype twice", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", "\"dtype\" stands twice");
        row("dtype is a number", "{\"a\":{\"dtype\":8}}", "a number in the dtype");
        row("dtype is a list", "{\"a\":{\"dtype\":[\"U8\"]}}", "an array in the dtype");
        row("nested shape", "{\"a\":{\"dtype\":\"U8\",\"shape\":[[4]]}}", "an array in the shape");
        row("object in shape", "{\"a\":{\"dtype\":\"U8\",\"shape\":[{}]}}",
            "an object in the shape");
        row("text in shape", "{\"a\":{\"dtype\":\"U8\",\"shape\":[\"4\"]}}", "a text in the shape");
        row("exponent", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0.4e1],\"data_offsets\":[0,4]}}",
            "not a whole one");
        row("past 64 bits", "{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551616]}}",
            "not a whole one");
        row("past 63 bits",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}",
            "dimension 9223372036854775808");
        row("no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", "no shape");
        row("no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", "no data_offsets");
        row("metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", "stands twice");
        row("metadata is a list", "{\"__metadata__\":[]}", "an array in place");
        row("complex numbers", "{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
            "\"C64\"");
    }

    void refuses_headers() {
        QFETCH(QByteArray, header);
        QFETCH(QString, words);
        write_raw(file("bad.safetensors"), header.toStdString(), 4);
        const auto error = error_of([&] { SafetensorsFile read(file("bad.safetensors")); });
        QVERIFY(error);
        const QString message = error->what();
        QVERIFY2(message.startsWith("bad.safetensors ") && message.contains(words),
                 qPrintable(message));
    }

    void missing_files_and_folders_are_errors() {
        const auto code = [&](const fs::path& path) {
            return error_of([&] { SafetensorsFile read(path); })->code();
        };
        QVERIFY(code(file("none.safetensors")) == ErrorCode::FileMissing);
        QVERIFY(code(dir_.path().toStdString()) == ErrorCode::FileUnsupported);
    }
};

QTEST_APPLESS_MAIN(TestSafetensors)
#include "tst_safetensors.moc"
