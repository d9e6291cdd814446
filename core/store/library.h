#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "store/database.h"

namespace espalier {

struct ModelRecord {
    std::string name;  ///< unique; what the command line accepts as MODEL
    std::string path;
    std::string family;
    std::int64_t parameters = 0;
    std::int64_t bytes = 0;
    std::int64_t added_unix = 0;
    bool operator==(const ModelRecord&) const = default;
};

/// What is known of a model beside its files, wherever it was found.
struct ModelNotes {
    std::string hash;        ///< ModelSource::hash(); empty = never asked for
    std::string hash_stamp;  ///< FoundModel::stamp() when it was taken
    std::string text;        ///< the user's own words
    bool operator==(const ModelNotes&) const = default;
};

struct RunRecord {
    std::string path;  ///< folder, unique
    std::string name;
    std::string model;
    std::string state;   ///< "running", "finished", "held", "stopped", "failed"
    std::string recipe;  ///< JSON
    std::string report;  ///< JSON, empty until there is one
    std::int64_t started_unix = 0;
    std::int64_t ended_unix = 0;  ///< 0 = not yet
    bool operator==(const RunRecord&) const = default;
};

/// One finished stage of a run.
struct StageRecord {
    std::int64_t position = 0;  ///< in the recipe, from 0
    std::string stage;
    double seconds = 0;
    std::int64_t peak_bytes = 0;
    std::string record;  ///< its stage.json
    bool operator==(const StageRecord&) const = default;
};

/// What calibration saw in one layer, per expert.
struct RoutingRecord {
    std::int64_t layer = 0;
    std::vector<double> load;
    std::vector<double> saliency;
    bool operator==(const RoutingRecord&) const = default;
};

/// A measurement outside a run.
struct EvaluationRecord {
    std::int64_t id = 0;
    std::string model;
    std::string reference;  ///< empty = none
    std::string result;     ///< JSON, as `eval --json` prints it
    std::int64_t measured_unix = 0;
    bool operator==(const EvaluationRecord&) const = default;
};

struct ChatRecord {
    std::int64_t id = 0;
    std::string title;
    std::string model;
    std::string messages;  ///< JSON array of {"role","content"}
    std::int64_t changed_unix = 0;
    bool operator==(const ChatRecord&) const = default;
};

/// Models, runs with their stages, metrics and routing counts, evaluations, chats. An index over
/// run folders: runs can be rebuilt from them, chats live here alone. Every function throws Error
/// StoreFailed if the database fails.
class Library {
public:
    explicit Library(const std::filesystem::path& path);

    /// Replaces the model of that name.
    void put_model(const ModelRecord& model);
    bool remove_model(std::string_view name);
    /// By name.
    std::vector<ModelRecord> models();
    std::optional<ModelRecord> find_model(std::string_view name);
    /// `name` if it is free or belongs to `path`, else with a number behind it.
    std::string free_model_name(const std::string& name, const std::string& path);

    /// Folders that the user chose to look for models in.
    void put_model_folder(std::string_view folder);
    bool remove_model_folder(std::string_view folder);
    std::vector<std::string> model_folders();

    void put_model_text(std::string_view path, std::string_view text);
    void put_model_hash(std::string_view path, std::string_view hash, std::string_view stamp);
    /// By path.
    std::map<std::string, ModelNotes> model_notes();

    /// Replaces the run of that path; its stages, metrics and routing stay.
    void put_run(const RunRecord& run);
    /// With its stages, metrics and routing; the folder stays.
    bool remove_run(std::string_view path);
    /// Newest first.
    std::vector<RunRecord> runs();
    std::optional<RunRecord> find_run(std::string_view path);
    /// The run must be there.
    void put_stage(std::string_view run_path, const StageRecord& stage);
    std::vector<StageRecord> stages(std::string_view run_path);
    void put_metric(std::string_view run_path, std::string_view stage, std::string_view name,
                    double value);
    /// By name; where stages share a name, the stage that comes last in the alphabet wins.
    std::map<std::string, double> metrics(std::string_view run_path);
    void put_routing(std::string_view run_path, std::int64_t layer, const std::vector<double>& load,
                     const std::vector<double>& saliency);
    std::vector<RoutingRecord> routing(std::string_view run_path);

    /// Reads a run folder (recipe.json, stage records, report.json) and replaces what is known of
    /// it. False if there is no run in the folder. @throws Error if its files are broken
    bool index_run(const std::filesystem::path& run_folder);
    /// Indexes every run folder directly below `parents`; returns how many. Broken ones are logged.
    std::size_t rebuild(const std::vector<std::filesystem::path>& parents);

    std::int64_t put_evaluation(
        const EvaluationRecord& evaluation);  ///< id 0 = new; returns its id
    /// Newest first.
    std::vector<EvaluationRecord> evaluations();

    std::int64_t put_chat(const ChatRecord& chat);  ///< id 0 = new; returns its id
    /// Last changed first.
    std::vector<ChatRecord> chats();
    bool remove_chat(std::int64_t id);

private:
    Database database_;
};

}  // namespace espalier
