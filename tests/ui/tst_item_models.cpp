#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "ui/models/chats_model.h"
#include "ui/models/data_files_model.h"
#include "ui/models/format.h"
#include "ui/models/library_filter.h"
#include "ui/models/library_model.h"
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

/// A model with experts, as its headers tell.
ModelEntry model(const char* path) {
    ModelEntry entry;
    entry.path = QLatin1String(path);
    entry.name = entry.path.mid(1);
    entry.bytes = 8'000'000'000;
    ModelFacts& facts = entry.facts.emplace();
    facts.family = QStringLiteral("qwen3_moe");
    facts.layers = facts.routedLayers = 4;
    facts.hiddenSize = 64;
    facts.experts = 128;
    facts.topK = 8;
    facts.parameters = 4'000'000'000;
    facts.activeParameters = 1'000'000'000;
    facts.tensorBytes = 8'000'000'000;
    facts.types = {{QStringLiteral("BF16"), facts.tensorBytes}};
    facts.cachePerToken = 1000;
    facts.bufferBytes = 500;
    return entry;
}

MachineInfo machine(double available, double diskFree) {
    MachineInfo info;
    info.availableBytes = static_cast<std::uint64_t>(available);
    info.diskFreeBytes = static_cast<std::uint64_t>(diskFree);
    return info;
}

