#include <QAbstractButton>
#include <QDesktopServices>
#include <QDir>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QMimeData>
#include <QRegularExpression>
#include <QScrollArea>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTest>
#include <QTreeView>
#include <QUrl>

#include "store/database.h"
#include "store/library.h"
#include "ui/models/library_model.h"
#include "ui/models/roles.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/page.h"
#include "window_fixture.h"

using namespace espalier;
using namespace espalier::ui;

namespace {

const QString kSample = QStringLiteral(ESPALIER_SAMPLE "/model");

void write(const QString& path, const QByteArray& text) {
    QVERIFY(QDir().mkpath(QFileInfo(path).path()));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write(text), text.size());
}

/// The sample under another path: a folder of links to its files.
void linkSample(const QString& folder) {
    QVERIFY(QDir().mkpath(folder));
    const QStringList files = QDir(kSample).entryList(QDir::Files);
    for (const QString& file : files)
        QVERIFY(QFile::link(kSample + QLatin1Char('/') + file, folder + QLatin1Char('/') + file));
}

}  // namespace

class ModelsPageTest : public QObject {
    Q_OBJECT

public Q_SLOTS:
    /// In place of the desktop's file manager.
    void takeUrl(const QUrl& url) { m_revealed = url; }

private Q_SLOTS:
    void init() {
        // What Qt says of every dialog without a screen.
        QTest::failOnWarning(QRegularExpression(
            QStringLiteral("^(?!This plugin does not support propagateSizeHints)")));
        m_fixture = std::make_unique<WindowFixture>();
        QVERIFY(QTest::qWaitForWindowActive(&m_fixture->window()));
    }
    void cleanup() { m_fixture.reset(); }

    void an_empty_computer_is_told_where_models_come_from() {
        open();
        QVERIFY(m_fixture->find("models_empty_btn")->isVisible());
        QVERIFY(!tree()->isVisible());
        m_fixture->shootBoth(QStringLiteral("models-empty"));
        m_fixture->click("models_sample_btn");
        QCOMPARE(shownPage(), QStringLiteral("wizardPage"));
    }

    void models_of_all_places_are_listed() {
        addEverything();
        open();
        QTRY_COMPARE(text("Sample-MoE", LibraryModel::Experts), QStringLiteral("32 × 6, 4"));
        QCOMPARE(text("Sample-MoE", LibraryModel::From), QStringLiteral("hub cache"));
        QVERIFY(text("Sample-MoE", LibraryModel::Parameters).startsWith("16.4 M"));
        QTRY_COMPARE(text("Sample-MoE", LibraryModel::Fits), QStringLiteral("✓ fits"));
        QCOMPARE(text("Half", LibraryModel::Experts), QStringLiteral("parts missing"));
        QTRY_COMPARE(text("dense", LibraryModel::Experts), QStringLiteral("no experts"));
        QTRY_COMPARE(text("broken", LibraryModel::Experts), QStringLiteral("damaged"));
        QCOMPARE(text("broken", LibraryModel::From), QStringLiteral("LM Studio"));
        // The result of a run stands below the model that the run began with.
        QCOMPARE(row("sample-keep16").parent().data().toString(), QStringLiteral("Sample-MoE"));
        QTRY_COMPARE(text("sample-keep16", LibraryModel::Experts), QStringLiteral("32 × 6, 4"));
        QCOMPARE(text("sample-keep16", LibraryModel::Used), QStringLiteral("today"));
        choose("Sample-MoE");
        auto* about = m_fixture->find<InfoView>("models_details_about_view");
        QTRY_COMPARE(about->value(QStringLiteral("licence")), QStringLiteral("apache-2.0"));
        QCOMPARE(about->value(QStringLiteral("family")), QStringLiteral("qwen3_moe"));
        QCOMPARE(about->value(QStringLiteral("template")), QStringLiteral("yes"));
        m_fixture->shootBoth(QStringLiteral("models"));
        choose("sample-keep16");
        auto* place = m_fixture->find<InfoView>("models_details_place_view");
        QCOMPARE(place->value(QStringLiteral("origin")), QStringLiteral("Sample-MoE"));
        m_fixture->shootBoth(QStringLiteral("models-result"));
    }

