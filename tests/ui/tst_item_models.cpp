#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "ui/models/chats_model.h"
#include "ui/models/data_files_model.h"
#include "ui/models/format.h"
#include "ui/models/log_model.h"
#include "ui/models/metrics_model.h"
#include "ui/models/roles.h"
#include "ui/models/run_progress.h"
#include "ui/models/runs_model.h"

using namespace espalier;
using namespace espalier::ui;

namespace {

RunSummary run(const char* path, const char* state) {
    RunSummary summary;
    summary.path = QLatin1String(path);
    summary.name = summary.path.mid(1);
    summary.state = QLatin1String(state);
    return summary;
}

QString cell(const QAbstractItemModel& model, int row, int column) {
    return model.index(row, column).data().toString();
}

}  // namespace

class ItemModelsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    void runs_keep_their_selection_when_the_list_changes() {
        RunsModel model;
        QAbstractItemModelTester tester(&model);
        model.setRuns({run("/b", "finished"), run("/a", "stopped")});
        const QPersistentModelIndex chosen = model.index(1, 0);
        model.setRuns({run("/c", "running"), run("/b", "finished"), run("/a", "stopped")});
        QCOMPARE(chosen.row(), 2);
        QCOMPARE(chosen.data(IdRole).toString(), QStringLiteral("run:/a"));
        model.setRuns({run("/c", "running")});
        QVERIFY(!chosen.isValid());
        QCOMPARE(cell(model, 0, RunsModel::State), QStringLiteral("running"));
    }

    void files_are_added_once_and_labelled_by_their_name() {
        QTemporaryDir folder;
        QFile file(folder.filePath(QStringLiteral("python.txt")));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QByteArray(1500, 'x'));
        file.close();
        DataFilesModel model;
        QAbstractItemModelTester tester(&model);
        QSignalSpy changes(&model, &DataFilesModel::sourcesChanged);
        model.addFile(file.fileName());
        model.addFile(file.fileName());
        QCOMPARE(model.rowCount(), 1);
        QCOMPARE(changes.size(), 1);
        QCOMPARE(cell(model, 0, DataFilesModel::Task), QStringLiteral("python"));
        QCOMPARE(cell(model, 0, DataFilesModel::Size), QStringLiteral("1.5 kB"));
        model.removeFile(0);
        QCOMPARE(model.rowCount(), 0);
    }

    void weights_are_positive_numbers_data() {
        QTest::addColumn<QVariant>("weight");
        QTest::addColumn<bool>("isTaken");
        QTest::addRow("half") << QVariant(0.5) << true;
        QTest::addRow("zero") << QVariant(0.0) << false;
        QTest::addRow("negative") << QVariant(-1.0) << false;
        QTest::addRow("a word") << QVariant(QStringLiteral("much")) << false;
    }

    void weights_are_positive_numbers() {
        QFETCH(QVariant, weight);
        QFETCH(bool, isTaken);
        DataFilesModel model;
        model.setSources({{"/a.txt", "a", 1.0}});
        QCOMPARE(model.setData(model.index(0, DataFilesModel::Weight), weight, Qt::EditRole),
                 isTaken);
        QCOMPARE(model.sources()[0].weight, isTaken ? weight.toDouble() : 1.0);
    }

    void log_keeps_the_newest_lines_and_filters_by_level() {
        LogModel model;
        QAbstractItemModelTester tester(&model);
        LogFilter filter;
        filter.setSourceModel(&model);
        model.append(std::vector<LogLine>(LogModel::maxLines, LogLine{"info", "old"}));
        model.append({{"warning", "odd"}, {"error", "broken"}});
        QCOMPARE(model.rowCount(), LogModel::maxLines);
        QVERIFY(cell(model, LogModel::maxLines - 1, 0).contains(QStringLiteral("broken")));
        filter.setLowestLevel(LogLevel::Warn);
        QCOMPARE(filter.rowCount(), 2);
        filter.setLowestLevel(LogLevel::Error);
        QCOMPARE(filter.rowCount(), 1);
    }

    void metrics_stand_beside_the_original() {
        MetricsModel model;
        QAbstractItemModelTester tester(&model);
        model.setMetrics(
            {{"perplexity.python", 22.0}, {"reference_perplexity.python", 20.0}, {"kl", 0.125}});
        model.setRoutingVerdict(QStringLiteral("warn"), QStringLiteral("displaced 0.3"));
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(cell(model, 0, MetricsModel::Original), QStringLiteral("20"));
        QCOMPARE(cell(model, 0, MetricsModel::Compressed), QStringLiteral("22"));
        QCOMPARE(cell(model, 0, MetricsModel::Change), QStringLiteral("+10.0 %"));
        QCOMPARE(cell(model, 1, MetricsModel::Compressed), QStringLiteral("0.125"));
        QCOMPARE(model.index(2, 0).data(IdRole).toString(), QStringLiteral("routing"));
    }

    void chats_are_found_by_id() {
        ChatsModel model;
        QAbstractItemModelTester tester(&model);
        model.setChats({{7, "merge lists", "", "[]", 0}, {3, "SQL", "", "[]", 0}});
        QCOMPARE(model.rowOf(3), 1);
        QCOMPARE(model.rowOf(4), -1);
    }

    void progress_counts_whole_stages() {
        RunProgress progress;
        progress.take(StageStarted{1, 4, "prune"});
        progress.take(StageProgress{1, 0.5, "layer 3 of 6"});
        QCOMPARE(progress.fraction(), 0.375);
        QVERIFY(progress.sentence().startsWith(QStringLiteral("Prune 2/4 · layer 3 of 6 · 38 %")));
    }

    void numbers_are_written_for_people_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("expected");
        QTest::addRow("memory") << format::memory(10'500'000'000ULL) << QStringLiteral("9.8 GiB");
        QTest::addRow("file") << format::fileSize(18'600'000'000ULL) << QStringLiteral("18.6 GB");
        QTest::addRow("parameters") << format::parameters(16'430'000) << QStringLiteral("16.4 M");
        QTest::addRow("milliseconds") << format::duration(0.0203) << QStringLiteral("20 ms");
        QTest::addRow("hours") << format::duration(7800) << QStringLiteral("2 h 10 min");
        QTest::addRow("seconds") << format::duration(41.3) << QStringLiteral("41 s");
        QTest::addRow("slow") << format::speed(14.31) << QStringLiteral("14.3 tokens/s");
        QTest::addRow("fast") << format::speed(1840.2) << QStringLiteral("1840 tokens/s");
    }

    void numbers_are_written_for_people() {
        QFETCH(QString, text);
        QTEST(text, "expected");
    }
};

QTEST_MAIN(ItemModelsTest)
#include "tst_item_models.moc"
