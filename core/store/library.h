#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
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
};

struct RunRecord {
    std::string path;        ///< folder, unique
    std::string name;
    std::string model;
    std::string state;       ///< "running", "finished", "stopped", "failed"
    std::string recipe;      ///< JSON
    std::string report;      ///< JSON, empty until there is one
    std::int64_t started_unix = 0;
    std::int64_t ended_unix = 0;  ///< 0 = not yet
};

struct ChatRecord {
    std::int64_t id = 0;
    std::string title;
    std::string model;
    std::string messages;  ///< JSON array of {"role","content"}
    std::int64_t changed_unix = 0;
};

/// Models, runs with their stages, metrics and routing counts, evaluations, chats. An index over run
/// folders: everything but the chats can be rebuilt from them.
class Library {
public:
    explicit Library(const std::filesystem::path& path);

    void put_model(const ModelRecord& model);
    bool remove_model(std::string_view name);
    std::vector<ModelRecord> models();
    std::optional<ModelRecord> find_model(std::string_view name);

    void put_run(const RunRecord& run);
    bool remove_run(std::string_view path);
    /// Newest first.
    std::vector<RunRecord> runs();
    void put_metric(std::string_view run_path, std::string_view stage, std::string_view name, double value);
    std::map<std::string, double> metrics(std::string_view run_path);
    void put_routing(std::string_view run_path, std::int64_t layer, const std::vector<double>& load,
                     const std::vector<double>& saliency);

    std::int64_t put_chat(const ChatRecord& chat);  ///< id 0 = new; returns its id
    std::vector<ChatRecord> chats();
    bool remove_chat(std::int64_t id);

private:
    Database database_;
};

}  // namespace espalier
