#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "base/error.h"
#include "pipeline/output_place.h"
#include "routing/expert_stats.h"

namespace espalier::cli {
namespace {

struct MergeOptions {
    std::vector<std::string> files;
    std::string out;
};

/// Which part of the calibration a file holds, {"index", "count"}; null for a whole one.
Json shard_of(const ExpertStats& stats) {
    return stats.settings.is_object() ? stats.settings.value("shard", Json()) : Json();
}

std::string part_text(const Json& shard) {
    return shard.is_null() ? "the whole calibration" : "shard " + shard.dump();
}

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ErrorCode::DataLine, message, "Name every shard of the calibration once.");
}

/// Tokens that are counted twice would weigh twice.
void require_distinct(const std::vector<std::string>& files,
                      const std::vector<ExpertStats>& shards) {
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const Json shard = shard_of(shards[i]);
        for (std::size_t j = 0; j < i; ++j) {
            const Json other = shard_of(shards[j]);
            if (shards[i].file_hash == shards[j].file_hash) {
                refuse(fmt::format("{} and {} are the same statistics.", files[j], files[i]));
            }
            if (shard.is_null() && other.is_null()) continue;
            if (shard == other) {
                refuse(fmt::format("{} and {} both hold shard {} of the calibration.", files[j],
                                   files[i], shard.dump()));
            }
            const bool cut_alike = shard.is_object() && other.is_object() &&
                                   shard.value("count", Json()) == other.value("count", Json());
            if (!cut_alike) {
                refuse(fmt::format("{} holds {}, {} holds {}: they may overlap.", files[j],
                                   part_text(other), files[i], part_text(shard)));
            }
        }
    }
}

std::optional<Json> merge_stats(const MergeOptions& options, const Session& session) {
    const Measure measure;
    for (const std::string& file : options.files) require_apart(options.out, {file});
    std::vector<ExpertStats> shards;
    for (const std::string& file : options.files) {
        shards.push_back(load_expert_stats(file, true));
        load_expert_contexts(file, shards.back());
    }
    require_distinct(options.files, shards);
    const ExpertStats merged = merge_expert_stats(shards);
    save_expert_stats(merged, options.out);
    if (!session.json) fmt::print("{}: {} tokens\n", options.out, merged.total_tokens());
    return measure.result(options.out,
                          {{"tokens", merged.total_tokens()}, {"shards", shards.size()}});
}

}  // namespace

void add_merge_stats(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<MergeOptions>();
    auto* command = app.add_subcommand("merge-stats",
                                       "Joins the shards of one calibration, in the order given");
    command->add_option("FILE", options->files, "Statistics of the shards")->required();
    command->add_option("--out", options->out, "The joined statistics file")->required();
    does(*command, chosen, options, merge_stats);
}

}  // namespace espalier::cli
