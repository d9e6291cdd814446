#pragma once

#include <QFrame>
#include <QTextBrowser>

class QLabel;
class QToolButton;

namespace espalier::ui {

class IconButton;

/// A text that is as high as what it says. Refuses remote resources: what a model writes is not
/// trusted.
class MessageText : public QTextBrowser {
    Q_OBJECT

public:
    explicit MessageText(QWidget* parent = nullptr);

protected:
    QVariant loadResource(int type, const QUrl& name) override;
    void resizeEvent(QResizeEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

private:
    void fitHeight();
};

enum class MessageSide { You, Model, Instruction };

/// One message of a conversation: who, what, figures, and what can be done with it.
class MessageWidget : public QFrame {
    Q_OBJECT

public:
    /// @param number position in the conversation, part of the object names
    MessageWidget(MessageSide side, int number, QWidget* parent = nullptr);

    void setText(const QString& text);
    void appendText(const QString& text);
    const QString& text() const { return m_source; }
    /// The answer is whole: Markdown is shown as such.
    void finish(const QString& figures);
    bool isRaw() const { return m_isRaw; }
    void setRaw(bool isRaw);

protected:
    void changeEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void buildLayout(int number);
    void render();

    MessageSide m_side;
    QString m_source;
    bool m_isRaw = true;
    QLabel* m_who;
    MessageText* m_text;
    QLabel* m_figures;
    IconButton* m_copy;
    QToolButton* m_raw;
};

}  // namespace espalier::ui
