#include "ui/bridge/model_details.h"

#include "base/error.h"
#include "base/log.h"
#include "base/size_text.h"
#include "base/utf8.h"
#include "model/model_source.h"
#include "store/look_at_model.h"
#include "store/model_card.h"

namespace espalier::ui {
namespace {

namespace fs = std::filesystem;

void readTokenizer(ModelDetails& details, const ModelSource& model) {
    details.vocabSize = model.config().vocab_size;
    const auto files = model.tokenizer_files();
    if (!files) return;
    details.hasChatTemplate = !files->chat_template.empty();
    const auto inner = files->tokenizer.find("model");
    details.tokenizer = QStringLiteral("?");
    if (inner == files->tokenizer.end() || !inner->is_object()) return;
    const auto type = inner->find("type");
    if (type != inner->end() && type->is_string())
        details.tokenizer = QString::fromStdString(type->get<std::string>());
}

void readLicence(ModelDetails& details, const ModelSource* model) {
    std::error_code ignored;
    const fs::path path = details.path.toStdString();
    std::string licence;
    if (model != nullptr && model->gguf_file() != nullptr)
        licence = model->gguf_file()->metadata().text_or("general.license", "");
    if (licence.empty())
        licence = licence_of(fs::is_directory(path, ignored) ? path : path.parent_path());
    details.licence = QString::fromStdString(replace_invalid_utf8(licence));
}

}  // namespace

ModelDetails readModelDetails(const QString& path) {
    ModelDetails details;
    details.path = path;
    if (const auto found = look_at_model(path.toStdString())) {
        for (const ModelFile& file : found->files) {
            details.files.append(
                QStringLiteral("%1 (%2)").arg(QString::fromStdString(file.path.filename().string()),
                                              QString::fromStdString(size_text(file.bytes))));
        }
    }
    std::unique_ptr<ModelSource> model;
    try {
        model = ModelSource::open(path.toStdString());
        readTokenizer(details, *model);
    } catch (const Error& error) {
        // The list says why it cannot be opened; its files and licence are told all the same.
        log("ui").debug("{} has no details: {}", path.toStdString(), error.what());
    }
    readLicence(details, model.get());
    return details;
}

QString hashModel(const QString& path) {
    return QString::fromStdString(ModelSource::open(path.toStdString())->hash());
}

}  // namespace espalier::ui