    void what_cannot_be_compressed_says_why() {
        addEverything();
        open();
        const auto refuses = [this](const char* name, const QString& reason) {
            choose(name);
            QVERIFY(!m_fixture->find("models_compress_btn")->isEnabled());
            const QString said = m_fixture->find<QLabel>("models_details_problem_label")->text();
            QVERIFY2(said.contains(reason), qPrintable(said));
        };
        refuses("Half", QStringLiteral("model-00002-of-00002.safetensors"));
        QTRY_COMPARE(text("dense", LibraryModel::Experts), QStringLiteral("no experts"));
        refuses("dense", QStringLiteral("no experts"));
        QTRY_COMPARE(text("broken", LibraryModel::Experts), QStringLiteral("damaged"));
        refuses("broken", QStringLiteral("E-FILE"));
        auto* place = m_fixture->find<InfoView>("models_details_place_view");
        QTRY_COMPARE(place->value(QStringLiteral("files")), QStringLiteral("1 file, 4 bytes"));
        m_fixture->shootBoth(QStringLiteral("models-damaged"));
    }

    void controls_are_named_and_fit_in_a_small_window() {
        addEverything();
        open();
        QTRY_COMPARE(text("sample-keep16", LibraryModel::Experts), QStringLiteral("32 × 6, 4"));
        choose("sample-keep16");
        QStringList complaints =
            keyboardComplaints(m_fixture->window()) + mnemonicComplaints(m_fixture->window());
        QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
        m_fixture->theme().setTextPercent(200);
        m_fixture->window().resize(1024, 640);
        QTRY_VERIFY(tree()->isColumnHidden(LibraryModel::From));
        QCOMPARE(m_fixture->window().size(), QSize(1024, 640));
        const auto complaintsNow = [&] {
            complaints = elisionComplaints(m_fixture->window());
            return !complaints.isEmpty();
        };
        QTRY_VERIFY2(!complaintsNow(), qPrintable(complaints.join(QLatin1Char('\n'))));
        m_fixture->shoot(QStringLiteral("models-full-small-200"));
        auto* scroll = m_fixture->find("modelsPage")->findChild<QScrollArea*>();
        scroll->ensureWidgetVisible(m_fixture->find("models_details_note_edit"));
        const auto isCut = [](const QLabel* label) {
            return label->isVisible() && label->wordWrap() &&
                   label->heightForWidth(label->width()) > label->height();
        };
        const auto labels = m_fixture->find("modelsPage")->findChildren<QLabel*>();
        for (const QLabel* label : labels) QTRY_VERIFY2(!isCut(label), qPrintable(label->text()));
        m_fixture->shoot(QStringLiteral("models-full-small-200-below"));
    }

    void words_filter_the_list_and_escape_shows_all_again() {
        addEverything();
        open();
        const int all = tree()->model()->rowCount();
        QTest::keyClicks(m_fixture->find("models_search_edit"), QStringLiteral("hub half"));
        QTRY_COMPARE(tree()->model()->rowCount(), 1);
        QCOMPARE(tree()->model()->index(0, 0).data().toString(), QStringLiteral("Half"));
        m_fixture->press(Qt::Key_Escape);
        QCOMPARE(tree()->model()->rowCount(), all);
        QTest::keyClicks(m_fixture->find("models_search_edit"), QStringLiteral("zzz"));
        QCOMPARE(tree()->model()->rowCount(), 0);
        QVERIFY(m_fixture->find<QLabel>("models_status_label")->text().contains("none fits"));
        QVERIFY(!m_fixture->find("models_compress_btn")->isEnabled());
        m_fixture->click("models_filter_clear_btn");
        QCOMPARE(tree()->model()->rowCount(), all);
    }

    void looking_can_be_stopped_and_taken_up_again() {
        addEverything();
        open();
        const auto button = [this] { return scanButton(); };
        QTRY_COMPARE(button(), QStringLiteral("Look again"));
        m_fixture->click("models_scan_btn");
        QCOMPARE(button(), QStringLiteral("Stop looking"));
        m_fixture->click("models_scan_btn");
        QCOMPARE(button(), QStringLiteral("Look again"));
        QVERIFY(row("Half").isValid());
        m_fixture->click("models_scan_btn");
        m_fixture->press(Qt::Key_Escape);
        QCOMPARE(button(), QStringLiteral("Look again"));
    }

