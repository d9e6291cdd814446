#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "base/mapped_file.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

class TestFiles : public QObject {
    Q_OBJECT

    QTemporaryDir dir_;
    fs::path folder() const { return dir_.path().toStdString(); }

private Q_SLOTS:
    void maps_the_bytes_of_a_file() {
        write_file(folder() / "a", "espalier");
        const MappedFile file(folder() / "a");
        const auto bytes = file.bytes();
        QCOMPARE(bytes.size(), std::size_t{8});
        QCOMPARE(static_cast<char>(bytes[7]), 'r');
        QVERIFY(file.contains(bytes.subspan(2, 3)));
        QVERIFY(!file.contains(std::as_bytes(std::span("elsewhere"))));
    }

    void maps_an_empty_file() {
        write_file(folder() / "empty", "");
        QVERIFY(MappedFile(folder() / "empty").bytes().empty());
    }

    void released_pages_read_the_same_again() {
        const std::string text(100'000, 'x');
        write_file(folder() / "pages", text);
        const MappedFile file(folder() / "pages");
        file.prefetch(file.bytes());
        file.release(file.bytes());
        const std::string again(reinterpret_cast<const char*>(file.bytes().data()),
                                file.bytes().size());
        QVERIFY(again == text);
    }

    void refuses_what_cannot_be_mapped_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("code");
        QTest::addRow("missing") << "missing"
                                 << "E-FILE-01";
        QTest::addRow("folder") << "."
                                << "E-FILE-05";
        QTest::addRow("below a file") << "a/b"
                                      << "E-FILE-01";
    }

    void refuses_what_cannot_be_mapped() {
        QFETCH(QString, path);
        QFETCH(QString, code);
        write_file(folder() / "a", "x");
        const auto error = error_of([&] { MappedFile file(folder() / path.toStdString()); });
        QVERIFY(error);
        QCOMPARE(QString::fromStdString(std::string(code_text(error->code()))), code);
    }

    void refuses_a_device() {
        const auto error = error_of([] { MappedFile file("/dev/null"); });
        QVERIFY(error && error->code() == ErrorCode::FileUnsupported);
    }

    void appears_under_its_name_only_when_committed() {
        const fs::path path = folder() / "sub" / "atomic";
        AtomicFile file(path);
        file.write("hello world");
        file.write_at(0, std::as_bytes(std::span("HE", 2)));
        QVERIFY(!fs::exists(path));
        QVERIFY(fs::exists(file.partial_path()));
        QCOMPARE(file.bytes_written(), std::uint64_t{11});
        file.commit();
        QVERIFY(!fs::exists(file.partial_path()));
        QCOMPARE(read_file(path).c_str(), "HEllo world");
    }

    void a_dropped_file_leaves_nothing() {
        const fs::path path = folder() / "dropped";
        { AtomicFile(path).write("half"); }
        QVERIFY(!fs::exists(path));
        QVERIFY(!fs::exists(path.string() + ".partial"));
    }

    void a_dropped_file_leaves_the_old_one() {
        const fs::path path = folder() / "kept";
        write_file(path, "old");
        { AtomicFile(path).write("half of the new"); }
        QCOMPARE(read_file(path).c_str(), "old");
    }

    void a_killed_writer_leaves_no_final_name_and_blocks_nobody() {
        const fs::path path = folder() / "killed";
        const pid_t child = ::fork();
        if (child == 0) {
            AtomicFile file(path);
            file.write("half");
            ::_exit(0);
        }
        int status = 0;
        QCOMPARE(::waitpid(child, &status, 0), child);
        QVERIFY(!fs::exists(path));
        QVERIFY(fs::exists(path.string() + ".partial"));
        write_file(path, "whole");
        QCOMPARE(read_file(path).c_str(), "whole");
        QVERIFY(!fs::exists(path.string() + ".partial"));
    }

    void a_folder_that_cannot_be_written_is_an_error() {
        const auto error = error_of([] { AtomicFile file("/proc/espalier/x"); });
        QVERIFY(error && error->code() == ErrorCode::DiskWrite);
    }

    void commit_folder_refuses_to_overwrite() {
        fs::create_directories(folder() / "new.partial");
        fs::create_directories(folder() / "new");
        const auto error =
            error_of([&] { commit_folder(folder() / "new.partial", folder() / "new"); });
        QVERIFY(error && error->code() == ErrorCode::FileExists);
    }

    void read_file_honours_its_limit() {
        write_file(folder() / "ten", "0123456789");
        QCOMPARE(read_file(folder() / "ten", 10).size(), std::size_t{10});
        const auto error = error_of([&] { read_file(folder() / "ten", 9); });
        QVERIFY(error && error->code() == ErrorCode::FileUnsupported);
        QVERIFY(error_of([&] { read_file(folder()); })->code() == ErrorCode::FileMissing);
    }

    void sha256_gives_the_published_digests() {
        QCOMPARE(sha256_of_text("").c_str(),
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        QCOMPARE(sha256_of_text("abc").c_str(),
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        write_file(folder() / "abc", "abc");
        QCOMPARE(sha256_of_file(folder() / "abc"), sha256_of_text("abc"));
        Sha256 pieces;
        pieces.update("a");
        pieces.update("bc");
        QCOMPARE(pieces.hex(), sha256_of_text("abc"));
    }
};

QTEST_APPLESS_MAIN(TestFiles)
#include "tst_files.moc"
