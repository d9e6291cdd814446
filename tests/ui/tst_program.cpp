#include <QProcess>
#include <QTemporaryDir>
#include <QTemporaryFile>
#include <QTest>

/// The program itself, where it cannot even open its window.
class ProgramTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void what_keeps_it_from_starting_is_told_with_its_code_data() {
        QTest::addColumn<QString>("dataFolder");
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("code");
        QVERIFY(m_file.open());
        QTest::addRow("the data folder lies below a file")
            << m_file.fileName() + QStringLiteral("/data") << QStringList()
            << QByteArray("E-DISK-02");
        QTest::addRow("an unknown page")
            << QString() << QStringList{QStringLiteral("--page"), QStringLiteral("cellar")}
            << QByteArray("E-USE-01");
    }

    void what_keeps_it_from_starting_is_told_with_its_code() {
        QFETCH(QString, dataFolder);
        QFETCH(QStringList, arguments);
        QFETCH(QByteArray, code);
        QTemporaryDir place;
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert(QStringLiteral("ESPALIER_DATA_DIR"),
                           dataFolder.isEmpty() ? place.path() : dataFolder);
        environment.insert(QStringLiteral("ESPALIER_CONFIG_DIR"), place.path());
        QProcess program;
        program.setProcessEnvironment(environment);
        program.setProcessChannelMode(QProcess::MergedChannels);
        program.start(QStringLiteral(ESPALIER_PROGRAM), arguments);
        QByteArray said;
        const auto isTold = [&] { return (said += program.readAll()).contains(code); };
        QTRY_VERIFY2(isTold(), said.constData());
        QCOMPARE(program.state(), QProcess::Running);  // its dialog waits to be read
        program.terminate();
        QVERIFY(program.waitForFinished());
        QVERIFY(!(said += program.readAll()).contains("terminate called"));
    }

private:
    QTemporaryFile m_file;
};

QTEST_GUILESS_MAIN(ProgramTest)
#include "tst_program.moc"