    void a_model_that_was_moved_away_can_be_taken_out() {
        const QString mine = m_fixture->homeFolder() + QStringLiteral("/elsewhere/mine");
        linkSample(mine);
        open();
        drop(mine);
        QTRY_VERIFY(row("mine").isValid());
        QVERIFY(QDir().rename(mine, mine + QStringLiteral("-away")));
        lookAgain();
        QTRY_COMPARE(text("mine", LibraryModel::Experts), QStringLiteral("not there"));
        choose("mine");
        QVERIFY(!m_fixture->find("models_reveal_btn")->isEnabled());
        m_fixture->click("models_remove_btn");
        QTRY_VERIFY(!row("mine").isValid());
    }

    void a_longer_context_needs_more_memory() {
        addEverything();
        open();
        QTRY_COMPARE(text("Sample-MoE", LibraryModel::Fits), QStringLiteral("✓ fits"));
        const auto tip = [this] {
            return row("Sample-MoE")
                .siblingAtColumn(LibraryModel::Fits)
                .data(Qt::ToolTipRole)
                .toString();
        };
        QVERIFY2(tip().contains("4,096"), qPrintable(tip()));
        const QString before = tip();
        m_fixture->find<QSpinBox>("models_context_spin")->setValue(8192);
        QVERIFY(tip() != before);
        QVERIFY2(tip().contains("8,192"), qPrintable(tip()));
    }

    void a_dropped_model_is_linked_and_can_be_taken_out_again() {
        const QString mine = m_fixture->homeFolder() + QStringLiteral("/elsewhere/mine");
        linkSample(mine);
        open();
        drop(mine);
        QTRY_VERIFY(row("mine").isValid());
        QTRY_COMPARE(text("mine", LibraryModel::Experts), QStringLiteral("32 × 6, 4"));
        QCOMPARE(text("mine", LibraryModel::From), QStringLiteral("added"));
        choose("mine");
        m_fixture->click("models_remove_btn");
        QTRY_VERIFY(!row("mine").isValid());
        QVERIFY(QFile::exists(mine + QStringLiteral("/config.json")));
    }

    void a_dropped_folder_of_models_is_watched() {
        const QString folder = m_fixture->homeFolder() + QStringLiteral("/mine");
        write(folder + QStringLiteral("/one.gguf"), "GGUF");
        open();
        drop(folder);
        QTRY_VERIFY(row("one").isValid());
        QTRY_COMPARE(text("one", LibraryModel::Experts), QStringLiteral("damaged"));
        write(folder + QStringLiteral("/two.gguf"), "GGUF");
        QTRY_VERIFY(row("two").isValid());
        QVERIFY(QFile::remove(folder + QStringLiteral("/one.gguf")));
        QTRY_VERIFY(!row("one").isValid());
        QVERIFY(row("two").isValid());
    }

    void a_folder_without_models_is_refused() {
        const QString folder = m_fixture->homeFolder() + QStringLiteral("/texts");
        write(folder + QStringLiteral("/a.txt"), "words");
        m_fixture->window().openPaths({folder});
        QCOMPARE(shownPage(), QStringLiteral("modelsPage"));
        auto* banner = m_fixture->find<Banner>("models_banner");
        QTRY_VERIFY(banner->isVisible());
        QVERIFY2(banner->text().contains("no model"), qPrintable(banner->text()));
        QVERIFY(banner->text().contains("E-FILE-01"));
    }

    void a_row_can_be_dragged_to_other_programs() {
        addEverything();
        open();
        const QModelIndex sample = row("Sample-MoE");
        QVERIFY(sample.flags().testFlag(Qt::ItemIsDragEnabled));
        const std::unique_ptr<QMimeData> mime(tree()->model()->mimeData({sample}));
        QCOMPARE(mime->urls().size(), 1);
        QVERIFY(QFile::exists(mime->urls().first().toLocalFile() + QStringLiteral("/config.json")));
    }

