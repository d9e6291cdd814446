#pragma once

#include <QFrame>
#include <QStringList>

class QMimeData;

namespace espalier::ui {

/// A dashed field that says what may be dropped and takes local files.
class DropArea : public QFrame {
    Q_OBJECT

public:
    DropArea(const QString& name, const QString& text, QWidget* parent = nullptr);

Q_SIGNALS:
    void dropped(const QStringList& paths);

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    bool m_isHovered = false;
};

/// Paths of the local files that are being dragged.
QStringList localPaths(const QMimeData& mime);

}  // namespace espalier::ui
