#include "pipeline/recovery_step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <utility>

#include "base/error.h"

namespace espalier {
namespace {

class NoRecovery : public RecoveryStep {
public:
    RecoveryResult recover(const RecoveryRequest& /*request*/) override { return {}; }
};

using Makers = std::map<std::string, std::function<std::unique_ptr<RecoveryStep>()>, std::less<>>;

Makers& makers() {
    static Makers all{{"none", [] { return std::make_unique<NoRecovery>(); }}};
    return all;
}

}  // namespace

void register_recovery(std::string name, std::function<std::unique_ptr<RecoveryStep>()> make) {
    makers().insert_or_assign(std::move(name), std::move(make));
}

std::unique_ptr<RecoveryStep> make_recovery(std::string_view name) {
    const auto found = makers().find(name);
    if (found != makers().end()) return found->second();
    std::vector<std::string> known;
    for (const auto& [one, make] : makers()) known.push_back(one);
    throw Error(ErrorCode::RunRecipe,
                fmt::format("There is no recovery \"{}\" between rounds of pruning.", name),
                fmt::format("Available: {}.", fmt::join(known, ", ")));
}

}  // namespace espalier
