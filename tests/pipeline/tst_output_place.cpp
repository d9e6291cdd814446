#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

#include "base/error.h"
#include "pipeline/output_place.h"
#include "support/error_of.h"

using namespace espalier;
namespace fs = std::filesystem;

class tst_output_place : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        fs::create_directories(root() / "models" / "hub");
        std::ofstream(root() / "models" / "one.gguf") << "x";
        for (const char* part : {"1", "2", "3"}) {
            std::ofstream(root() / "models" / fmt::format("two-0000{}-of-00003.gguf", part)) << "x";
        }
        fs::create_directory_symlink(root() / "models" / "hub", root() / "link");
    }

    void refuses_what_would_damage_an_input_data() {
        QTest::addColumn<QString>("out");
        QTest::addColumn<QString>("input");
        QTest::addRow("the folder itself") << "models/hub"
                                           << "models/hub";
        QTest::addRow("with a slash") << "models/hub/"
                                      << "models/hub";
        QTest::addRow("by a detour") << "models/../models/./hub"
                                     << "models/hub";
        QTest::addRow("by a link") << "link"
                                   << "models/hub";
        QTest::addRow("input by a link") << "models/hub"
                                         << "link";
        QTest::addRow("inside the folder") << "models/hub/cut/model.gguf"
                                           << "models/hub";
        QTest::addRow("inside, by a link") << "link/new"
                                           << "models/hub";
        QTest::addRow("the folder around it") << "models"
                                              << "models/hub";
        QTest::addRow("the file itself") << "models/one.gguf"
                                         << "models/one.gguf";
        QTest::addRow("another part of a split file") << "models/two-00003-of-00003.gguf"
                                                      << "models/two-00001-of-00003.gguf";
        QTest::addRow("the folder of the file") << "models"
                                                << "models/one.gguf";
        QTest::addRow("what is written first is the input") << "models/hub"
                                                            << "models/hub.partial";
    }

    void refuses_what_would_damage_an_input() {
        QFETCH(QString, out);
        QFETCH(QString, input);
        const auto error = test::error_of([&] {
            require_apart(root() / out.toStdString(), {fs::path(), root() / input.toStdString()});
        });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::FileExists);
        QVERIFY(QString(error->what()).contains(out));
        QVERIFY(!error->hint().empty());
    }

    void lets_neighbours_be_data() {
        QTest::addColumn<QString>("out");
        QTest::addColumn<QString>("input");
        QTest::addRow("beside the folder") << "models/hub2"
                                           << "models/hub";
        QTest::addRow("longer name") << "models/hub.gguf"
                                     << "models/hub";
        QTest::addRow("beside the file") << "models/two.gguf"
                                         << "models/one.gguf";
        QTest::addRow("a part of another count") << "models/two-00002-of-00004.gguf"
                                                 << "models/two-00001-of-00003.gguf";
        QTest::addRow("a name that ends in digits") << "models/x-00001.gguf"
                                                    << "models/00002.gguf";
        QTest::addRow("in a new folder") << "new/deep/model.gguf"
                                         << "models/one.gguf";
    }

    void lets_neighbours_be() {
        QFETCH(QString, out);
        QFETCH(QString, input);
        require_apart(root() / out.toStdString(), {root() / input.toStdString()});
    }

    void an_empty_path_is_no_input() { require_apart(root(), {fs::path()}); }

private:
    fs::path root() const { return fs::path(m_dir.path().toStdString()); }

    QTemporaryDir m_dir;
};

QTEST_APPLESS_MAIN(tst_output_place)
#include "tst_output_place.moc"
