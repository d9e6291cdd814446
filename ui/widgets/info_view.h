#pragma once

#include <QWidget>
#include <vector>

class QGridLayout;

namespace espalier::ui {

class TextLabel;

struct InfoRow {
    QString id;  ///< stable, for tests: "memory"
    QString label;
    QString value;
    bool isEstimate = false;  ///< drawn in italics: predicted and measured never look alike
    QString tip;
    bool operator==(const InfoRow&) const = default;
};

/// Labels on the left, values on the right. Rows that stay are changed in place: nothing flickers,
/// and what is selected in them stays so.
class InfoView : public QWidget {
    Q_OBJECT

public:
    explicit InfoView(const QString& name, QWidget* parent = nullptr);

    void setRows(const std::vector<InfoRow>& rows);
    QString value(const QString& id) const;

private:
    struct Line {
        TextLabel* label;
        TextLabel* value;
    };

    void addLine();
    static void show(const Line& line, const InfoRow& row);

    std::vector<InfoRow> m_rows;
    std::vector<Line> m_lines;
    QGridLayout* m_layout;
};

}  // namespace espalier::ui
