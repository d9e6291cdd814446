#include <QTemporaryDir>
#include <QTest>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "store/database.h"
#include "store/migrations.h"

using namespace espalier;
namespace fs = std::filesystem;

class tst_database : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { QVERIFY(m_dir.isValid()); }

    void opens_with_wal_and_foreign_keys() {
        Database database(file("a.sqlite"));
        QCOMPARE(database.sql().execAndGet("PRAGMA journal_mode").getString(), std::string("wal"));
        QCOMPARE(database.sql().execAndGet("PRAGMA foreign_keys").getInt(), 1);
        QCOMPARE(database.sql().execAndGet("PRAGMA user_version").getInt(), newest_store_version());
    }

    void creates_missing_folders() {
        const fs::path path = file("deep") / "er" / "b.sqlite";
        const Database database(path);
        QVERIFY(fs::exists(path));
    }

    void keeps_what_is_there_on_reopening() {
        { Database(file("c.sqlite")).sql().exec("INSERT INTO models VALUES ('m','p','f',1,2,3)"); }
        Database again(file("c.sqlite"));
        QCOMPARE(again.sql().execAndGet("SELECT count(*) FROM models").getInt(), 1);
    }

    void refuses_a_newer_version() {
        {
            Database database(file("d.sqlite"));
            database.sql().exec("PRAGMA user_version = 1000");
        }
        expect_store_failed(file("d.sqlite"));
    }

    void refuses_a_file_that_is_no_database() {
        std::ofstream(file("e.sqlite")) << std::string(4096, 'x');
        expect_store_failed(file("e.sqlite"));
    }

    void data_folder_follows_the_environment() {
        const fs::path chosen = file("data");
        qputenv("ESPALIER_DATA_DIR", chosen.c_str());
        QCOMPARE(data_folder(), chosen);
        QVERIFY(fs::is_directory(chosen));
        QCOMPARE(library_path(), chosen / "library.sqlite");
        qunsetenv("ESPALIER_DATA_DIR");
        qputenv("XDG_DATA_HOME", file("xdg").c_str());
        QCOMPARE(data_folder(), file("xdg") / "espalier");
    }

private:
    fs::path file(const char* name) const { return fs::path(m_dir.path().toStdString()) / name; }

    static void expect_store_failed(const fs::path& path) {
        try {
            const Database database(path);
            QFAIL("opened");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::StoreFailed);
            QVERIFY(std::string(error.what()).find(path.filename().string()) != std::string::npos);
        }
    }

    QTemporaryDir m_dir;
};

QTEST_APPLESS_MAIN(tst_database)
#include "tst_database.moc"