    void a_result_is_deleted_only_when_asked_twice() {
        addEverything();
        open();
        choose("Sample-MoE");
        QVERIFY(!m_fixture->find("models_delete_btn")->isEnabled());
        choose("sample-keep16");
        const QString result = runFolder() + QStringLiteral("/02-prune/model");
        for (const char* answer : {"dlgDelete_keep_btn", "dlgDelete_yes_btn"}) {
            QVERIFY(QFile::exists(result));
            m_fixture->click("models_delete_btn");
            QTRY_VERIFY(m_fixture->window().findChild<QWidget*>(QLatin1String(answer)) != nullptr);
            m_fixture->shoot(QStringLiteral("models-delete"));
            m_fixture->click(answer);
            QTRY_VERIFY(m_fixture->window().findChild<QWidget*>(QStringLiteral("dlgDelete")) ==
                        nullptr);
        }
        QTRY_VERIFY(!row("sample-keep16").isValid());
        QVERIFY(!QFile::exists(result));
        QVERIFY(QFile::exists(runFolder() + QStringLiteral("/recipe.json")));
        QVERIFY(row("Sample-MoE").isValid());
    }

    void buttons_lead_to_the_wizard_and_to_the_file_manager() {
        addEverything();
        open();
        QTRY_COMPARE(text("Sample-MoE", LibraryModel::Experts), QStringLiteral("32 × 6, 4"));
        choose("Sample-MoE");
        QDesktopServices::setUrlHandler(QStringLiteral("file"), this, "takeUrl");
        m_fixture->click("models_reveal_btn");
        QDesktopServices::unsetUrlHandler(QStringLiteral("file"));
        QVERIFY(m_revealed.toLocalFile().endsWith("/snapshots/r1"));
        m_fixture->press(Qt::Key_Return, Qt::ControlModifier);
        QCOMPARE(shownPage(), QStringLiteral("wizardPage"));
        auto* info = m_fixture->find<InfoView>("wiz_model_info_view");
        QTRY_VERIFY(info->value(QStringLiteral("path")).endsWith("/snapshots/r1"));
        QVERIFY(m_fixture->find<QLineEdit>("wiz_model_name_edit")->text().startsWith("Sample-MoE"));
    }

    void hash_and_note_are_kept() {
        addEverything();
        open();
        QTRY_COMPARE(text("Sample-MoE", LibraryModel::Experts), QStringLiteral("32 × 6, 4"));
        choose("Sample-MoE");
        auto* place = m_fixture->find<InfoView>("models_details_place_view");
        QVERIFY(place->value(QStringLiteral("hash")).isEmpty());
        m_fixture->click("models_details_hash_btn");
        QTRY_VERIFY(!place->value(QStringLiteral("hash")).isEmpty());
        auto* note = m_fixture->find<QLineEdit>("models_details_note_edit");
        QTest::keyClicks(note, QStringLiteral("writes good C++"));
        choose("Half");
        lookAgain();
        choose("Sample-MoE");
        QCOMPARE(note->text(), QStringLiteral("writes good C++"));
        Library library(library_path());
        const auto path = row("Sample-MoE").data(IdRole).toString().mid(6).toStdString();
        const auto isKept = [&] {
            const ModelNotes notes = library.model_notes()[path];
            return notes.hash.size() == 64 && notes.text == "writes good C++";
        };
        QTRY_VERIFY(isKept());
    }

private:
    QString scanButton() const {
        return m_fixture->find<QAbstractButton>("models_scan_btn")->accessibleName();
    }
    /// While the page still looks, the same button stops it.
    void lookAgain() const {
        QTRY_COMPARE(scanButton(), QStringLiteral("Look again"));
        m_fixture->click("models_scan_btn");
    }

    QString hubCache() const {
        return m_fixture->homeFolder() + QStringLiteral("/.cache/huggingface/hub");
    }
    QString runFolder() const { return m_fixture->dataFolder() + QStringLiteral("/runs/one"); }

