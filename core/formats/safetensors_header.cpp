#include "formats/safetensors_header.h"

#include <fmt/format.h>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "formats/file_error.h"

namespace espalier {
namespace {

constexpr std::string_view kMetadata = "__metadata__";

class HeaderEvents : public nlohmann::json_sax<Json> {
public:
    explicit HeaderEvents(const std::filesystem::path& path) : path_(path) {}

    SafetensorsHeader take() { return std::move(header_); }

    bool null() override { refuse("null"); }
    bool boolean(bool) override { refuse("true or false"); }
    bool number_integer(number_integer_t) override { refuse("a negative number"); }
    bool number_float(number_float_t, const string_t&) override {
        refuse("a number that is not a whole one within 64 bits");
    }
    bool binary(binary_t&) override { refuse("binary data"); }

    bool number_unsigned(number_unsigned_t value) override {
        if (where_ != Where::Numbers) refuse("a number");
        numbers_.push_back(value);
        return true;
    }

    bool string(string_t& value) override {
        if (where_ == Where::Metadata) {
            if (!header_.metadata.emplace(field_, std::move(value)).second) twice(field_);
        } else if (where_ == Where::Tensor && field_ == "dtype") {
            const auto dtype = dtype_from_safetensors(value);
            if (!dtype) {
                throw unsupported_file(path_, fmt::format("the dtype of tensor {} is {}, which "
                                                          "Espalier does not know",
                                                          in_quotes(name_), in_quotes(value)));
            }
            if (std::exchange(dtype_, dtype)) twice(field_);
        } else {
            refuse("a text");
        }
        return true;
    }

    bool start_object(std::size_t) override {
        if (where_ == Where::Outside) {
            where_ = Where::Names;
        } else if (where_ == Where::Names) {
            where_ = name_ == kMetadata ? Where::Metadata : Where::Tensor;
        } else {
            refuse("an object");
        }
        return true;
    }

    bool key(string_t& value) override {
        if (where_ == Where::Names) {
            if (!names_.insert(value).second) twice(value);
            name_ = std::move(value);
            field_.clear();
            return true;
        }
        field_ = std::move(value);
        if (where_ == Where::Tensor && field_ != "dtype" && field_ != "shape" &&
            field_ != "data_offsets") {
            throw malformed_file(path_,
                                 fmt::format("its header gives tensor {} the unknown field {}",
                                             in_quotes(name_), in_quotes(field_)));
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (where_ != Where::Tensor || field_ == "dtype") refuse("an array");
        where_ = Where::Numbers;
        numbers_.clear();
        return true;
    }

    bool end_array() override {
        where_ = Where::Tensor;
        auto& target = field_ == "shape" ? shape_ : offsets_;
        if (std::exchange(target, std::move(numbers_))) twice(field_);
        numbers_ = {};
        return true;
    }

    bool end_object() override {
        if (where_ == Where::Tensor) finish_tensor();
        where_ = where_ == Where::Names ? Where::Outside : Where::Names;
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
        constexpr std::size_t kLongest = 200;
        throw malformed_file(
            path_,
            fmt::format("its header is not valid JSON ({})",
                        replace_invalid_utf8(std::string_view(error.what()).substr(0, kLongest))));
    }

private:
    enum class Where { Outside, Names, Metadata, Tensor, Numbers };

    std::string place() const {
        switch (where_) {
            case Where::Outside:
                return "in place of an object of tensors";
            case Where::Names:
                return fmt::format("in place of the description of {}", in_quotes(name_));
            case Where::Metadata:
                return fmt::format("under {} of {}, where a text must stand", in_quotes(field_),
                                   kMetadata);
            default:
                return fmt::format("in the {} of tensor {}", field_, in_quotes(name_));
        }
    }

    [[noreturn]] void refuse(std::string_view what) const {
        throw malformed_file(path_, fmt::format("its header has {} {}", what, place()));
    }

    [[noreturn]] void twice(std::string_view what) const {
        throw malformed_file(
            path_, fmt::format("the name {} stands twice in its header", in_quotes(what)));
    }

    void require(bool present, std::string_view field) const {
        if (present) return;
        throw malformed_file(
            path_, fmt::format("its header gives tensor {} no {}", in_quotes(name_), field));
    }

    void finish_tensor() {
        require(dtype_.has_value(), "dtype");
        require(shape_.has_value(), "shape");
        require(offsets_.has_value(), "data_offsets");
        if (offsets_->size() != 2) {
            throw malformed_file(path_,
                                 fmt::format("data_offsets of tensor {} has {} entries, not 2",
                                             in_quotes(name_), offsets_->size()));
        }
        SafetensorsEntry entry{name_, *dtype_, {}, (*offsets_)[0], (*offsets_)[1]};
        for (const std::uint64_t dim : *shape_) {
            if (dim > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
                throw malformed_file(path_,
                                     fmt::format("the shape of tensor {} has the dimension {}",
                                                 in_quotes(name_), dim));
            }
            entry.shape.push_back(static_cast<std::int64_t>(dim));
        }
        header_.entries.push_back(std::move(entry));
        dtype_.reset();
        shape_.reset();
        offsets_.reset();
    }

    const std::filesystem::path& path_;
    SafetensorsHeader header_;
    Where where_ = Where::Outside;
    std::set<std::string> names_;
    std::string name_;
    std::string field_;
    std::optional<DType> dtype_;
    std::optional<std::vector<std::uint64_t>> shape_;
    std::optional<std::vector<std::uint64_t>> offsets_;
    std::vector<std::uint64_t> numbers_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json,
                                           const std::filesystem::path& path) {
    const auto first = json.find_first_not_of(" \t\r\n");
    // The library skips a byte order mark and takes a zero byte for the end.
    if (first == std::string_view::npos || json[first] != '{' ||
        json.find('\0') != std::string_view::npos) {
        throw malformed_file(path, "its header is not a JSON object");
    }
    HeaderEvents events(path);
    Json::sax_parse(json.begin(), json.end(), &events);
    return events.take();
}

}  // namespace espalier
