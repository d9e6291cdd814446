#include <QTest>

#include "routing/matrix_name.h"

using namespace espalier;

class TestMatrixName : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void names_are_those_of_gguf_files_data() {
        QTest::addColumn<TensorRole>("role");
        QTest::addColumn<QString>("name");
        QTest::addRow("query") << TensorRole::AttentionQ << "blk.3.attn_q";
        QTest::addRow("query without a rank") << TensorRole::LatentQ << "blk.3.attn_q";
        QTest::addRow("latent row") << TensorRole::LatentKvDown << "blk.3.attn_kv_a_mqa";
        QTest::addRow("decay") << TensorRole::DeltaDecay << "blk.3.ssm_alpha";
        QTest::addRow("convolution") << TensorRole::ConvolutionIn << "blk.3.shortconv.in_proj";
        QTest::addRow("shared expert") << TensorRole::SharedDown << "blk.3.ffn_down_shexp";
        QTest::addRow("lm_head") << TensorRole::Output << "output";
        QTest::addRow("an expert's") << TensorRole::ExpertUp << "";
        QTest::addRow("a norm") << TensorRole::AttentionNorm << "";
        QTest::addRow("a bias") << TensorRole::AttentionQBias << "";
    }

    void names_are_those_of_gguf_files() {
        QFETCH(TensorRole, role);
        QFETCH(QString, name);
        const auto found = matrix_name({role, 3});
        QCOMPARE(QString::fromStdString(found.value_or("")), name);
    }
};

QTEST_APPLESS_MAIN(TestMatrixName)
#include "tst_matrix_name.moc"
