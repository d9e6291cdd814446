#include <QTemporaryDir>
#include <QTest>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "calib/hidden_states_file.h"
#include "tensor/float_formats.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

std::vector<float> counting(std::size_t count, float from) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), from);
    for (float& value : values) value += 0.123456F;
    return values;
}

}  // namespace

class TestHiddenStatesFile : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rows_come_back_in_any_order() {
        const QTemporaryDir folder;
        const fs::path path = fs::path(folder.path().toStdString()) / "hidden.bin";
        const HiddenStatesLayout layout{.rows = 3, .columns = 4, .dtype = DType::F32};
        auto file = HiddenStatesFile::create(path, layout);
        file.write(1, counting(8, 4));
        file.write(0, counting(4, 0));
        QVERIFY(!fs::exists(path));
        file.commit();
        const auto reopened = HiddenStatesFile::open(path, layout);
        std::vector<float> all(12);
        reopened.read(0, all);
        QCOMPARE(all, counting(12, 0));
    }

    void bfloat16_rounds_to_the_nearest() {
        const QTemporaryDir folder;
        const fs::path path = fs::path(folder.path().toStdString()) / "hidden.bin";
        const HiddenStatesLayout layout{.rows = 2, .columns = 4, .dtype = DType::BF16};
        auto file = HiddenStatesFile::create(path, layout);
        const std::vector<float> values = counting(8, -3);
        file.write(0, values);
        file.commit();
        QCOMPARE(fs::file_size(path), 16U);
        std::vector<float> all(8);
        HiddenStatesFile::open(path, layout).read(0, all);
        for (std::size_t i = 0; i < all.size(); ++i) {
            QCOMPARE(all[i], bf16_to_float(float_to_bf16(values[i])));
        }
    }

    void a_file_of_another_size_is_refused() {
        const QTemporaryDir folder;
        const fs::path path = fs::path(folder.path().toStdString()) / "hidden.bin";
        HiddenStatesFile::create(path, {.rows = 3, .columns = 4}).commit();
        QVERIFY_THROWS_EXCEPTION(Error, HiddenStatesFile::open(path, {.rows = 4, .columns = 4}));
    }
};

QTEST_APPLESS_MAIN(TestHiddenStatesFile)
#include "tst_hidden_states_file.moc"
