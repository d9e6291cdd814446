#pragma once

#include <QWidget>

#include "ui/bridge/compress_draft.h"
#include "ui/bridge/model_info.h"

namespace espalier::ui {

/// One step of the wizard. Shows a draft, writes its own part back into it, and knows what is
/// missing.
class WizardStep : public QWidget {
    Q_OBJECT

public:
    using QWidget::QWidget;

    virtual QString title() const = 0;
    virtual void showDraft(const CompressDraft& draft) = 0;
    virtual void writeTo(CompressDraft& draft) const = 0;
    virtual void setModel(const ModelInfo& /*model*/) {}
    /// The rule that is broken and how to fix it; empty if all is well. Also marks the field.
    virtual QString check() { return {}; }
    /// Puts the focus into the first field that check() complains about, else the first field.
    virtual void focusFirst() = 0;

Q_SIGNALS:
    void changed();
};

}  // namespace espalier::ui
