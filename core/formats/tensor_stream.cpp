#include "formats/tensor_stream.h"

#include <fmt/format.h>
#include <set>
#include <utility>

#include "base/error.h"
#include "formats/file_error.h"

namespace espalier {
namespace {

Error out_of_step(const std::filesystem::path& path, std::string_view what) {
    return {ErrorCode::VerifyFailed,
            fmt::format("{} cannot be written: {}.", path.filename().string(), what),
            "Please report this: it is a mistake of the program."};
}

}  // namespace

TensorStream::TensorStream(std::filesystem::path path, std::vector<TensorSpec> specs)
    : path_(std::move(path)), specs_(std::move(specs)) {
    std::set<std::string_view> names;
    for (const auto& spec : specs_) {
        if (!names.insert(spec.name).second) {
            throw Error(ErrorCode::UsageInvalid,
                        fmt::format("{} would hold tensor {} twice.", path_.filename().string(),
                                    in_quotes(spec.name)));
        }
        if (!tensor_bytes(spec.dtype, spec.shape)) {
            throw Error(ErrorCode::UsageInvalid,
                        fmt::format("Tensor {} of {} cannot have the shape {} as {}.",
                                    in_quotes(spec.name), path_.filename().string(),
                                    shape_text(spec.shape), info(spec.dtype).name));
        }
    }
    if (!specs_.empty()) remaining_ = *tensor_bytes(specs_[0].dtype, specs_[0].shape);
    skip_empty();
}

bool TensorStream::take(std::string_view name, std::uint64_t piece_bytes) {
    if (piece_bytes == 0) return false;
    if (current_ == specs_.size() || specs_[current_].name != name) {
        throw out_of_step(
            path_, fmt::format("data of {} came where {} was due", in_quotes(name),
                               current_ == specs_.size() ? std::string("nothing")
                                                         : in_quotes(specs_[current_].name)));
    }
    if (piece_bytes > remaining_) {
        throw out_of_step(path_, fmt::format("tensor {} got {} bytes too many", in_quotes(name),
                                             piece_bytes - remaining_));
    }
    remaining_ -= piece_bytes;
    const bool complete = remaining_ == 0;
    skip_empty();
    return complete;
}

void TensorStream::require_complete() {
    if (current_ == specs_.size()) return;
    throw out_of_step(path_, fmt::format("tensor {} still lacks {} bytes",
                                         in_quotes(specs_[current_].name), remaining_));
}

void TensorStream::skip_empty() {
    while (remaining_ == 0 && current_ < specs_.size()) {
        if (++current_ == specs_.size()) return;
        remaining_ = *tensor_bytes(specs_[current_].dtype, specs_[current_].shape);
    }
}

}  // namespace espalier
