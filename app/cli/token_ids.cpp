#include "app/cli/token_ids.h"

#include <fmt/format.h>
#include <limits>

#include "base/error.h"

namespace espalier::cli {

std::vector<TokenId> token_ids_from_json(const Json& json, std::string_view where) {
    const auto refuse = [&](const std::string& what) {
        throw Error(ErrorCode::DataLine, fmt::format("In {}, {}.", where, what),
                    "Write token ids as whole numbers from 0: [1, 2, 3].");
    };
    if (!json.is_array()) refuse("there should be a list of token ids");
    std::vector<TokenId> ids;
    ids.reserve(json.size());
    for (const Json& value : json) {
        constexpr std::uint64_t kMax = std::numeric_limits<TokenId>::max();
        if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMax) {
            refuse(fmt::format("{} is no token id", value.dump().substr(0, 40)));
        }
        ids.push_back(value.get<TokenId>());
    }
    return ids;
}

}  // namespace espalier::cli