/// The rows of a tree, children in brackets, in their order.
QString treeOf(const QAbstractItemModel& model, const QModelIndex& parent = {}) {
    QStringList names;
    for (int row = 0; row < model.rowCount(parent); ++row) {
        const QModelIndex index = model.index(row, 0, parent);
        const QString below = treeOf(model, index);
        names.append(index.data().toString() +
                     (below.isEmpty() ? QString() : QStringLiteral("(%1)").arg(below)));
    }
    return names.join(QLatin1Char(' '));
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
        // A cell without a word has no name for a screen reader.
        QCOMPARE(cell(model, 0, RunsModel::Result), QStringLiteral("–"));
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

    void models_stand_below_what_they_were_made_from() {
        LibraryModel library;
        QAbstractItemModelTester tester(&library);
        ModelEntry byRun = model("/cut");
        byRun.parentPath = QStringLiteral("/base");
        ModelEntry byName = model("/small.gguf");
        byName.facts->baseName = QStringLiteral("cut");
        ModelEntry byHash = model("/other");
        byHash.facts->baseName = QStringLiteral("renamed");
        byHash.facts->baseHash = QStringLiteral("abc");
        library.put({byRun, byName, byHash});
        QCOMPARE(library.rowCount(), 2);  // the original of one is there already
        const QPersistentModelIndex chosen = library.find(QStringLiteral("/other"));
        ModelEntry base = model("/base");
        base.hash = QStringLiteral("abc");
        library.put({base});
        LibraryFilter sorted;
        sorted.setSourceModel(&library);
        sorted.sort(LibraryModel::Name);
        QCOMPARE(treeOf(sorted), QStringLiteral("base(cut(small.gguf) other)"));
        QCOMPARE(chosen.data().toString(), QStringLiteral("other"));
        library.keepOnly({QStringLiteral("/cut"), QStringLiteral("/small.gguf")});
        QCOMPARE(treeOf(sorted), QStringLiteral("cut(small.gguf)"));
        QVERIFY(!chosen.isValid());
    }

    void models_that_claim_each_other_stay_apart() {
        LibraryModel library;
        QAbstractItemModelTester tester(&library);
        ModelEntry a = model("/a");
        ModelEntry b = model("/b");
        a.parentPath = b.path;
        b.parentPath = a.path;
        library.put({a, b});
        QCOMPARE(library.count(), 2);
        QCOMPARE(library.rowCount(), 1);
        b.parentPath.clear();
        library.put({b});
        QCOMPARE(treeOf(library), QStringLiteral("b(a)"));
    }

    void a_model_stays_as_long_as_its_child_is_asked_for() {
        LibraryModel library;
        ModelEntry child = model("/child.gguf");
        child.parentPath = QStringLiteral("/base");
        library.put({model("/base"), child, model("/third")});
        LibraryFilter filter;
        QAbstractItemModelTester tester(&filter);
        filter.setSourceModel(&library);
        filter.sort(LibraryModel::Name);
        filter.setFormat(FormatFilter::Gguf);
        QCOMPARE(treeOf(filter), QStringLiteral("base(child.gguf)"));
        filter.setFormat(FormatFilter::All);
        filter.setText(QStringLiteral("QWEN third"));
        QCOMPARE(treeOf(filter), QStringLiteral("third"));
        filter.setText({});
        filter.setExperts(ExpertsFilter::WithoutExperts);
        QCOMPARE(filter.rowCount(), 0);
    }

    void a_model_fits_or_not_data() {
        QTest::addColumn<double>("available");
        QTest::addColumn<double>("diskFree");
        QTest::addColumn<bool>("canCompress");
        QTest::addColumn<QString>("word");
        // 8 GB of weights and 0.54 GB beside them; a quarter is read for each token.
        QTest::addRow("enough") << 9.6e9 << 0.0 << true << QStringLiteral("✓ fits");
        QTest::addRow("just so") << 9.0e9 << 0.0 << true << QStringLiteral("! tight");
        QTest::addRow("a little over")
            << 7.0e9 << 0.0 << true << QStringLiteral("⇄ fits with paging");
        QTest::addRow("not one token")
            << 2.0e9 << 9e9 << true << QStringLiteral("▼ needs compressing");
        QTest::addRow("no room for a result") << 2.0e9 << 1e9 << true << QStringLiteral("✕ cannot");
        QTest::addRow("nothing to cut") << 2.0e9 << 9e9 << false << QStringLiteral("✕ cannot");
    }

    void a_model_fits_or_not() {
        QFETCH(double, available);
        QFETCH(double, diskFree);
        QFETCH(bool, canCompress);
        LibraryModel library;
        library.setMachine(machine(available, diskFree));
        library.setContext(1000);
        ModelEntry entry = model("/m");
        if (!canCompress) entry.facts->experts = 0;
        library.put({entry});
        QTEST(cell(library, 0, LibraryModel::Fits), "word");
        const auto sum = library.fit(library.index(0, 0));
        QCOMPARE(sum->cache, 1'000'000ULL);
        QCOMPARE(sum->total, 8'000'000'000ULL + 1'000'000 + 500 + (512ULL << 20));
    }

    void the_context_moves_the_border() {
        LibraryModel library;
        library.setMachine(machine(9.6e9, 0));
        library.setContext(1000);
        library.put({model("/m")});
        QSignalSpy changes(&library, &QAbstractItemModel::dataChanged);
        library.setContext(500'000);
        QCOMPARE(cell(library, 0, LibraryModel::Fits), QStringLiteral("! tight"));
        QCOMPARE(changes.size(), 1);
    }

    void the_table_says_why_a_model_cannot_be_compressed() {
        LibraryModel library;
        ModelEntry dense = model("/a");
        dense.facts->experts = 0;
        ModelEntry unknown = model("/b");
        unknown.facts->problem = QStringLiteral("unknown");
        unknown.facts->problemCode = QStringLiteral("E-ARCH-01");
        ModelEntry damaged = model("/c");
        damaged.facts->problemCode = QStringLiteral("E-FILE-03");
        ModelEntry half = model("/d");
        half.gap = ModelGap::Parts;
        half.facts.reset();
        library.put({dense, unknown, damaged, half, model("/e")});
        QStringList words;
        for (int row = 0; row < 5; ++row) words.append(cell(library, row, LibraryModel::Experts));
        QCOMPARE(words, (QStringList{"no experts", "unknown family", "damaged", "parts missing",
                                     "128 × 4, 8"}));
        QVERIFY(library.index(0, 0).data(LibraryModel::IsDimRole).toBool());
        QVERIFY(!library.index(4, 0).data(LibraryModel::IsDimRole).toBool());
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
