#pragma once

#include <QWidget>
#include <vector>

class QGridLayout;

namespace espalier::ui {

struct InfoRow {
    QString id;  ///< stable, for tests: "memory"
    QString label;
    QString value;
    bool isEstimate = false;  ///< drawn in italics: predicted and measured never look alike
    QString tip;
    bool operator==(const InfoRow&) const = default;
};

/// Labels on the left, values on the right.
class InfoView : public QWidget {
    Q_OBJECT

public:
    explicit InfoView(const QString& name, QWidget* parent = nullptr);

    void setRows(const std::vector<InfoRow>& rows);
    QString value(const QString& id) const;

private:
    std::vector<InfoRow> m_rows;
    QGridLayout* m_layout;
};

}  // namespace espalier::ui
