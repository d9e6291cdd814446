#pragma once

#include <QWidget>

namespace espalier::ui {

/// A page of the main window. Emits pageReady() when its data is on screen.
class Page : public QWidget {
    Q_OBJECT

public:
    using QWidget::QWidget;

    /// Ctrl+Return: start, send.
    virtual void activatePrimary() {}
    /// Esc: ends what is being generated. False if there was nothing to end.
    virtual bool cancelCurrent() { return false; }
    /// Ctrl+N.
    virtual void createNew() {}
    /// Ctrl+S.
    virtual void save() {}
    /// Called whenever the page comes to the front.
    virtual void refresh() {}

protected:
    /// Called when the width or the letters change. Where it is narrow, what stood in columns
    /// beside the main one goes below.
    virtual void arrange(bool /*isNarrow*/) {}
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

Q_SIGNALS:
    void pageReady();
    /// One sentence for the status line and the screen reader.
    void announced(const QString& text);
};

}  // namespace espalier::ui
