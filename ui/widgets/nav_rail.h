#pragma once

#include <QListWidget>

namespace espalier::ui {

struct RailEntry {
    QString id;  ///< object name of the page
    QString icon;
    QString text;
};

/// The pages, icon above text; a dot and words say that something there was not seen yet.
class NavRail : public QListWidget {
    Q_OBJECT

public:
    explicit NavRail(QWidget* parent = nullptr);

    void addEntry(const RailEntry& entry);
    void setUnseen(int row, int count);
    void setShowsText(bool shows);
    bool showsText() const { return m_showsText; }

protected:
    void changeEvent(QEvent* event) override;

private:
    void applyTheme();

    bool m_showsText = true;
};

}  // namespace espalier::ui