    /// A whole and a half model in the hub's cache, a damaged one of LM Studio's, one without
    /// experts in a folder of the user's, and the result of a run.
    void addEverything() {
        const QString owner = hubCache() + QStringLiteral("/models--Owner--");
        linkSample(owner + QStringLiteral("Sample-MoE/snapshots/r1"));
        write(owner + QStringLiteral("Sample-MoE/snapshots/r1/README.md"),
              "---\nlicense: apache-2.0\n---\n");
        write(owner + QStringLiteral("Sample-MoE/refs/main"), "r1");
        const QString half = owner + QStringLiteral("Half/snapshots/r1/");
        write(half + QStringLiteral("config.json"), "{\"model_type\": \"qwen3_moe\"}");
        write(half + QStringLiteral("model-00001-of-00002.safetensors"), "weights");
        write(half + QStringLiteral("model.safetensors.index.json"),
              "{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\", "
              "\"b\": \"model-00002-of-00002.safetensors\"}}");
        write(m_fixture->homeFolder() + QStringLiteral("/.lmstudio/models/Pub/Tiny/broken.gguf"),
              "GGUF");
        const QString folder = m_fixture->homeFolder() + QStringLiteral("/folder");
        write(folder + QStringLiteral("/dense/config.json"),
              "{\"model_type\": \"llama\", \"num_hidden_layers\": 2, \"hidden_size\": 4}");
        const QByteArray header =
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
        const char length = static_cast<char>(header.size());
        write(folder + QStringLiteral("/dense/model.safetensors"),
              QByteArray(1, length) + QByteArray(7, '\0') + header + QByteArray(16, '\0'));
        linkSample(runFolder() + QStringLiteral("/02-prune/model"));
        write(runFolder() + QStringLiteral("/recipe.json"), "{}");
        const qint64 now = QDateTime::currentSecsSinceEpoch();
        Library library(library_path());
        library.put_model_folder(folder.toStdString());
        library.put_run({.path = runFolder().toStdString(),
                         .name = "sample-keep16",
                         .model = (owner + "Sample-MoE/snapshots/r1").toStdString(),
                         .state = "finished",
                         .recipe = "{}",
                         .report = R"({"result": {"path": "02-prune/model", "bytes": 33000000}})",
                         .started_unix = now - 60,
                         .ended_unix = now});
    }

    void open() {
        auto* page = m_fixture->find<Page>("modelsPage");
        QSignalSpy ready(page, &Page::pageReady);
        m_fixture->press(Qt::Key_2, Qt::ControlModifier);
        QCOMPARE(shownPage(), QStringLiteral("modelsPage"));
        QVERIFY(ready.size() > 0 || ready.wait());
    }

    QTreeView* tree() { return m_fixture->find<QTreeView>("models_tree"); }

    QString shownPage() {
        return m_fixture->find<QStackedWidget>("pages")->currentWidget()->objectName();
    }

    /// By name, wherever it stands; invalid if it is not shown.
    QModelIndex row(const char* name) {
        const QModelIndexList found = tree()->model()->match(
            tree()->model()->index(0, 0), Qt::DisplayRole, QString::fromLatin1(name), 1,
            Qt::MatchExactly | Qt::MatchCaseSensitive | Qt::MatchRecursive);
        return found.isEmpty() ? QModelIndex() : found.first();
    }
    QString text(const char* name, int column) {
        return row(name).siblingAtColumn(column).data().toString();
    }
    void choose(const char* name) { tree()->setCurrentIndex(row(name)); }

    void drop(const QString& path) {
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(path)});
        auto* page = m_fixture->find("modelsPage");
        QDragEnterEvent enter(page->rect().center(), Qt::CopyAction | Qt::LinkAction, &mime,
                              Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(page, &enter);
        QVERIFY(enter.isAccepted());
        QCOMPARE(enter.dropAction(), Qt::LinkAction);
        QDropEvent event(page->rect().center(), Qt::CopyAction | Qt::LinkAction, &mime,
                         Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(page, &event);
    }

    std::unique_ptr<WindowFixture> m_fixture;
    QUrl m_revealed;
};

QTEST_MAIN(ModelsPageTest)
#include "tst_models_page.moc"
