#pragma once

#include <QWidget>
#include <vector>

#include "ui/models/expert_matrix.h"

namespace espalier::ui {

/// The glyphs of a heat view with their words, in as many lines as they need.
class GlyphKey : public QWidget {
    Q_OBJECT

public:
    explicit GlyphKey(QWidget* parent = nullptr);

    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override;
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Entry {
        CellStates states;
        bool isUncertain = false;
        QString word;
    };

    /// Places of the entries in a width, and the height that they take together.
    std::pair<std::vector<QRect>, int> arrange(int width) const;
    int side() const;

    std::vector<Entry> m_entries;
};

}  // namespace espalier::ui
